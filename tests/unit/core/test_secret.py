"""Secrets that do not show themselves."""

from __future__ import annotations

import copy
import pickle
import traceback

import pytest

from hookcatch.core.secret import Secret

CANARY = "canary-4711"


def test_only_reveal_gives_the_bytes():
    assert Secret(CANARY.encode()).reveal() == CANARY.encode()


def test_nothing_that_prints_it_shows_it():
    secret = Secret(CANARY.encode())
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", f"{secret:>40}", f"{secret}"):
        assert CANARY not in shown
        assert "Secret(***)" in shown


def test_it_refuses_to_be_pickled_or_copied():
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            way(Secret(CANARY.encode()))


def test_a_traceback_with_locals_does_not_show_it():
    secret = Secret(CANARY.encode())
    try:
        raise ValueError(f"could not use {secret}")
    except ValueError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert "secret = Secret(***)" in "".join(told.format())
    assert CANARY not in "".join(told.format())
