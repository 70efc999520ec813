"""Schemes: what they accept, what they refuse, and how they say so."""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from hookcatch.core.errors import ConfigurationError, MissingExtra, Rejected
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request
from hookcatch.signing import keys
from hookcatch.signing.encoding import BASE64, BASE64URL, HEX, HEX_ANY_CASE
from hookcatch.signing.fields import Field
from hookcatch.signing.freshness import Timestamp
from hookcatch.signing.jwt import LEEWAY, Jwt
from hookcatch.signing.mac import Hash, Hmac, Side
from hookcatch.signing.parts import BODY, TIME, Nonce
from hookcatch.signing.places import FirstOf, Header, Pair, Query, Tagged
from hookcatch.signing.public_key import Ecdsa, Ed25519, Padding, Rsa
from hookcatch.signing.scheme import Bound, Match, Scheme
from hookcatch.signing.schemes import BySecret, Made, Signed, Token, Unsigned
from hookcatch.signing.signed_text import SignedText, value_of
from support.senders import ecdsa as ecdsa_pem
from support.senders import ed25519 as ed25519_key
from support.senders import rsa as rsa_pem

NOW = 1_700_000_000.0
REQUEST = Request("POST", "https://a.example/in", [], b'{"a":1}')
SECRET = Secret(b"a secret of more than sixteen bytes")
OTHER = Secret(b"another one of more than sixteen bytes")


def bound(scheme: Scheme, *secrets: Secret) -> Bound:
    return scheme.bind(secrets or (SECRET,), None)


