"""Secrets: every way to get one wrong is found when the source is built, and the message says what to do."""

from __future__ import annotations

import base64

import pytest

from hookcatch.core.errors import ConfigurationError
from hookcatch.core.secret import Secret
from hookcatch.signing.keys import (
    MAX_SECRETS,
    Base64,
    Hex,
    KeyFormat,
    PublicKey,
    Several,
    TextOrBase64,
    Unescaped,
    UserPassword,
    Utf8,
    check_strength,
    secrets_of,
)

KEY = bytes(range(24))
TEXT = base64.b64encode(KEY).decode()


def values(given: object) -> list[bytes]:
    return [secret.reveal() for secret in secrets_of(given)]  # type: ignore[arg-type]


def test_one_secret_or_a_list_of_them_in_any_type() -> None:
    assert values("abc") == [b"abc"]
    assert values(b"abc") == [b"abc"]
    assert values(Secret(b"abc")) == [b"abc"]
    assert values(["a", b"b", Secret(b"c")]) == [b"a", b"b", b"c"]
    assert values(("é",)) == ["é".encode()]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "the secret is None: is its environment variable set"),
        ("", "the secret is empty"),
        (" \n", "the secret is empty"),
        (b"\t", "the secret is empty"),
        (["good", None], "secret 2 of 2 is None"),
        (["good", ""], "secret 2 of 2 is empty"),
        ([], "the list of secrets is empty"),
        ("abc\n", "white space around it"),
        (Secret(b" abc"), "white space around it"),
        (["a", "b", "a"], "listed twice"),
        (["a", b"a"], "listed twice"),
        ([str(number) for number in range(MAX_SECRETS + 1)], "9 secrets, at most 8"),
        (42, "the secret is int, not str, bytes or Secret"),
        ({"a": "b"}, "the secret is dict"),
        ("\ud800", "not text that can be encoded"),
    ],
)
def test_a_mistake_is_named(given: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        values(given)


def test_white_space_belongs_to_raw_bytes_and_to_pem() -> None:
    assert values(b" abc\n") == [b" abc\n"]
    pem = "\n-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\n"
    assert values(pem) == [pem.encode()]
    assert PublicKey().decode(Secret(pem.encode())) == (pem.strip().encode(),)


def test_an_error_does_not_show_the_secret() -> None:
    with pytest.raises(ConfigurationError) as error:
        Base64("whsec_").decode(Secret(b"whsec_canary!"))
    assert "canary" not in str(error.value)


def test_the_text_itself_is_a_key() -> None:
    assert Utf8().decode(Secret(b"whsec_abc")) == (b"whsec_abc",)


@pytest.mark.parametrize("text", [TEXT, "whsec_" + TEXT, ("whsec_" + TEXT).rstrip("=")])
def test_base64_with_or_without_its_prefix_and_padding(text: str) -> None:
    assert Base64("whsec_").decode(Secret(text.encode())) == (KEY,)


def test_padding_may_be_missing() -> None:
    assert Base64().decode(Secret(base64.b64encode(b"1234").rstrip(b"="))) == (b"1234",)


@pytest.mark.parametrize("text", ["whsec_", "whsec_!", "whsec_a", "a b", "QQ==QQ==", "Zm9v\nYmFy", "é"])
def test_what_is_not_base64_is_named(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not `whsec_` and base64: copy it whole"):
        Base64("whsec_").decode(Secret(text.encode()))


def test_a_secret_without_the_prefix_may_be_written_otherwise() -> None:
    key = Base64("whsec_", bare=Utf8())
    assert key.decode(Secret(b"plain text")) == (b"plain text",)
    assert key.decode(Secret(b"whsec_" + TEXT.encode())) == (KEY,)


def test_hexadecimal() -> None:
    assert Hex().decode(Secret(b"00FFaa")) == (b"\x00\xff\xaa",)
    for text in (b"0", b"zz", b"00 ff", "é".encode()):
        with pytest.raises(ConfigurationError, match="not hexadecimal"):
            Hex().decode(Secret(text))


def test_basic_credentials_have_a_colon() -> None:
    assert UserPassword().decode(Secret(b"a:b:c")) == (b"a:b:c",)
    with pytest.raises(ConfigurationError, match="user:password"):
        UserPassword().decode(Secret(b"password"))


def test_a_public_key_without_pem_is_base64_of_its_der() -> None:
    assert PublicKey().decode(Secret(TEXT.encode())) == (KEY,)
    with pytest.raises(ConfigurationError, match="is not base64"):
        PublicKey().decode(Secret(b"!"))


def test_sixteen_bytes_are_enough() -> None:
    check_strength(b"x" * 16)
    with pytest.raises(ConfigurationError, match="only 15 bytes long, at least 16"):
        check_strength(b"x" * 15)


def decoded(key: KeyFormat, text: str) -> tuple[bytes, ...]:
    return key.decode(Secret(text.encode()))


def test_the_entities_of_html_in_a_secret_are_decoded_once() -> None:
    assert decoded(Unescaped(), "a&amp;b&lt;&gt;&quot;&#039;") == (b"a&b<>\"'",)
    assert decoded(Unescaped(), "&amp;lt; &eacute; &") == (b"&lt; &eacute; &",)


def test_many_secrets_in_one_text_are_many_keys() -> None:
    split = Several("|", Base64("v1,whsec_"))
    assert decoded(split, f"v1,whsec_{TEXT}|v1,whsec_QUJD") == (KEY, b"ABC")
    assert decoded(split, f"v1,whsec_{TEXT}") == (KEY,)
    for text in ("|", f"v1,whsec_{TEXT}|", "v1,whsec_%%%"):
        with pytest.raises(ConfigurationError, match="base64"):
            decoded(split, text)


def test_a_text_that_is_base64_as_well_is_two_keys() -> None:
    assert decoded(TextOrBase64("whsec_"), f"whsec_{TEXT}") == (f"whsec_{TEXT}".encode(), KEY)
    assert decoded(TextOrBase64("whsec_"), "not base64!") == (b"not base64!",)
