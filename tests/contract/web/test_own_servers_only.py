"""What frameworks have that are their own servers: a start and an end, and a connection that lasts as they like."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

import hookcatch.tornado
from hookcatch import Hookcatch
from hookcatch.tornado import running
from support.edges import post, wait_until
from support.frameworks import SocketCaller, in_aiohttp, in_sanic, in_tornado
from support.senders import whsec
from support.world import Clock


@pytest.fixture
def working() -> Hookcatch:
    made = Hookcatch("memory:", clock=Clock())
    made.source("shop", "standard_webhooks", whsec(0))
    return made


def handled(hooks: Hookcatch) -> list[str]:
    ran: list[str] = []

    @hooks.on("order.*")
    def fulfil(order: dict[str, Any]) -> None:
        ran.append(order["id"])

    return ran


@pytest.mark.parametrize("make", [in_aiohttp, in_sanic])
def test_the_worker_starts_with_the_server_and_ends_with_it(
    working, make: Callable[[Hookcatch], SocketCaller]
):
    ran, caller = handled(working), make(working)
    runtime = working._runtime
    assert runtime is not None, "before any request"
    assert runtime.alive
    assert (
        post(caller, working.sources["shop"].sign("order.created", {"id": "o_1"}, id="msg_1")).status == 200
    )
    wait_until(lambda: ran == ["o_1"])
    caller.close()
    assert not runtime.alive


def test_around_a_server_of_tornado_the_worker_starts_and_ends_with_it(working):
    ran = handled(working)
    request = working.sources["shop"].sign("order.created", {"id": "o_1"}, id="msg_1")

    async def story() -> None:
        async with running(working):
            assert working._runtime is not None
            assert working._runtime.alive
            await caller._send(
                b"POST /hooks/shop HTTP/1.1\r\nhost: a\r\n" + lines, [request.body], is_short=False
            )
            while not ran:
                await asyncio.sleep(0.01)
        assert not working._runtime.alive

    caller = in_tornado(working)
    lines = b"".join(b"%b: %b\r\n" % pair for pair in request.headers)
    lines += b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(request.body)
    caller.loop.run_until_complete(story())
    assert ran == ["o_1"]
    caller.close()


@pytest.mark.parametrize("make", [in_aiohttp, in_sanic, in_tornado])
def test_a_client_that_still_sends_sees_the_answer_to_a_body_that_is_too_large(hooks, make):
    caller = make(hooks)
    signed = hooks.sources["shop"].sign("order.created", {}, id="msg_1")
    answer = post(caller, signed, headers=signed.headers, chunks=[b"x" * 65536] * 40)
    assert answer.status == 413
    caller.close()


@pytest.mark.parametrize("make", [in_aiohttp, in_sanic, in_tornado])
def test_a_header_whose_name_is_no_text_is_passed_over_or_refused(hooks, make):
    caller = make(hooks)
    signed = hooks.sources["shop"].sign("order.created", {}, id="msg_1")
    answer = post(caller, signed, headers=[*signed.headers, (b"x-\xe9", b"\xff")])
    assert answer.status == (200 if make is in_sanic else 400)
    caller.close()


def test_tornado_waits_no_longer_than_that_for_a_body_that_nobody_wants(hooks, monkeypatch):
    monkeypatch.setattr(hookcatch.tornado, "LINGER", 0.05)
    caller = in_tornado(hooks)

    async def story() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", caller.port)
        writer.write(b"POST /hooks/shop HTTP/1.1\r\nhost: a\r\ncontent-length: 2000000\r\n\r\nx")
        try:
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    assert b" 413 " in caller.loop.run_until_complete(story())
    caller.close()