def round_trip(scheme: Scheme, secret: Secret = SECRET) -> Match:
    return bound(scheme, secret).check(scheme.sign(REQUEST, secret, NOW), NOW)


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> Secret:
    return Secret(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384", "sha512", "md5"])
@pytest.mark.parametrize("encoding", [HEX, HEX_ANY_CASE, BASE64, BASE64URL])
@pytest.mark.parametrize("kind", [Hmac, lambda digest: Hash(digest, Side.BEFORE), Hash])
def test_every_digest_and_encoding_signs_and_verifies(digest: str, encoding: object, kind: type) -> None:
    scheme = Signed(algorithm=kind(digest), signature=Header("x-sig"), encoding=encoding)  # type: ignore[arg-type]
    assert round_trip(scheme) == Match(0, None)
    with pytest.raises(Rejected, match="bad_signature"):
        bound(scheme, OTHER).check(scheme.sign(REQUEST, SECRET, NOW), NOW)
    scheme.check_strength(SECRET)


@given(st.binary(min_size=1, max_size=200), st.binary(max_size=300))
def test_hmac_on_a_kept_key_is_hmac(key: bytes, message: bytes) -> None:
    import hmac

    match = Hmac("sha256").matcher([key], HEX)
    assert match(message, [hmac.new(key, message, "sha256").hexdigest().encode()]) == 0


def test_what_none_of_several_keys_made_is_refused() -> None:
    scheme = Signed(algorithm=Hmac(), signature=Header("x-sig"))
    signed = scheme.sign(REQUEST, Secret(b"a third one of more than sixteen bytes"), NOW)
    with pytest.raises(Rejected, match="bad_signature"):
        bound(scheme, SECRET, OTHER).check(signed, NOW)
    with pytest.raises(Rejected, match="malformed_signature"):
        bound(scheme, SECRET, OTHER).check(signed.with_header("x-sig", "short"), NOW)


def test_a_plain_hash_has_the_secret_on_one_side() -> None:
    assert Hash("sha1").sign(b"key", b"message") == hashlib.sha1(b"messagekey").digest()
    assert Hash("sha1", Side.BEFORE).sign(b"key", b"message") == hashlib.sha1(b"keymessage").digest()


def test_either_case_of_hexadecimal_only_where_the_row_says_so() -> None:
    for encoding, passes in ((HEX, False), (HEX_ANY_CASE, True)):
        scheme = Signed(algorithm=Hmac(), signature=Header("x-sig"), encoding=encoding)
        request = scheme.sign(REQUEST, SECRET, NOW)
        loud = request.with_header("x-sig", (request.header(b"x-sig") or b"").upper())
        if passes:
            assert bound(scheme).check(loud, NOW).key == 0
        else:
            with pytest.raises(Rejected):
                bound(scheme).check(loud, NOW)


def test_a_signature_of_the_wrong_length_is_malformed_and_of_the_right_one_bad() -> None:
    check = bound(Signed(algorithm=Hmac(), signature=Header("x-sig"))).check
    with pytest.raises(Rejected, match="malformed_signature"):
        check(REQUEST.with_header("x-sig", "00"), NOW)
    with pytest.raises(Rejected, match="bad_signature"):
        check(REQUEST.with_header("x-sig", "0" * 64), NOW)


def test_every_candidate_is_compared_with_every_key() -> None:
    scheme = Signed(algorithm=Hmac(), signature=Tagged("x-sig", "v1"))
    good = scheme.algorithm.sign(OTHER.reveal(), REQUEST.body).hex().encode()
    request = scheme.signature.write_all(REQUEST, [b"0" * 64, b"1", good, b"f" * 64])
    assert bound(scheme, SECRET, OTHER).check(request, NOW).key == 1


def test_the_same_key_in_two_spellings_is_refused() -> None:
    scheme = Signed(algorithm=Hmac(), signature=Header("x-sig"), key=keys.Hex())
    with pytest.raises(ConfigurationError, match="same key"):
        bound(scheme, Secret(b"aabb"), Secret(b"AABB"))


@pytest.mark.parametrize(
    "place", [Header("x-t"), Pair("x-sig", "t"), Pair("x-other", "t"), Field("when"), Query("t")]
)
def test_the_time_may_stand_anywhere_and_is_signed(place: object) -> None:
    time = Timestamp(place)  # type: ignore[arg-type]
    scheme = Signed(algorithm=Hmac(), signature=Pair("x-sig", "v1"), time=time, message=(TIME, BODY))
    assert round_trip(scheme) == Match(0, NOW)
    request = scheme.sign(REQUEST, SECRET, NOW)
    later = time.write(request, NOW + 1)
    with pytest.raises(Rejected, match="bad_signature"):
        bound(scheme).check(later, NOW)
    stale = scheme.sign(REQUEST, SECRET, NOW - 301)
    with pytest.raises(Rejected, match="stale_timestamp"):
        bound(scheme).check(stale, NOW)


def test_a_header_taken_apart_once_says_what_is_wrong_with_it() -> None:
    time = Timestamp(Pair("x-sig", "t"))
    check = bound(Signed(algorithm=Hmac(), signature=Pair("x-sig", "v1"), time=time)).check
    for value, reason in {
        "": "missing_signature",
        "t=1": "missing_signature",
        "t,v1": "missing_signature",
        "t=1,t=2,v1=x": "duplicate_header",
        "v1=x": "missing_timestamp",
        "t=,v1=x": "missing_timestamp",
        "t=1," + "v1=x," * 17: "malformed_signature",
        "t=1, v1=x": "malformed_signature",
    }.items():
        with pytest.raises(Rejected) as refusal:
            check(REQUEST.with_header("x-sig", value), NOW)
        assert refusal.value.reason == reason


def test_the_precheck_sees_what_stands_in_the_head() -> None:
    timed = Signed(algorithm=Hmac(), signature=Header("x-sig"), time=Timestamp(Header("x-t")))
    precheck = bound(timed).precheck
    stale = timed.sign(REQUEST, SECRET, NOW - 301).replace(body=b"")
    precheck(stale, None)
    with pytest.raises(Rejected, match="stale_timestamp"):
        precheck(stale, NOW)
    with pytest.raises(Rejected, match="missing_signature"):
        precheck(REQUEST, NOW)
    with pytest.raises(Rejected, match="missing_timestamp"):
        precheck(REQUEST.with_header("x-sig", "1"), None)


@pytest.mark.parametrize(
    "scheme",
    [
        Signed(algorithm=Hmac(), signature=Field("sig")),
        Signed(algorithm=Hmac(), signature=Field("sig"), time=Timestamp(Field("t"))),
        Token(Field("token")),
        Jwt(algorithm="HS256", token=Field("token")),
        SignedText(),
        Unsigned(),
    ],
)
def test_the_precheck_leaves_what_stands_in_the_body_for_later(scheme: Scheme) -> None:
    bound(scheme).precheck(REQUEST.replace(body=b""), NOW)


def test_a_token_is_compared_whole() -> None:
    scheme = Token(Header("x-token"))
    assert round_trip(scheme) == Match(0)
    assert bound(scheme, OTHER, SECRET).check(scheme.sign(REQUEST, SECRET, NOW), NOW).key == 1
    for value in (b"", SECRET.reveal()[:-1], SECRET.reveal() + b" ", b"\xff"):
        with pytest.raises(Rejected):
            bound(scheme).check(REQUEST.with_header("x-token", value), NOW)
        with pytest.raises(Rejected):
            bound(scheme).precheck(REQUEST.with_header("x-token", value), NOW)
    scheme.check_strength(SECRET)
    with pytest.raises(ConfigurationError):
        scheme.check_strength(Secret(b"short"))


def test_unsigned_accepts_everything_and_has_no_key() -> None:
    assert round_trip(Unsigned()) == Match(None, None)
    Unsigned().check_strength(Secret(b""))


BY_SECRET = BySecret(
    (("sig_", Signed(algorithm=Hmac(), signature=Header("x-sig"))),), otherwise=Token(Header("x-token"))
)
SIG = Secret(b"sig_0123456789abcdef")


def test_the_secret_decides_the_scheme() -> None:
    assert BY_SECRET.sign(REQUEST, SIG, NOW).header(b"x-sig")
    assert BY_SECRET.sign(REQUEST, SECRET, NOW).header(b"x-token")
    BY_SECRET.check_strength(SIG)
    both = bound(BY_SECRET, SECRET, SIG, OTHER)
    for secret, key in ((SECRET, 0), (SIG, 1), (OTHER, 2)):
        request = BY_SECRET.sign(REQUEST, secret, NOW)
        assert both.check(request, NOW).key == key
        both.precheck(request, NOW)


def test_of_several_refusals_the_one_of_the_scheme_that_was_tried_is_told() -> None:
    both = bound(BY_SECRET, SECRET, SIG)
    with pytest.raises(Rejected, match="missing_signature: x-token"):
        both.check(REQUEST, NOW)
    with pytest.raises(Rejected, match="missing_signature"):
        both.precheck(REQUEST, NOW)
    with pytest.raises(Rejected, match="bad_signature"):
        both.check(REQUEST.with_header("x-sig", "0" * 64), NOW)
    with pytest.raises(Rejected, match="bad_signature"):
        both.check(REQUEST.with_header("x-token", "x"), NOW)


def test_a_scheme_without_keys_can_be_one_of_several() -> None:
    scheme = BySecret((("sig_", Signed(algorithm=Hmac(), signature=Header("x-sig"))),), otherwise=Unsigned())
    assert bound(scheme, SIG, SECRET).check(REQUEST, NOW) == Match(None, None)


# --- public keys


@pytest.mark.parametrize(
    ("algorithm", "secret"),
    [
        (Ed25519(), pem(ed25519.Ed25519PrivateKey.generate())),
        (Ecdsa(), Secret(ecdsa_pem(0).encode())),
        (Ecdsa("sha512"), Secret(ecdsa_pem(0).encode())),
        (Rsa(), Secret(rsa_pem(0).encode())),
        (Rsa("sha1"), Secret(rsa_pem(0).encode())),
        (Rsa("sha512", Padding.PSS), Secret(rsa_pem(0).encode())),
    ],
)
def test_a_public_key_verifies_what_its_private_key_signs(algorithm: Rsa, secret: Secret) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    scheme = Signed(algorithm=algorithm, signature=Header("x-sig"), encoding=BASE64, key=keys.PublicKey())
    public = load_pem_private_key(secret.reveal(), None).public_key()
    as_pem = Secret(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    as_der = Secret(BASE64.encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)))
    request = scheme.sign(REQUEST, secret, NOW)
    for key in (secret, as_pem, as_der):
        assert bound(scheme, key).check(request, NOW).key == 0
        scheme.check_strength(key)
        with pytest.raises(Rejected, match="bad_signature"):
            bound(scheme, key).check(request.replace(body=b"other"), NOW)
        with pytest.raises(Rejected, match="malformed_signature"):
            bound(scheme, key).check(request.with_header("x-sig", "!"), NOW)
    for key in (as_pem, as_der):
        with pytest.raises(ConfigurationError, match="private key"):
            scheme.sign(REQUEST, key, NOW)


