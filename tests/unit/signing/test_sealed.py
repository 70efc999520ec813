"""What is encrypted is opened after its signature was checked, and tells nothing to those who guess."""

from __future__ import annotations

import base64
import builtins
import sys
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from hookcatch.core.errors import MissingExtra, Rejected
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request
from hookcatch.signing.fields import Field
from hookcatch.signing.places import Header
from hookcatch.signing.scheme import Match, Opened
from hookcatch.signing.schemes import Made, Token, any_of
from hookcatch.signing.sealed import LeadingIv, Sealed, ToReceiver, XmlField

KEY = bytes(range(32))
LARK = LeadingIv(KEY)
WECHAT = ToReceiver(KEY, b"wx1")
SECRET = Secret(b"0123456789abcdef")
SEALED = Sealed(scheme=Token(Header("x-token")), envelope=Field("encrypt"), box=LARK)


def encrypted(plain: bytes, iv: bytes = KEY[:16]) -> bytes:
    encryptor = Cipher(algorithms.AES(KEY), modes.CBC(iv)).encryptor()
    return base64.b64encode(encryptor.update(plain) + encryptor.finalize())


def refusal(box: LeadingIv | ToReceiver, sealed: bytes) -> str:
    with pytest.raises(Rejected) as refused:
        box.open(sealed)
    return str(refused.value)


@pytest.mark.parametrize("box", [LARK, WECHAT], ids=["lark", "wechat"])
@given(plain=st.binary(max_size=200))
def test_what_is_sealed_is_opened_by_the_same_key_alone(box: Any, plain: bytes) -> None:
    sealed = box.close(plain)
    assert box.open(sealed) == plain
    other = type(box)(bytes(32), *([b"wx1"] if box is WECHAT else []))
    with suppress(Rejected):
        assert other.open(sealed) != plain


@pytest.mark.parametrize("box", [LARK, WECHAT], ids=["lark", "wechat"])
@given(sealed=st.binary(max_size=100) | st.binary(max_size=100).map(base64.b64encode))
def test_whatever_comes_only_one_refusal_escapes(box: Any, sealed: bytes) -> None:
    with suppress(Rejected):
        box.open(sealed)


@pytest.mark.parametrize("box", [LARK, WECHAT], ids=["lark", "wechat"])
def test_all_that_can_be_wrong_gets_the_same_refusal(box: Any) -> None:
    good = box.close(b"hello")
    raw = base64.b64decode(good)
    cases = [b"", b"%", good[:-1], base64.b64encode(raw[:-1]), base64.b64encode(raw[:16])]
    cases.append(base64.b64encode(raw[:-1] + bytes([raw[-1] ^ 1])))
    said = {refusal(box, case) for case in cases}
    assert said == {"malformed_body: what is sealed cannot be opened with this key"}


@pytest.mark.parametrize(
    "framed",
    [
        b"0" * 16 + (99).to_bytes(4, "big") + b"hello" + b"wx1" + b"\x04" * 4,
        b"0" * 16 + b"\xff" * 4 + b"hello" + b"wx1" + b"\x04" * 4,
        b"0" * 16 + b"\x10" * 16,
    ],
    ids=["a longer message than there is", "the longest", "no length"],
)
def test_a_length_that_cannot_be_is_refused(framed: bytes) -> None:
    assert refusal(WECHAT, encrypted(framed)).startswith("malformed_body")


def test_what_is_meant_for_somebody_else_is_not_ours() -> None:
    assert refusal(WECHAT, ToReceiver(KEY, b"wx2").close(b"hello")).startswith("bad_signature")


def test_equal_texts_are_sealed_equally_and_others_not() -> None:
    for box in (LARK, WECHAT):
        assert box.close(b"a") == box.close(b"a") != box.close(b"b")


def test_a_box_does_not_show_its_key() -> None:
    assert "x00" not in repr(LARK) + repr(WECHAT)


def test_an_element_of_xml_is_read_and_written() -> None:
    place = XmlField("xml.Encrypt")
    written = place.write(Request("POST", "", ()), b"a+b=")
    assert written.body == b"<xml><Encrypt><![CDATA[a+b=]]></Encrypt></xml>"
    assert place.reader()(written) == b"a+b="
    assert not place.in_head
    assert place.title == "xml.Encrypt in the body"
    assert place.reader()(written.replace(body=b"<xml/>")) is None
    with pytest.raises(Rejected, match="malformed_body"):
        place.reader()(written.replace(body=b"<xml"))


def test_signing_seals_and_opening_gives_the_text_back() -> None:
    signed = SEALED.sign(Request("POST", "", (), b'{"id": 1}'), SECRET, 0.0)
    assert b'"id"' not in signed.body
    bound = SEALED.bind([SECRET], None)
    assert bound.open is not None
    assert bound.open(signed, bound.check(signed, 0.0)) == Opened(signed.replace(body=b'{"id": 1}'))
    with pytest.raises(Rejected, match="encrypt in the body is missing"):
        bound.open(signed.replace(body=b"{}"), Match(0))


def test_an_answer_that_is_made_for_the_request_goes_with_it() -> None:
    answering = Sealed(
        scheme=SEALED.scheme, envelope=SEALED.envelope, box=LARK, answer=lambda request: request.url.encode()
    )
    bound = answering.bind([SECRET], None)
    signed = answering.sign(Request("POST", "/here", (), b"{}"), SECRET, 0.0)
    assert bound.open is not None
    assert bound.open(signed, Match(0)).ack == b"/here"


def test_of_several_secrets_the_one_that_signed_opens() -> None:
    def make(secret: Secret) -> tuple[Sealed, Secret]:
        box = LeadingIv(secret.reveal() * 2)
        return Sealed(scheme=Token(Header("x-token")), envelope=Field("encrypt"), box=box), secret

    secrets = [SECRET, Secret(b"another secret..")]
    bound = Made(make).bind(secrets, None)
    for position, secret in enumerate(secrets):
        signed = Made(make).sign(Request("POST", "", (), b'{"id": 1}'), secret, 0.0)
        match = bound.check(signed, 0.0)
        assert match.key == position
        assert bound.open is not None
        assert bound.open(signed, match).request.body == b'{"id": 1}'


def test_where_only_some_ways_of_signing_encrypt_the_others_are_read_as_they_are() -> None:
    open_ = Token(Header("x-other")).bind([Secret(b"an open secret..")], None)
    bound = any_of([(SEALED.bind([SECRET], None), [0]), (open_, [1])])
    plain = Request("POST", "", [("x-other", "an open secret..")], b"{}")
    assert bound.open is not None
    assert bound.open(plain, bound.check(plain, 0.0)) == Opened(plain)


def test_without_cryptography_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("cryptography"):
            raise ImportError(name)
        return real(name, *rest, **more)

    for name in [name for name in sys.modules if name.startswith("cryptography.hazmat.primitives.ciphers")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"hookcatch\[crypto\]"):
        SEALED.bind([SECRET], None)


def test_the_strength_is_that_of_the_secret_that_signs() -> None:
    SEALED.check_strength(SECRET)
    with pytest.raises(Exception, match="at least 16"):
        SEALED.check_strength(Secret(b"short"))
