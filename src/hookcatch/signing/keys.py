"""Secrets, from what a person configured to the bytes a scheme computes with.

Everything here runs when a source is built, so every error says what to change in the configuration.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hookcatch.core.errors import ConfigurationError
from hookcatch.core.secret import Secret

SecretInput = str | bytes | Secret
"""A secret as it is configured; bytes are its text, not a decoded key."""

MAX_SECRETS = 8
MIN_BYTES = 16


def secrets_of(given: SecretInput | Sequence[SecretInput] | None) -> tuple[Secret, ...]:
    """One secret or a rotation list of them, checked: 1 to `MAX_SECRETS`, none empty, none twice."""
    listed = list(given) if isinstance(given, list | tuple) else [given]
    if not listed:
        raise ConfigurationError("the list of secrets is empty: nothing could be verified; give at least one")
    if len(listed) > MAX_SECRETS:
        raise ConfigurationError(
            f"{len(listed)} secrets, at most {MAX_SECRETS} are tried: drop those whose rotation is over"
        )
    secrets = tuple(_secret(one, _place(position, len(listed))) for position, one in enumerate(listed))
    if len({secret.reveal() for secret in secrets}) < len(secrets):
        raise ConfigurationError("the same secret is listed twice: drop one of them")
    return secrets


def check_strength(key: bytes) -> None:
    """Refuse a key that can be guessed: under 16 bytes. Asked for configured sources only."""
    if len(key) < MIN_BYTES:
        raise ConfigurationError(
            f"the secret is only {len(key)} bytes long, at least {MIN_BYTES} are needed: "
            "have the sender make a new one"
        )


class KeyFormat(Protocol):
    """How a secret is written. `decode` gives the key, or several where the sender may use either."""

    def decode(self, secret: Secret) -> tuple[bytes, ...]:
        """Raises ConfigurationError saying how to repair it."""
        ...


@dataclass(frozen=True, slots=True)
class Utf8:
    """The text itself is the key, prefixes included."""

    def decode(self, secret: Secret) -> tuple[bytes, ...]:
        return (secret.reveal(),)


@dataclass(frozen=True, slots=True)
class Base64:
    """Base64 after an optional prefix; padding may be missing. `bare` reads a secret without the prefix,
    where that is written otherwise."""

    prefix: str = ""
    bare: KeyFormat | None = None

    def decode(self, secret: Secret) -> tuple[bytes, ...]:
        text = secret.reveal()
        prefix = self.prefix.encode()
        if self.bare is not None and not text.startswith(prefix):
            return self.bare.decode(secret)
        return (_base64(text.removeprefix(prefix), self.prefix),)


@dataclass(frozen=True, slots=True)
class Unescaped:
    """Text in which the five characters special to HTML may be written as entities: WordPress stores it so."""

    def decode(self, secret: Secret) -> tuple[bytes, ...]:
        text = secret.reveal()
        for entity, character in (
            (b"lt", b"<"),
            (b"gt", b">"),
            (b"quot", b'"'),
            (b"#039", b"'"),
            (b"amp", b"&"),
        ):
            text = text.replace(b"&" + entity + b";", character)
        return (text,)


@dataclass(frozen=True, slots=True)
class Several:
    """Many secrets in one text, a character between them."""

    between: str
    key: KeyFormat

    def decode(self, secret: Secret) -> tuple[bytes, ...]:
        texts = secret.reveal().split(self.between.encode())
        return tuple(key for text in texts for key in self.key.decode(Secret(text)))


@dataclass(frozen=True, slots=True)
class TextOrBase64:
    """A text that is the key itself, and in case it can be read so, base64 of one: Polar signs with either."""

    prefix: str = ""

    def decode(self, secret: Secret) -> tuple[bytes, ...]:
        text = secret.reveal()
        try:
            return (text, *Base64(self.prefix).decode(secret))
        except ConfigurationError:
            return (text,)


@dataclass(frozen=True, slots=True)
class Hex:
    """Pairs of hexadecimal digits."""

    def decode(self, secret: Secret) -> tuple[bytes, ...]:
        try:
            return (binascii.unhexlify(secret.reveal()),)
        except ValueError:
            raise ConfigurationError(
                "the secret is not hexadecimal: copy it whole, without spaces or quotes"
            ) from None


@dataclass(frozen=True, slots=True)
class UserPassword:
    """`user:password`, for HTTP Basic (RFC 7617)."""

    def decode(self, secret: Secret) -> tuple[bytes, ...]:
        if b":" not in secret.reveal():
            raise ConfigurationError("the secret for HTTP Basic is written `user:password`")
        return (secret.reveal(),)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """PEM text as it stands, of a key or of a certificate, or else base64 of the DER."""

    def decode(self, secret: Secret) -> tuple[bytes, ...]:
        text = secret.reveal().strip()
        return (text if text.startswith(b"-----BEGIN") else _base64(text, ""),)


def _secret(given: object, place: str) -> Secret:
    if given is None:
        raise ConfigurationError(f"{place} is None: is its environment variable set?")
    if not isinstance(given, str | bytes | Secret):
        raise ConfigurationError(f"{place} is {type(given).__name__}, not str, bytes or Secret")
    try:
        value = (
            given.encode()
            if isinstance(given, str)
            else given
            if isinstance(given, bytes)
            else given.reveal()
        )
    except UnicodeEncodeError:
        raise ConfigurationError(f"{place} is not text that can be encoded") from None
    if not value.strip():
        raise ConfigurationError(f"{place} is empty: is its environment variable set?")
    padded = not isinstance(given, bytes) and value != value.strip()
    if padded and not value.lstrip().startswith(b"-----BEGIN"):
        raise ConfigurationError(f"{place} has white space around it: strip it where it is read")
    return given if isinstance(given, Secret) else Secret(value)


def _place(position: int, count: int) -> str:
    return "the secret" if count == 1 else f"secret {position + 1} of {count}"


def _base64(text: bytes, prefix: str) -> bytes:
    bare = text.rstrip(b"=")
    try:
        key = binascii.a2b_base64(bare + b"=" * (-len(bare) % 4), strict_mode=True)
    except ValueError:
        key = b""
    if not key:
        wanted = f"`{prefix}` and base64" if prefix else "base64"
        raise ConfigurationError(f"the secret is not {wanted}: copy it whole, without spaces or quotes")
    return key
