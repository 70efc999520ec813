"""Whatever a sender calls things, a database takes it and gives it back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hookcatch.inbox.shared.text import digest, text, untext

anything = st.text(st.characters(categories=None) | st.sampled_from("\x00\x10\ud800\udfff01"))


@given(anything, anything)
def test_every_text_comes_back_and_keeps_its_beginning(one, other):
    assert untext(text(one)) == one
    assert "\x00" not in text(one)
    text(one).encode()
    assert text(one + other).startswith(text(one))
    assert text(one).startswith(text(other)) == one.startswith(other)


@given(st.lists(anything), st.lists(anything))
def test_keys_differ_where_their_parts_do(one, other):
    assert (digest(*one) == digest(*other)) == (one == other)