ED = Signed(algorithm=Ed25519(), signature=Header("x-sig"), key=keys.Hex())


def test_a_raw_ed25519_key_is_public_or_a_seed_with_its_public_key() -> None:
    pair = ed25519_key(0)
    request = ED.sign(REQUEST, Secret(pair.hex().encode()), NOW)
    assert bound(ED, Secret(pair[32:].hex().encode())).check(request, NOW).key == 0
    assert bound(ED, Secret(pair.hex().encode())).check(request, NOW).key == 0
    with pytest.raises(ConfigurationError, match="private key"):
        ED.sign(REQUEST, Secret(pair[32:].hex().encode()), NOW)
    with pytest.raises(ConfigurationError, match="two halves"):
        bound(ED, Secret((pair[:32] + ed25519_key(1)[32:]).hex().encode()))
    with pytest.raises(ConfigurationError, match="not a public key"):
        bound(ED, Secret(b"00" * 31))


@pytest.mark.parametrize(
    ("algorithm", "secret", "message"),
    [
        (Rsa(), pem(rsa.generate_private_key(65537, 1024)), "1024 bits, at least 2048"),
        (Rsa(), Secret(ecdsa_pem(0).encode()), "RSA"),
        (Rsa(), Secret(b"-----BEGIN nothing-----"), "is not a public key"),
        (Ecdsa(), pem(ec.generate_private_key(ec.SECP384R1())), "secp384r1"),
        (Ecdsa(), Secret(rsa_pem(0).encode()), "elliptic curve"),
        (Ed25519(), Secret(rsa_pem(0).encode()), "Ed25519"),
    ],
)
def test_a_key_that_does_not_fit_is_named(algorithm: Rsa, secret: Secret, message: str) -> None:
    scheme = Signed(algorithm=algorithm, signature=Header("x-sig"), key=keys.PublicKey())
    with pytest.raises(ConfigurationError, match=message):
        bound(scheme, secret)
    public_pem = None
    if secret.reveal().startswith(b"-----BEGIN PRIVATE"):
        public = load_pem_private_key(secret.reveal(), None).public_key()
        public_pem = Secret(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        with pytest.raises(ConfigurationError, match=message):
            bound(scheme, public_pem)


def test_without_cryptography_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(MissingExtra, match=r"hookcatch\[crypto\]"):
        bound(ED, Secret(b"00" * 32))


# --- JWT

HS256 = Jwt(algorithm="HS256")


def token(scheme: Jwt, claims: object, head: object = None, secret: Secret = SECRET) -> Request:
    import hmac

    parts = [head or {"alg": "HS256"}, claims]
    text = b".".join(BASE64URL.encode(json.dumps(part).encode()) for part in parts)
    made = hmac.digest(secret.reveal(), text, "sha256")
    return scheme.token.write(REQUEST, text + b"." + BASE64URL.encode(made))


def claims(**more: object) -> dict[str, object]:
    body = hashlib.sha256(REQUEST.body).hexdigest()
    return {"iat": NOW, "request_body_sha256": body, **more}


def jwk(public: ec.EllipticCurvePublicKey) -> Secret:
    from jwt.algorithms import ECAlgorithm

    return Secret(ECAlgorithm.to_jwk(public).encode())


@pytest.mark.parametrize(
    ("algorithm", "secret"),
    [
        ("HS256", SECRET),
        ("HS512", SECRET),
        ("ES256", Secret(ecdsa_pem(0).encode())),
        ("RS256", Secret(rsa_pem(0).encode())),
        ("PS256", Secret(rsa_pem(0).encode())),
        ("EdDSA", pem(ed25519.Ed25519PrivateKey.generate())),
    ],
)
def test_a_token_of_every_algorithm_is_signed_and_verified(algorithm: str, secret: Secret) -> None:
    scheme = Jwt(algorithm=algorithm, issuer="me", audience="you")
    assert round_trip(scheme, secret) == Match(0, NOW)
    scheme.check_strength(secret)
    shortened = scheme.sign(REQUEST, secret, NOW)
    shortened = shortened.with_header("authorization", (shortened.header(b"authorization") or b"")[:-4])
    with pytest.raises(Rejected, match="_signature"):
        bound(scheme, secret).check(shortened, NOW)


def test_a_token_of_another_secret_is_refused() -> None:
    with pytest.raises(Rejected, match="bad_signature"):
        bound(HS256, OTHER).check(token(HS256, claims()), NOW)


def test_a_jwk_verifies_and_cannot_sign() -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    scheme, private = Jwt(algorithm="ES256"), Secret(ecdsa_pem(0).encode())
    public = jwk(load_pem_private_key(private.reveal(), None).public_key())  # type: ignore[arg-type]
    assert bound(scheme, public).check(scheme.sign(REQUEST, private, NOW), NOW).key == 0
    with pytest.raises(ConfigurationError, match="private key"):
        scheme.sign(REQUEST, public, NOW)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (claims(iat=NOW - 301), "stale_timestamp"),
        (claims(iat=NOW + 301), "future_timestamp"),
        (claims(iat=None), "missing_timestamp"),
        (claims(iat="1"), "malformed_timestamp"),
        (claims(iat=True), "malformed_timestamp"),
        (claims(iat=-1), "malformed_timestamp"),
        (claims(iat=1e300), "malformed_timestamp"),
        (claims(exp=NOW - LEEWAY - 1), "stale_timestamp"),
        (claims(nbf=NOW + LEEWAY + 1), "future_timestamp"),
        (claims(request_body_sha256="0" * 64), "bad_signature"),
        (claims(request_body_sha256="é"), "bad_signature"),
        (claims(request_body_sha256=7), "bad_signature"),
        ([], "malformed_signature"),
    ],
)
def test_a_rightly_signed_token_may_still_say_the_wrong_thing(given: object, reason: str) -> None:
    with pytest.raises(Rejected) as refusal:
        bound(HS256).check(token(HS256, given), NOW)
    assert refusal.value.reason == reason


