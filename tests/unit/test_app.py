"""What a user builds: sources, handlers, and everything that is checked before the first request."""

from __future__ import annotations

import os
import pickle
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hookcatch import (
    ConfigurationError,
    Event,
    Hookcatch,
    Rejected,
    Request,
    Retention,
    Router,
    Transaction,
)
from hookcatch.inbox.memory import MemoryInbox
from hookcatch.inbox.sqlite import SqliteInbox
from support.senders import ed25519, whsec
from support.world import NOW, Book, Clock


def app(**options: Any) -> Hookcatch:
    hooks = Hookcatch("memory:", clock=Clock(), **options)
    hooks.source("shop", "standard_webhooks", whsec(0))
    return hooks


# sources


def test_a_source_only_verifies_if_that_is_all_you_want():
    shop = app().sources["shop"]
    delivery = shop.verify(shop.sign("order.created", {"id": "1"}, id="msg_1"))
    assert (delivery.provider, delivery.key, delivery.signed_at) == ("standard_webhooks", 0, NOW)
    (event,) = delivery.events
    assert (event.id, event.type, event.payload["data"]) == ("msg_1", "order.created", {"id": "1"})
    with pytest.raises(Rejected, match="missing_signature"):
        shop.verify(Request("POST", "", [], b"{}"))


def test_while_secrets_are_rotated_either_verifies_and_the_first_signs():
    hooks, old, new = app(), app(), app()
    rotated = hooks.source("rotated", "standard_webhooks", [whsec(1), whsec(2)])
    first = new.source("rotated", "standard_webhooks", whsec(1))
    second = old.source("rotated", "standard_webhooks", whsec(2))
    assert rotated.verify(first.sign("t", {}, id="1")).key == 0
    assert rotated.verify(second.sign("t", {}, id="1")).key == 1
    assert first.verify(rotated.sign("t", {}, id="1")).key == 0


def test_where_only_the_public_key_is_known_a_private_one_signs():
    hooks, pair = app(), ed25519(1)
    source = hooks.source("discord", secret=pair[32:].hex())
    request = source.sign("1", {"name": "ping"}, id="1", key=pair.hex())
    assert source.verify(request).provider == "discord"
    with pytest.raises(ConfigurationError):
        source.sign("1", {}, id="1")


def test_what_is_unsigned_can_be_tried_out_too():
    source = app().source("anybody", unsigned=True)
    assert source.verify(source.sign("t", {"id": "1"}, id="1")).events


def test_two_accounts_are_two_sources():
    hooks = app()
    with pytest.raises(ConfigurationError, match="a source 'shop' already; two accounts are two sources"):
        hooks.source("shop", "standard_webhooks", whsec(1))
    with pytest.raises(ConfigurationError, match="source 'other': /shop is the path of another source"):
        hooks.source("other", "standard_webhooks", whsec(1), path="shop/")
    assert hooks.source("other", "standard_webhooks", whsec(1)).endpoint.path == "/other"
    assert list(hooks.sources) == ["shop", "other"]


def test_the_sources_cannot_be_changed_from_outside():
    hooks = app()
    hooks.sources.clear()
    assert list(hooks.sources) == ["shop"]


@pytest.mark.parametrize("path", ["/shop", "/shop/", "/shop//"])
def test_a_path_is_matched_with_or_without_a_slash_at_its_end(path: str):
    hooks = app()
    assert hooks.match(path) is hooks.sources["shop"].endpoint


@pytest.mark.parametrize("path", ["", "/", "shop", "/sho", "/shop/x", "/Shop"])
def test_any_other_path_is_not(path: str):
    assert app().match(path) is None


def test_the_window_of_dedupe_outlasts_every_senders_retries():
    hooks = Hookcatch("memory:", retention=Retention(key=3600.0))
    with pytest.raises(ConfigurationError, match="retries for 272105 s, but ids are kept for only 3600 s"):
        hooks.source("shop", "standard_webhooks", whsec(0))
    Hookcatch("memory:").source("shop", "standard_webhooks", whsec(0))


def test_the_window_of_dedupe_outlasts_the_tolerance_in_both_directions():
    hooks = Hookcatch("memory:", retention=Retention(key=3e5))
    with pytest.raises(ConfigurationError, match="could be replayed for 300002 s, but ids are kept for only"):
        hooks.source("shop", "standard_webhooks", whsec(0), tolerance=150_001)
    hooks.source("shop", "standard_webhooks", whsec(0), tolerance=150_000)


# handlers


def test_a_handler_may_be_registered_on_the_app_or_on_a_source():
    hooks = app()
    shop = hooks.sources["shop"]
    hooks.on("a", name="all")(lambda: None)
    shop.on("a", name="ours")(lambda: None)
    routes = hooks.build().routes
    assert [(one.name, one.source) for one in routes.handlers] == [("all", None), ("ours", "shop")]


def test_an_app_is_built_once():
    hooks = app()
    assert hooks.build() is hooks.build()


def test_after_the_start_nothing_more_can_be_registered():
    hooks = app()
    shop, late = hooks.sources["shop"], Router()
    keep = hooks.on("a")
    hooks.build()
    for register in (
        lambda: hooks.source("b", unsigned=True),
        lambda: hooks.on("a")(lambda: None),
        lambda: shop.on("a")(lambda: None),
        lambda: keep(lambda: None),
        lambda: hooks.fallback()(lambda: None),
        lambda: hooks.include(late),
    ):
        with pytest.raises(ConfigurationError, match="has started: register sources and handlers when"):
            register()


