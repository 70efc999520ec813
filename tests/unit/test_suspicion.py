"""A refused delivery is looked into, seldom and away from its path, and the log says what was found."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hookcatch import Hookcatch, Request
from hookcatch.doctor import Diagnosis, Finding, Limits
from hookcatch.suspicion import EVERY, LIMITS, REASONS, REST, Suspicion
from support.edges import EDGES, DjangoAsyncCaller, DjangoCaller, Edge, post, wait_until
from support.senders import whsec
from support.world import Clock

GITHUB = "a secret of this very test, long enough"
ASKED = Request("POST", "", [])


def refused(name: str, reason: str = "bad_signature") -> Diagnosis:
    return Diagnosis(reason, (Finding(name, "something happened", "do something"),))


class Looks:
    """Writes down what is looked into, and waits in the middle if it is told to."""

    def __init__(self) -> None:
        self.at: list[str] = []
        self.limits: set[Limits] = set()
        self.go_on = threading.Event()
        self.go_on.set()
        self.takes: Callable[[], Any] = lambda: None

    def __call__(self, request: Request, source: str, tenant: str, limits: Limits) -> Diagnosis:
        self.at.append(source)
        self.limits.add(limits)
        self.go_on.wait()
        self.takes()
        return refused("body_eaten")


def idle(suspicion: Suspicion) -> None:
    wait_until(lambda: suspicion._thread is None)


# how often


def test_a_source_is_looked_at_once_a_minute():
    clock, looks = Clock(), Looks()
    suspicion = Suspicion(looks, clock)
    for moved in (0, 1, EVERY - 2, 1, 1):
        clock.now += moved
        suspicion.suspect(ASKED, "shop", "", "bad_signature")
        idle(suspicion)
    assert looks.at == ["shop", "shop"]
    assert looks.limits == {LIMITS}


def test_each_source_has_its_own_minute():
    clock, looks = Clock(), Looks()
    suspicion = Suspicion(looks, clock)
    for source in ("shop", "bank", "shop", "bank"):
        suspicion.suspect(ASKED, source, "", "bad_signature")
        idle(suspicion)
    assert looks.at == ["shop", "bank"]


def test_one_look_at_a_time_and_what_comes_meanwhile_is_dropped():
    looks = Looks()
    looks.go_on.clear()
    suspicion = Suspicion(looks, Clock())
    for number in range(1000):
        suspicion.suspect(ASKED, f"source {number}", "", "bad_signature")
    looks.go_on.set()
    idle(suspicion)
    assert looks.at == ["source 0"]


def test_a_look_that_took_long_is_followed_by_a_rest_of_all():
    clock, looks = Clock(), Looks()

    def three_seconds() -> None:
        clock.now += 3

    looks.takes = three_seconds
    suspicion = Suspicion(looks, clock)
    for moved in (0, REST * 3 - 1, 1):
        clock.now += moved
        suspicion.suspect(ASKED, f"source {moved}", "", "bad_signature")
        idle(suspicion)
    assert looks.at == ["source 0", "source 1"]


@pytest.mark.parametrize("reason", ["body_too_large", "method_not_allowed", "conflicting_body", "slow_body"])
def test_what_no_mistake_with_the_signature_explains_is_not_looked_into(reason: str):
    looks = Looks()
    Suspicion(looks).suspect(ASKED, "shop", "", reason)
    assert (looks.at, reason in REASONS) == ([], False)


# what can go wrong


def test_a_look_that_fails_is_told_and_not_the_last(caplog: pytest.LogCaptureFixture):
    clock, looks = Clock(), Looks()

    def break_down() -> None:
        raise ZeroDivisionError

    looks.takes = break_down
    suspicion = Suspicion(looks, clock)
    for _ in range(2):
        suspicion.suspect(ASKED, "shop", "", "bad_signature")
        idle(suspicion)
        clock.now += EVERY
    assert looks.at == ["shop", "shop"]
    assert caplog.text.count("cannot be found out") == 2


def test_without_a_thread_nothing_is_looked_into(monkeypatch: pytest.MonkeyPatch):
    def none_left(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    looks = Looks()
    suspicion = Suspicion(looks)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        suspicion.suspect(ASKED, "shop", "", "bad_signature")
    suspicion.close()
    assert looks.at == []


# closing


def test_closing_waits_for_the_look_under_way_and_begins_no_other():
    looks = Looks()
    looks.go_on.clear()
    suspicion = Suspicion(looks)
    suspicion.suspect(ASKED, "shop", "", "bad_signature")
    closing = threading.Thread(target=suspicion.close)
    closing.start()
    wait_until(lambda: suspicion._closed)
    suspicion.suspect(ASKED, "bank", "", "bad_signature")
    assert closing.is_alive()
    looks.go_on.set()
    closing.join()
    assert (looks.at, suspicion._thread) == (["shop"], None)


def test_closing_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("hookcatch.suspicion.CLOSING", 0.01)
    looks = Looks()
    looks.go_on.clear()
    suspicion = Suspicion(looks)
    suspicion.suspect(ASKED, "shop", "", "bad_signature")
    suspicion.close()
    looks.go_on.set()
    idle(suspicion)


# through every edge


def receiver() -> Hookcatch:
    hooks = Hookcatch("memory:?keep=10")
    hooks.source("shop", "standard_webhooks", whsec(0))
    hooks.source("code", "github", GITHUB)
    return hooks


@pytest.fixture(params=EDGES)
def edge(request: pytest.FixtureRequest) -> Iterator[Edge]:
    made = EDGES[request.param](receiver())
    yield made
    made.close()


def found(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if hasattr(record, "hookcatch_findings")]


def settled(edge: Edge) -> None:
    runtime = edge.hooks.runtime()
    assert runtime._suspicion is not None
    idle(runtime._suspicion)


def test_what_is_wrong_with_a_refused_delivery_is_in_the_log(edge: Edge, caplog: pytest.LogCaptureFixture):
    request = edge.hooks.sources["shop"].sign("order.created", {"email": "ann@example.com"}, id="msg_1")
    rewritten = request.with_body(json.dumps(json.loads(request.body), indent=3).encode())
    assert post(edge, rewritten).status == 401
    settled(edge)
    [record] = found(caplog)
    assert (record.levelno, record.threadName) == (logging.WARNING, "hookcatch-doctor")
    assert record.__dict__["hookcatch_findings"] == ["json_rewritten"]
    said = record.getMessage()
    assert said.startswith(
        "shop was refused, bad_signature: json_rewritten - the body was changed on its way"
    )
    assert "hand over the bytes as they came" in said
    assert "\n" not in said
    for hidden in ("ann@example.com", "webhook-signature", whsec(0), whsec(0).removeprefix("whsec_")):
        assert hidden not in said


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_body_that_was_read_before_is_known(edge: Edge, size: int, caplog: pytest.LogCaptureFixture):
    request = edge.hooks.sources["shop"].sign("order.created", {"text": "x" * size}, id="msg_1")
    assert post(edge, request, chunks=[b""]).status == 400
    settled(edge)
    [record] = found(caplog)
    assert record.__dict__["hookcatch_findings"] == ["body_eaten"]


def test_of_a_large_body_the_head_is_looked_at(edge: Edge, caplog: pytest.LogCaptureFixture):
    request = edge.hooks.sources["shop"].sign("order.created", {"text": "x" * 100_000}, id="msg_1")
    stripped = request.replace(headers=[pair for pair in request.headers if pair[0] != b"webhook-signature"])
    assert post(edge, stripped).status == 401
    settled(edge)
    [record] = found(caplog)
    assert record.__dict__["hookcatch_findings"] == ["header_missing"]


def test_a_flood_of_forgeries_is_looked_into_once(edge: Edge, caplog: pytest.LogCaptureFixture):
    forged = edge.hooks.sources["shop"].sign("order.created", {}, id="msg_1").with_body(b"{}")
    assert {post(edge, forged).status for _ in range(1000)} == {401}
    settled(edge)
    [record] = found(caplog)
    assert record.__dict__["hookcatch_findings"] == ["unexplained"]


def test_what_a_stranger_writes_cannot_forge_a_line(edge: Edge, caplog: pytest.LogCaptureFixture):
    signed = edge.hooks.sources["code"].sign("push", {}, id="1")
    strange = signed.with_body(b"\x1b[2J\n").with_header("x-\x1b[31mred", "a").with_header("host", "a\nb")
    status = post(edge, strange, f"{edge.prefix}/code").status
    settled(edge)
    if status == 400:  # Django's own answer to such a host
        assert isinstance(edge, DjangoCaller | DjangoAsyncCaller)
        return
    assert status == 401
    [record] = found(caplog)
    assert record.getMessage().isprintable()


def test_what_is_accepted_is_not_looked_into(edge: Edge, caplog: pytest.LogCaptureFixture):
    assert post(edge, edge.hooks.sources["shop"].sign("order.created", {}, id="msg_1")).status == 200
    settled(edge)
    assert found(caplog) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_looks_by_itself(caplog: pytest.LogCaptureFixture):
    hooks = receiver()
    looks = hooks.runtime()._suspicion
    child = os.fork()
    if not child:
        os._exit(0 if hooks.runtime()._suspicion is not looks else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    hooks.runtime().close()


def test_the_secrets_of_the_tenant_whom_the_path_names_are_looked_at(caplog: pytest.LogCaptureFixture):
    hooks = Hookcatch("memory:?keep=10", worker=False)
    shop = hooks.source("shop", "standard_webhooks", {"acme": whsec(0)}, path="/{tenant}")
    hooks.source("other", "standard_webhooks", whsec(1))
    edge = EDGES["asgi-app"](hooks)
    lost = hooks.sources["other"].sign("a", {}, id="1")
    assert post(edge, lost, path=shop.path("acme")).status == 401
    wait_until(lambda: "another_source" in caplog.text)
    edge.close()


def test_secrets_that_have_to_be_awaited_are_not_looked_at(caplog: pytest.LogCaptureFixture):
    async def look_up(tenant: str) -> str:
        return whsec(0)

    caplog.set_level(logging.DEBUG, "hookcatch")
    hooks = Hookcatch("memory:?keep=10", worker=False)
    shop = hooks.source("shop", "standard_webhooks", look_up, path="/{tenant}")
    edge = EDGES["asgi-app"](hooks)
    assert post(edge, Request("POST", "", [], b"{}"), path=shop.path("acme")).status == 401
    wait_until(lambda: "is not looked into" in caplog.text)
    assert "Traceback" not in caplog.text
    edge.close()