def test_times_inside_their_leeway_pass() -> None:
    given = claims(exp=NOW - LEEWAY, nbf=NOW + LEEWAY)
    assert bound(HS256).check(token(HS256, given), NOW) == Match(0, NOW)


def test_a_sender_without_times_or_a_bound_body_is_a_row_of_its_own() -> None:
    loose = Jwt(algorithm="HS256", tolerance=None, body=None)
    assert bound(loose).check(token(loose, {}), NOW) == Match(0, None)
    assert round_trip(loose) == Match(0, NOW)
    with pytest.raises(Rejected, match="missing_timestamp"):
        loose.bind((SECRET,), 60).check(token(loose, {}), NOW)


@pytest.mark.parametrize(
    ("audience", "passes"), [("you", True), (["x", "you"], True), (["x"], False), (None, False)]
)
def test_the_audience_is_a_text_or_a_list(audience: object, passes: bool) -> None:
    scheme = Jwt(algorithm="HS256", audience="you", issuer="me")
    request = token(scheme, claims(aud=audience, iss="me"))
    if passes:
        assert bound(scheme).check(request, NOW).key == 0
    else:
        with pytest.raises(Rejected, match="another audience"):
            bound(scheme).check(request, NOW)
    with pytest.raises(Rejected, match="another issuer"):
        bound(scheme).check(token(scheme, claims(aud="you", iss="him")), NOW)