def test_a_handler_for_a_source_that_is_not_there_is_an_error():
    hooks = app()
    hooks.on("a", source="shpo", name="h")(lambda: None)
    with pytest.raises(ConfigurationError, match="handler h: there is no source 'shpo', only shop"):
        hooks.build()
    hooks = Hookcatch("memory:")
    hooks.on("a", source="shpo", name="h")(lambda: None)
    with pytest.raises(ConfigurationError, match="only none at all"):
        hooks.build()


def test_a_transaction_is_refused_where_the_inbox_has_none_and_building_opens_no_file(tmp_path: Path):
    def handler(tx: Transaction) -> None: ...

    hooks = app()
    hooks.on("a", name="h")(handler)
    with pytest.raises(ConfigurationError, match=r"handler h asks for a Transaction.*sqlite:///"):
        hooks.build()
    hooks = Hookcatch(f"sqlite:///{tmp_path}/shop.db")
    hooks.on("a")(handler)
    hooks.build()
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_with_a_handler_is_said_when_the_app_is_built():
    hooks = app()
    hooks.on("a", name="h")(lambda order: None)
    with pytest.raises(ConfigurationError, match="handler h: parameter 'order' has no annotation"):
        hooks.build()


def test_async_handlers_before_the_ack_are_refused_only_where_no_loop_runs():
    hooks = app()

    @hooks.on("a", name="h", reply=True)
    async def handler(event: Event) -> None: ...

    assert hooks.build().has_replies
    with pytest.raises(ConfigurationError, match=r"handler h is async .* before the ack of shop"):
        hooks.build(blocking=True)


# the inbox


def test_the_inbox_is_the_one_given_the_one_in_the_environment_or_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOOKCATCH_INBOX", raising=False)
    own = MemoryInbox(clock=Clock())
    assert Hookcatch(own).inbox() is own
    default = Hookcatch().inbox()
    assert isinstance(default, SqliteInbox)
    assert (tmp_path / "hookcatch.db").exists()
    default.close()
    monkeypatch.setenv("HOOKCATCH_INBOX", "memory:")
    assert isinstance(Hookcatch().inbox(), MemoryInbox)
    assert isinstance(Hookcatch("memory:").inbox(), MemoryInbox)


def test_the_inbox_is_opened_once():
    hooks = app()
    assert hooks.inbox() is hooks.inbox()


def test_a_url_that_names_no_inbox_is_an_error():
    with pytest.raises(ConfigurationError, match="no inbox is called"):
        Hookcatch("nosuch://").inbox()


# the runtime


def test_the_runtime_is_made_on_first_use_and_again_after_it_was_closed():
    hooks = app()
    first = hooks.runtime()
    assert hooks.runtime() is first
    first.close()
    second = hooks.runtime()
    assert second is not first
    second.close()


def test_threads_that_come_together_make_one_runtime(monkeypatch: pytest.MonkeyPatch):
    hooks, start, together, started = app(), Hookcatch._start, threading.Barrier(8), []

    def slowly(self: Hookcatch) -> Any:
        started.append(1)
        time.sleep(0.02)  # so that the others are at the door
        return start(self)

    def ask() -> Any:
        together.wait()
        return hooks.runtime()

    monkeypatch.setattr(Hookcatch, "_start", slowly)
    with ThreadPoolExecutor(8) as pool:
        runtimes = list(pool.map(lambda _: ask(), range(8)))
    assert started == [1]
    assert {id(one) for one in runtimes} == {id(hooks.runtime())}
    hooks.runtime().close()


def test_a_forks_child_makes_its_own_runtime():
    hooks = app()
    first = hooks.runtime()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # there are threads; that is the point
        child = os.fork()
    if child == 0:
        os._exit(0 if hooks.runtime() is not first else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert hooks.runtime() is first
    first.close()


def test_the_start_says_what_is_not_safe(caplog: pytest.LogCaptureFixture):
    hooks = app()
    hooks.source("anybody", unsigned=True)
    hooks.runtime().close()
    assert [record.getMessage() for record in caplog.records] == [
        "source anybody is unsigned: anybody can send events to it",
        "the inbox does not survive this process: events are lost with it, acknowledged or not",
    ]


def test_the_start_of_a_safe_app_says_nothing(caplog: pytest.LogCaptureFixture, tmp_path: Path):
    hooks = Hookcatch(f"sqlite:///{tmp_path}/shop.db?disk_floor=0")
    hooks.source("shop", "standard_webhooks", whsec(0))
    hooks.runtime().close()
    assert [record for record in caplog.records if "version" not in record.getMessage()] == []


def test_how_a_process_works_is_what_the_app_says():
    book, retention = Book(), Retention(payload=5.0, key=1e9)
    hooks = app(concurrency=3, worker=False, retention=retention, lease=7.0, observer=book)
    runtime = hooks.runtime()
    settings = runtime.settings
    assert (settings.concurrency, settings.worker, settings.retention, settings.lease) == (
        3,
        False,
        retention,
        7.0,
    )
    assert runtime.blocking().observer is book
    assert runtime.blocking().lease == 7.0
    runtime.close()


# secrets


def test_neither_the_app_nor_a_source_can_be_pickled_for_they_hold_secrets():
    hooks = app()
    for held in (hooks, hooks.sources["shop"], hooks.sources["shop"].endpoint):
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
            pickle.dumps(held)


def test_the_repr_of_a_source_shows_no_secret():
    assert whsec(0)[6:] not in repr(app().sources["shop"])
