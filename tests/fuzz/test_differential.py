"""We accept what the senders' libraries accept, but for the differences of docs/stricter.md, each with its reason."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.differential import compare, explained
from fuzz.honest import BUILDERS, Case, case
from fuzz.libraries import LIBRARIES, Verdict, standing
from fuzz.stricter import DIFFERENCES
from hookcatch.core.wire import Request
from support.senders import NOW, URL, secret, signed

PAGE = Path(__file__).parents[2] / "docs/stricter.md"
NAMES = [difference.name for difference in DIFFERENCES]
BODY, STAMP = b'{"id":"evt_1"}', str(int(NOW))
FULL_WIDTH = "".join(chr(0xFF10 + int(digit)) for digit in STAMP)
FORM = ("content-type", "application/x-www-form-urlencoded")


def hex_of(key: str, message: bytes, digest: str = "sha256") -> str:
    return hmac.digest(key.encode(), message, digest).hex()


def stripe(
    stamp: str = STAMP, *, header: str = "t={t},v1={s}", body: bytes = BODY, key: str = "", spoken: str = ""
) -> Case:
    key = key or secret("stripe")
    made = hex_of(key, (spoken or stamp).encode() + b"." + body)
    return Case("stripe", key, post(("stripe-signature", header.format(t=stamp, s=made)), body=body))


def standard(
    stamp: str = STAMP, *, header: str = "v1,{s}", body: bytes = BODY, key: str = "", id: str = "evt_1",
    spoken: str = "",
) -> Case:  # fmt: skip
    key = key or secret("standard_webhooks")
    raw = base64.b64decode(key.removeprefix("whsec_") + "==")
    made = base64.b64encode(hmac.digest(raw, f"{id}.{spoken or stamp}.".encode() + body, "sha256")).decode()
    text = header.format(s=made, bare=made.rstrip("="), broken=f"{made[:5]}!{made[5:]}")
    parts = (("webhook-id", id), ("webhook-timestamp", stamp), ("webhook-signature", text))
    return Case("standard_webhooks", key, post(*parts, body=body))


def slack(stamp: str = STAMP, *, body: bytes = BODY) -> Case:
    made = hex_of(secret("slack"), f"v0:{stamp}:".encode() + body)
    pairs = (("x-slack-signature", f"v0={made}"), ("x-slack-request-timestamp", stamp))
    return Case("slack", secret("slack"), post(*pairs, body=body))


def github(*, key: str = "", digest: str = "sha256") -> Case:
    key = key or secret("github")
    signature = ("x-hub-signature-256", f"{digest}={hex_of(key, BODY, digest)}")
    return Case("github", key, post(signature, body=BODY))


def twilio(form: bytes, message: str, *, key: str | None = None, url: str = URL) -> Case:
    key = secret("twilio") if key is None else key
    made = base64.b64encode(hmac.digest(key.encode(), (url + message).encode(), "sha1")).decode()
    kind = FORM if form else ("content-type", "application/json")
    return Case("twilio", key, post(kind, ("x-twilio-signature", made), body=form, url=url))


def twilio_bytes() -> Case:
    body = b"\xff"
    url = f"{URL}&bodySHA256={hashlib.sha256(body).hexdigest()}"
    made = twilio(b"", "", url=url)
    return Case("twilio", made.secret, made.request.replace(body=body))


def post(*pairs: tuple[str, str], body: bytes, url: str = URL) -> Request:
    return Request("POST", url, [(name, value.encode()) for name, value in pairs], body)


def twice(name: str, header: str, value: bytes) -> Case:
    request = signed(name)
    return Case(name, secret(name), request.replace(headers=[*request.headers, (header, value)]))


EXAMPLES: dict[str, list[Case]] = {
    "a secret that can be guessed": [
        github(key="abc"), stripe(key="abc"), standard(key="whsec_QQ"), twilio(b"A=1", "A1", key=""),
    ],
    "a secret with white space around it": [stripe(key=secret("stripe") + "\n"), github(key=" " + secret("github"))],
    "a secret that is not quite base64": [standard(key=secret("standard_webhooks") + "-_!")],
    "a header that came twice": [twice("stripe", "stripe-signature", b"v1=00")],
    "a header spelt with underscores": [
        twice("stripe", "stripe_signature", b"t=1"), twice("svix", "svix_id", b"evt_2"),
    ],
    "a header of more than 8 KiB": [stripe(header="t={t},v1={s},v0=" + "0" * 9000)],
    "more than 16 signatures": [
        stripe(header="t={t},v1={s}" + ",v1=00" * 16), standard(header="v1,{s}" + " v1,AAAA" * 16),
    ],
    "spaces in the list": [stripe(header="t={t},v1={s}, v0=00"), stripe(header="t= {t},v1={s}")],
    "two times in one list": [stripe(header="t={t},v1={s},t=1")],
    "more behind the signature": [stripe(header="t={t},v1={s}=00")],
    "a signature that is not quite base64": [standard(header="v1,{broken}"), standard(header="v1,{s}=")],
    "SHA-1 where SHA-256 is configured": [github(digest="sha1")],
    "a time spelt in another way": [
        stripe(FULL_WIDTH, spoken=STAMP), stripe("1_700_000_000", spoken=STAMP), slack(f"+{STAMP}"),
        standard(f"{STAMP}.0", spoken=STAMP), standard(f" {STAMP}", spoken=STAMP),
    ],
    "a time with zeros before it, signed without": [stripe(f"0{STAMP}", spoken=STAMP)],
    "a time in the future": [stripe(str(int(NOW) + 315_360_000))],
    "an id with a dot or more": [standard(id="evt.1"), standard(id="x" * 256)],
    "a parameter cut out of two": [twilio(b"Body=hell&oFrom=%2B1", "BodyhelloFrom+1"), twilio(b"=x", "x")],
    "a hash of the body left empty": [twilio(b"", "", url=f"{URL}&bodySHA256=")],
    "a form that is none": [twilio(b"A=1&flag", "A1flag"), twilio(b"A=%FF", "A\ufffd")],
    "a body that is not text": [
        stripe(body=b"\xff"), standard(body=b"\xff"), slack(body=b"\xff"), twilio_bytes(),
    ],
    "not ASCII beside a good signature": [stripe(header="t={t},v1=é,v1={s}"), standard(header="v1,é v1,{s}")],
    "a broken entry beside a good one": [
        stripe(header="t={t},v1,v1={s}"), standard(header=" v1,{s}"), standard(header="v1 v1,{s}"),
        standard(header="v1,a,b v1,{s}"), standard(header="v1,A v1,{s}"),
    ],
    "a time with zeros before it, signed with them": [stripe(f"0{STAMP}"), standard(f"0{STAMP}")],
}  # fmt: skip
"""At least one request for each difference."""


@pytest.mark.parametrize(
    ("name", "one"),
    [(name, one) for name, cases in EXAMPLES.items() for one in cases],
    ids=lambda value: getattr(value, "name", value),
)
def test_each_difference_is_there_and_recognised_by_its_name(name: str, one: Case) -> None:
    with standing():
        mine, their, difference = explained(one)
    assert mine.accepted != their.accepted
    assert difference is not None
    assert difference.name == name


@pytest.mark.parametrize("name", sorted(LIBRARIES))
def test_what_is_honest_passes_both(name: str) -> None:
    with standing():
        mine, their, _ = explained(Case(name, secret(name), signed(name)))
    assert mine.accepted
    assert their.accepted


def test_every_difference_has_an_example_and_a_row_in_the_documentation() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert sorted(EXAMPLES) == sorted(NAMES)
    documented = re.findall(r"^\| \*\*(.+?)\*\* \|", PAGE.read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(NAMES)


@settings(max_examples=800, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(sorted(BUILDERS)), st.randoms(use_true_random=False))
def test_no_request_is_judged_otherwise_than_by_the_library_without_a_reason(
    name: str, random: Random
) -> None:
    with standing():
        explained(case(name, random))


@pytest.fixture(scope="module")
def seen() -> Counter[str]:
    """What came of 25,000 more."""
    return compare(25_000, seed=20261125)


def test_most_differences_and_much_agreement_are_met_at_random_too(seen: Counter[str]) -> None:
    assert len(set(NAMES) & set(seen)) > 20
    assert seen["accepted by both"] > 5_000
    assert seen["refused by both"] > 5_000


def test_the_documentation_lists_the_errors_that_are_none_of_the_libraries_own(seen: Counter[str]) -> None:
    raised = {name.removeprefix("raised ") for name in seen if name.startswith("raised ")}
    errors = PAGE.read_text().partition("## Errors")[2]
    assert set(re.findall(r"^\* `(.+?)`", errors, re.MULTILINE)) == raised
    words = {3: "Three", 4: "Four", 5: "Five", 6: "Six"}
    assert f"{words[len(raised)]} kinds" in errors


def test_a_difference_without_a_reason_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz.differential.DIFFERENCES", ())
    with standing(), pytest.raises(AssertionError, match="nothing explains it"):
        explained(EXAMPLES["a time in the future"][0])


def test_what_a_sender_did_not_sign_is_never_explained_by_what_a_library_stumbles_over() -> None:
    honest = stripe(body=b"\xff")
    forged = Case("stripe", honest.secret, honest.request.replace(body=b"\xfe"))
    [stumbles] = [one for one in DIFFERENCES if one.name == "a body that is not text"]
    assert stumbles.explains(honest, Verdict(True))
    assert not stumbles.explains(forged, Verdict(True))