@pytest.mark.parametrize(
    "head",
    [
        {"alg": "none"},
        {"alg": "HS512"},
        {"alg": "hs256"},
        {"typ": "JWT"},
        {"alg": "HS256", "crit": ["x"]},
        [1],
    ],
)
def test_a_head_that_says_anything_else_is_refused(head: object) -> None:
    with pytest.raises(Rejected, match="malformed_signature"):
        bound(HS256).check(token(HS256, claims(), head), NOW)


@pytest.mark.parametrize(
    "text", ["", "a", "a.b", "a.b.c", "a.b.c.d", "....", "e30.e30.", "e30.e30.AA=", "é.é.é"]
)
def test_what_is_no_token_is_refused(text: str) -> None:
    request = REQUEST.with_header("authorization", f"Bearer {text}".encode())
    for attempt in (bound(HS256).check, bound(HS256).precheck):
        with pytest.raises(Rejected):
            attempt(request, NOW)


def test_an_algorithm_or_key_that_cannot_be_meant_is_a_configuration_error() -> None:
    for name in ("none", "HS1", ""):
        with pytest.raises(ConfigurationError, match="not a JWT algorithm"):
            bound(Jwt(algorithm=name))
    with pytest.raises(ConfigurationError, match="no key for this algorithm"):
        bound(Jwt(algorithm="ES256"))
    with pytest.raises(ConfigurationError, match="no key"):
        bound(HS256, Secret(b'{"kty":"EC"}'))


