"""Every mistake is named: a signed request is broken in one way, and the doctor says in which."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookcatch import ConfigurationError, Hookcatch, diagnose
from hookcatch.core.keyring import Pinned
from hookcatch.core.wire import Request
from hookcatch.doctor import Diagnosis, Limits
from hookcatch.doctor.places import headers_of
from hookcatch.providers import names, provider
from support.senders import NOW, URL, secret, signed, text
from support.tls import certificate, pem_of, private_key

Change = Callable[[Request], Request]


@dataclass(frozen=True)
class Case:
    """A request of a sender, broken by `change`, and what the doctor calls that."""

    name: str
    finding: str
    change: Change = lambda request: request
    secret: str = ""
    made_with: str = ""
    """The secret that the sender signs with, if that is another than the one configured."""

    now: float = NOW
    says: str = ""
    others: dict[str, str] = field(default_factory=dict)


def header(name: str, change: Callable[[bytes], bytes]) -> Change:
    return lambda request: request.with_header(name, change(request.header(name.encode()) or b""))


def renamed(old: str, new: str) -> Change:
    return lambda request: request.replace(
        headers=[(new if name == old.encode() else name, value) for name, value in request.headers]
    )


def without(old: str) -> Change:
    return lambda request: request.replace(headers=[one for one in request.headers if one[0] != old.encode()])


def body(change: Callable[[bytes], bytes]) -> Change:
    return lambda request: request.with_body(change(request.body))


def written(text: bytes, became: bytes) -> Change:
    """The sender wrote this, and that arrived."""

    def change(request: Request) -> Request:
        return (
            provider("github")
            .sign(request.with_body(text), secret=secret("github"), now=NOW)
            .with_body(became)
        )

    return change


def promising(request: Request, length: int) -> Request:
    return request.with_header("content-length", str(length)).with_body(request.body[:-3])


def url(change: Callable[[str], str]) -> Change:
    return lambda request: request.replace(url=change(request.url))


def in_base64(value: bytes) -> bytes:
    prefix, mark, hexadecimal = value.rpartition(b"=")
    return prefix + mark + base64.b64encode(bytes.fromhex(hexadecimal.decode()))


def in_hex(value: bytes) -> bytes:
    return base64.b64decode(value).hex().encode()


STANDARD = "whsec_" + base64.b64encode(b"a canary of a secret, of 32 bytes").decode()
PLAIN = "a canary of a secret, of 32 bytes"

CASES = [
    # the secret
    Case("stripe", "another_source", secret=text(1), others={"live": text(0)}, says="'live'"),
    Case("stripe", "secret_padded", secret=f'"{text(0)}"'),
    Case("shopify", "secret_padded", secret=text(0), made_with=text(0) + "\n"),
    Case("github", "secret_prefix", secret="base64:" + text(0), says="without base64:"),
    Case("stripe", "secret_prefix", secret=text(0), made_with="whsec_" + text(0)),
    Case("github", "secret_is_base64", secret=base64.b64encode(PLAIN.encode()).decode(), made_with=PLAIN),
    Case("github", "secret_is_hex", secret=PLAIN.encode().hex(), made_with=PLAIN),
    Case("typeform", "secret_not_base64", secret=PLAIN, made_with=base64.b64encode(PLAIN.encode()).decode()),
    Case("typeform", "secret_not_hex", secret=PLAIN, made_with=PLAIN.encode().hex()),
    Case(
        "standard_webhooks",
        "secret_not_base64",
        secret=base64.b64encode(PLAIN.encode()).decode(),
        made_with="whsec_" + base64.b64encode(base64.b64encode(PLAIN.encode())).decode(),
    ),
    # the body
    Case("github", "body_eaten", body(lambda _: b"")),
    Case("github", "body_truncated", lambda one: promising(one, 100_000), says="cut off"),
    Case("github", "body_truncated", lambda one: promising(one, 3), says="changed"),
    Case(
        "github", "body_compressed", lambda one: one.with_header("content-encoding", "gzip").with_body(b"x")
    ),
    Case("github", "json_rewritten", body(lambda one: json.dumps(json.loads(one)).encode())),
    Case("github", "json_rewritten", body(lambda one: json.dumps(json.loads(one), indent=2).encode())),
    Case("github", "newline_added", body(lambda one: one + b"\n")),
    Case("github", "newline_added", body(lambda one: one + b"\r\n")),
    Case("github", "newline_removed", written(b"{}\n", b"{}")),
    Case("github", "newline_removed", written(b"{}\r\n", b"{}")),
    Case("github", "newline_changed", written(b'{\n"a": 1\n}', b'{\r\n"a": 1\r\n}')),
    Case("github", "newline_changed", written(b'{\r\n"a": 1}', b'{\n"a": 1}')),
    Case("github", "charset_changed", body(lambda one: b"\xef\xbb\xbf" + one)),
    Case("github", "charset_changed", body(lambda one: one.decode("utf-8").encode("latin-1"))),
    Case("github", "charset_changed", body(lambda one: one.decode("latin-1").encode("utf-8"))),
    Case("github", "whitespace_changed", body(lambda one: b"  " + one + b" ")),
    Case(
        "twilio",
        "form_rewritten",
        body(lambda one: urlencode(sorted(parse_qsl(one.decode()), reverse=True)).encode() + b"&"),
    ),
    # the URL
    Case("square", "another_url", url(lambda one: one.replace("https", "http")), says='public_url="https://'),
    Case("square", "another_url", url(lambda one: one.replace("/in", "/in/"))),
    Case("square", "another_url", url(lambda one: one.replace(".com", ".com:8443"))),
    Case("hubspot_v3", "another_url", url(lambda one: one.replace("hooks.example.com", "127.0.0.1:8000"))),
    # headers
    Case("github", "header_renamed", renamed("x-hub-signature-256", "x_hub_signature_256")),
    Case("github", "header_renamed", renamed("x-hub-signature-256", "http_x_hub_signature_256")),
    Case("github", "header_missing", without("x-hub-signature-256"), says="x-hub-signature-256"),
    Case("github", "header_doubled", lambda one: one.with_header("x_hub_signature_256", "sha256=0")),
    Case(
        "github",
        "header_doubled",
        lambda one: one.replace(headers=[*one.headers, ("x-hub-signature-256", "sha256=0")]),
    ),
    Case("slack", "signature_prefix", header("x-slack-signature", lambda one: one.removeprefix(b"v0="))),
    Case("github", "signature_prefix", header("x-hub-signature-256", lambda one: b"hmac:" + one[7:])),
    Case("github", "signature_encoding", header("x-hub-signature-256", in_base64)),
    Case("shopify", "signature_encoding", header("x-shopify-hmac-sha256", in_hex)),
    Case("github", "signature_padded", header("x-hub-signature-256", lambda one: b' "' + one + b'"')),
    # the time
    Case("stripe", "too_old", now=NOW + 4000, says="4000 s old"),
    Case("stripe", "clock_behind", now=NOW - 4000, says="4000 s in our future"),
    Case("slack", "time_unit", header("x-slack-request-timestamp", lambda one: one + b"000")),
    Case("webflow", "time_unit", header("x-webflow-timestamp", lambda one: one[:10])),
]


def diagnosed(case: Case) -> Diagnosis:
    row = provider(case.name)
    request = signed(case.name)
    made_with = case.made_with or secret(case.name)
    request = case.change(row.sign(request, secret=made_with.encode(), now=NOW))
    others = {name: (row, [known]) for name, known in case.others.items()}
    return diagnose(request, row, case.secret or secret(case.name), now=case.now, others=others)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.finding}-{case.name}")
def test_a_mistake_is_named(case: Case) -> None:
    diagnosis = diagnosed(case)
    assert not diagnosis.ok
    first = diagnosis.findings[0]
    assert first.name == case.finding
    assert case.says in f"{first.what}; {first.remedy}"
    assert first.remedy


@pytest.mark.parametrize(
    ("sent", "configured", "finding"),
    [
        ("stripe", "github", "wrong_provider"),
        ("svix", "standard_webhooks", "wrong_provider"),
        ("hubspot_v2", "hubspot_v1", "another_scheme"),
        ("cloudinary_sha256", "cloudinary", "another_scheme"),
    ],
)
def test_the_request_of_another_sender_or_of_another_version_is_known(
    sent: str, configured: str, finding: str
) -> None:
    diagnosis = diagnose(signed(sent), provider(configured), secret(configured), now=NOW)
    names = [one.name for one in diagnosis.findings]
    assert finding in names
    [found] = [one for one in diagnosis.findings if one.name == finding]
    assert sent in f"{found.what} {found.remedy}" or "standard_webhooks" in found.what


def test_what_is_right_needs_no_doctor() -> None:
    assert diagnose(signed("stripe"), provider("stripe"), secret("stripe"), now=NOW) == Diagnosis("", ())


@pytest.mark.parametrize("name", [name for name in names() if name != "unsigned"])
def test_a_forgery_is_explained_by_nothing(name: str) -> None:
    diagnosis = diagnose(signed(name, 1), provider(name), secret(name), now=NOW)
    assert [one.name for one in diagnosis.findings] == ["unexplained"]
    assert diagnosis.refusal


@pytest.mark.parametrize("name", [name for name in names() if name != "unsigned"])
def test_no_secret_is_ever_told(name: str) -> None:
    known = secret(name)
    others = {"other": (provider(name), [secret(name, 1)])}
    said = str(diagnose(signed(name, 1), provider(name), known, now=NOW, others=others))
    for shown in (known, secret(name, 1)):
        assert shown not in said
        assert shown.partition("\n")[2][:60] not in said or "\n" not in shown


def test_a_large_body_is_not_written_in_thirty_ways() -> None:
    request = signed("github").with_body(json.dumps({"a": "x" * Limits().body}).encode())
    assert [
        one.name for one in diagnose(request, provider("github"), secret("github"), now=NOW).findings
    ] == ["unexplained"]


@pytest.mark.parametrize("limits", [Limits(trials=3), Limits(hashed=1000)], ids=["trials", "hashed"])
def test_only_so_much_is_tried(limits: Limits) -> None:
    rewritten = signed("github").with_body(json.dumps(json.loads(signed("github").body), indent=2).encode())
    row, known = provider("github"), secret("github")
    assert [one.name for one in diagnose(rewritten, row, known, now=NOW).findings] == ["json_rewritten"]
    [found] = diagnose(rewritten, row, known, now=NOW, limits=limits).findings
    assert found.name == "unexplained"


def test_an_old_forgery_is_a_forgery() -> None:
    request = signed("stripe").with_body(b"{}")
    [found] = diagnose(request, provider("stripe"), secret("stripe"), now=NOW + 5000).findings
    assert found.name == "unexplained"


def test_an_old_delivery_whose_body_was_changed_is_explained_by_the_change() -> None:
    request = signed("stripe").with_body(signed("stripe").body + b"\n")
    [found] = diagnose(request, provider("stripe"), secret("stripe"), now=NOW + 5000).findings
    assert found.name == "newline_added"


def test_what_is_refused_although_its_signature_is_right_is_not_explained_by_what_changes_nothing() -> None:
    request = signed("stripe").with_header("x-request-start", "1700000000")
    [found] = diagnose(request, provider("stripe"), secret("stripe"), now=NOW + 5000).findings
    assert found.name == "too_old"
    no_event = provider("github").sign(request.with_body(b"[1"), secret=secret("github"), now=NOW)
    diagnosis = diagnose(no_event, provider("github"), secret("github"), now=NOW)
    assert diagnosis.refusal.startswith("malformed_body")
    assert [one.name for one in diagnosis.findings] == ["signature_right"]


def test_published_keys_that_are_known_are_used_and_none_is_fetched() -> None:
    url, pem = (
        "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-1.pem",
        pem_of(private_key(0)),
    )
    row, topic = provider("aws_sns"), "arn:aws:sns:eu-central-1:123456789012:orders"
    said = {"Type": "Notification", "MessageId": "m1", "Message": "hi", "SigningCertURL": url}
    request = row.sign(Request("POST", "", [], json.dumps(said)), secret=f"{topic}\n{pem}", now=NOW)
    known = Pinned({url: certificate("sns.amazonaws.com", private_key(0))})
    assert diagnose(request, row, topic, now=NOW, published=known).ok
    assert diagnose(request, row, topic, now=NOW).refusal.startswith("unknown_key")
    forged = request.with_body(request.body.replace(b"hi", b"ho"))
    [found] = diagnose(forged, row, topic, now=NOW, published=known).findings
    assert found.name == "unexplained"


def test_a_secret_that_cannot_be_used_is_said_at_once() -> None:
    with pytest.raises(ConfigurationError, match="base64"):
        diagnose(signed("standard_webhooks"), provider("standard_webhooks"), "whsec_!", now=NOW)


def test_a_source_knows_the_secrets_of_the_others() -> None:
    hooks = Hookcatch("memory:?keep=1", clock=lambda: NOW)
    hooks.source("live", "stripe", secret=[text(2), text(0)])
    test = hooks.source("test", "stripe", secret=text(1))
    hooks.source("anybody", "unsigned", unsigned=True)
    [found] = test.diagnose(signed("stripe")).findings
    assert (found.name, "'live'" in found.what) == ("another_source", True)
    assert hooks.sources["live"].diagnose(signed("stripe")).ok
    assert hooks.sources["anybody"].diagnose(signed("stripe")).ok


def test_the_headers_of_a_row_are_found_in_its_scheme() -> None:
    assert headers_of(provider("slack").scheme) == {"x-slack-signature", "x-slack-request-timestamp"}
    assert headers_of(provider("basic_auth").scheme) == {"authorization"}
    assert headers_of(provider("svix").scheme) >= {"svix-signature", "webhook-signature", "svix-id"}
    assert "x-docusign-signature-1" in headers_of(provider("docusign").scheme)
    assert headers_of(provider("mailgun").scheme) == frozenset()


@settings(deadline=None)
@given(
    name=st.sampled_from([name for name in names() if name != "unsigned"]),
    headers=st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "x-hub-signature-256",
                    "stripe-signature",
                    "authorization",
                    "content-length",
                    "x-slack-signature",
                ]
            ),
            st.binary(max_size=80),
        )
    ),
    content=st.binary(max_size=60),
    address=st.sampled_from([URL, "", "https://[x", "?a=1"]),
)
def test_nothing_that_can_be_sent_makes_the_doctor_stumble(
    name: str, headers: list[tuple[str, bytes]], content: bytes, address: str
) -> None:
    request = Request("POST", address, headers, content)
    assert not diagnose(request, provider(name), secret(name), now=NOW).ok
