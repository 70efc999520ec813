"""Whatever comes in, `verify` gives a delivery or raises Rejected, and forges nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookcatch.core.errors import REASONS, Rejected
from hookcatch.core.wire import Request
from hookcatch.providers import names, provider
from support.forgery import HONEST, PROOFS, PROVEN, VERIFIERS, is_forged
from support.senders import NOW, URL

KINDS = ["application/json", "application/x-www-form-urlencoded", "application/xml", "text/plain", "", "\xff"]
HEADERS = sorted({where.decode() for pairs in PROOFS.values() for where, _ in pairs})
values = st.binary(max_size=60) | st.text(max_size=30).map(lambda text: text.encode("utf-8", "surrogatepass"))
pairs = st.tuples(st.sampled_from([*HEADERS, "webhook-id", "x-github-event"]), values)
json_like = st.text('{}[]":,\\u0dtrueE+-9a1', max_size=60).map(str.encode)


def outcome(name: str, request: Request) -> None:
    verifier = VERIFIERS[name] if name in VERIFIERS else provider(name).bind(None)
    try:
        verifier.precheck(request.replace(body=b""), NOW)
        delivery = verifier.verify(request, NOW)
    except Rejected as refusal:
        assert refusal.status == REASONS[refusal.reason]  # noqa: PT017
    else:
        assert name == "unsigned" or not is_forged(name, request, delivery)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(names()),
    st.lists(pairs, max_size=6),
    st.binary(max_size=200) | json_like,
    st.sampled_from(KINDS),
    st.text(max_size=20) | st.just(URL),
)
def test_any_request_gets_a_delivery_or_a_rejection(
    name: str, headers: list[tuple[str, bytes]], body: bytes, kind: str, url: str
) -> None:
    outcome(name, Request("POST", url, [*headers, ("content-type", kind)], body))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PROVEN), st.data())
def test_a_request_with_some_bytes_exchanged_says_nothing_new(name: str, data: st.DataObject) -> None:
    request = HONEST[name]
    targets = [None, *(where for where, _ in PROOFS[name])]
    target = data.draw(st.sampled_from(targets))
    value = request.body if target is None else request.header(target) or b""
    start = data.draw(st.integers(0, len(value)))
    end = data.draw(st.integers(start, min(len(value), start + 6)))
    changed = value[:start] + data.draw(st.binary(max_size=6)) + value[end:]
    outcome(
        name,
        request.replace(body=changed) if target is None else request.with_header(target.decode(), changed),
    )


def test_coverage_guided_fuzzing_finds_nothing_in_a_few_thousand_runs() -> None:
    pytest.importorskip("atheris")
    harness = Path(__file__).with_name("fuzz_verify.py")
    ran = subprocess.run(
        [sys.executable, str(harness), "-runs=4000", "-seed=1"], capture_output=True, text=True, timeout=100
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "Done 4000 runs" in ran.stderr