def test_without_its_libraries_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import jwt.algorithms

    with monkeypatch.context() as patch:
        patch.setattr(jwt.algorithms, "get_default_algorithms", dict)
        with pytest.raises(MissingExtra, match="cryptography"):
            bound(Jwt(algorithm="ES256"))
    monkeypatch.setitem(sys.modules, "jwt.algorithms", None)
    with pytest.raises(MissingExtra, match="PyJWT"):
        bound(HS256)


# --- itsdangerous


def test_a_signed_text_is_its_value_time_and_signature() -> None:
    scheme = SignedText()
    assert round_trip(scheme) == Match(0, NOW)
    request = scheme.sign(REQUEST, OTHER, NOW)
    assert bound(scheme, SECRET, OTHER).check(request, NOW).key == 1
    for body, reason in {
        b"": "missing_signature",
        b"nodots": "missing_signature",
        request.body[:-1]: "bad_signature",
        request.body + b"=": "bad_signature",
        b"x" + request.body: "bad_signature",
    }.items():
        with pytest.raises(Rejected, match=reason):
            bound(scheme, OTHER).check(request.replace(body=body), NOW)


@pytest.mark.parametrize("when", [b"", b"!!", b"_" * 40])
def test_a_signed_time_that_cannot_be_read_is_malformed(when: bytes) -> None:
    import itsdangerous

    signer = itsdangerous.Signer(SECRET.reveal(), key_derivation="hmac", digest_method=hashlib.sha256)
    with pytest.raises(Rejected, match="_timestamp"):
        bound(SignedText()).check(REQUEST.replace(body=signer.sign(b"value." + when)), NOW)
    with pytest.raises(Rejected, match="malformed_timestamp"):
        bound(SignedText()).check(REQUEST.replace(body=signer.sign(b"value")), NOW)


def test_alternatives_are_written_to_the_first() -> None:
    scheme = Signed(algorithm=Hmac(), signature=FirstOf((Header("x-new"), Header("x-old"))))
    request = scheme.sign(REQUEST, SECRET, NOW)
    moved = REQUEST.with_header("x-old", request.header(b"x-new") or b"")
    assert bound(scheme).check(moved, NOW) == bound(scheme).check(request, NOW) == Match(0)


def test_a_signed_text_is_fresh_or_refused() -> None:
    scheme = SignedText()
    for off, reason in ((-301, "stale_timestamp"), (301, "future_timestamp")):
        with pytest.raises(Rejected, match=reason):
            bound(scheme).check(scheme.sign(REQUEST, SECRET, NOW + off), NOW)
    scheme.check_strength(SECRET)
    assert value_of(scheme.sign(REQUEST, SECRET, NOW).body) == REQUEST.body


def test_what_the_sender_makes_up_is_made_up_to_sign() -> None:
    scheme = Signed(algorithm=Hmac(), signature=Header("x-sig"), message=(Nonce(Header("x-nonce")), BODY))
    assert scheme.sign(REQUEST, SECRET, NOW).header(b"x-nonce")
    assert round_trip(scheme) == Match(0)


# --- what depends on the secret


def labelled(secret: Secret) -> tuple[Signed, Secret]:
    label, mark, key = secret.reveal().partition(b":")
    if not mark:
        raise ConfigurationError("write `label:key`")
    return Signed(algorithm=Hmac(), signature=Header("x-sig"), message=(label, b"|", BODY)), Secret(key)


def test_something_beside_the_key_may_be_signed_along() -> None:
    made, request = Made(labelled), Request("POST", "", [], b"{}")
    one, two = Secret(b"one:a key that is long enough"), Secret(b"two:a key that is long enough")
    both = made.bind([one, two], None)
    for position, secret in enumerate([one, two]):
        signed = made.sign(request, secret, NOW)
        assert both.check(signed, NOW).key == position
        both.precheck(signed, NOW)
    with pytest.raises(Rejected, match="bad_signature"):
        made.bind([one], None).check(made.sign(request, two, NOW), NOW)


def test_a_secret_of_that_kind_is_checked_like_any_other() -> None:
    with pytest.raises(ConfigurationError, match="label:key"):
        Made(labelled).bind([Secret(b"a key without a label")], None)
    Made(labelled).check_strength(Secret(b"one:a key that is long enough"))
    with pytest.raises(ConfigurationError, match="at least"):
        Made(labelled).check_strength(Secret(b"a label that is long enough:short"))


def test_a_token_says_until_when_it_holds_if_it_shall() -> None:
    scheme = Jwt(algorithm="HS256", lifetime=180.0)
    made = scheme.sign(REQUEST, SECRET, NOW)
    assert bound(scheme).check(made, NOW + 180).signed_at == NOW
    with pytest.raises(Rejected, match="the token has expired"):
        scheme.bind((SECRET,), 600).check(made, NOW + 300)


def test_a_certificate_stands_for_its_public_key() -> None:
    private = load_pem_private_key(rsa_pem(0).encode(), None)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sender.example.com")])
    begins = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder(name, name, private.public_key(), 7, begins, begins + timedelta(days=1))
        .sign(private, hashes.SHA256())  # type: ignore[arg-type]
        .public_bytes(Encoding.PEM)
    )
    scheme = Signed(algorithm=Rsa(), signature=Header("x-sig"), encoding=BASE64, key=keys.PublicKey())
    made = scheme.sign(REQUEST, Secret(rsa_pem(0).encode()), NOW)
    assert bound(scheme, Secret(certificate)).check(made, NOW).key == 0
    with pytest.raises(ConfigurationError, match="a certificate"):
        bound(scheme, Secret(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"))
