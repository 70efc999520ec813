"""What only Flask has: configuration, factories, an app context, hooks before the view, and a command line."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from flask_wtf.csrf import CSRFProtect
from pydantic import BaseModel

from hookcatch import ConfigurationError, Event, Hookcatch, Request
from hookcatch.core.ports import Query
from hookcatch.flask import Webhooks, mount
from support.edges import wait_until
from support.senders import whsec


@pytest.fixture(autouse=True)
def _level() -> Iterator[None]:
    """The commands set it for their whole process, which is the tests' here."""
    logger = logging.getLogger("hookcatch")
    before = logger.level
    yield
    logger.setLevel(before)


@pytest.fixture
def make() -> Iterator[Callable[..., flask.Flask]]:
    """An app with its webhooks; what they have started ends with the test."""
    made: list[flask.Flask] = []

    def build(webhooks: Webhooks, **config: Any) -> flask.Flask:
        app = flask.Flask(__name__)
        app.config.update({"HOOKCATCH_INBOX": "memory:?keep=100", "HOOKCATCH_WORKER": False, **config})
        webhooks.init_app(app)
        made.append(app)
        return app

    yield build
    for app in made:
        hooks_of(app).runtime().close()


@pytest.fixture
def webhooks() -> Webhooks:
    made = Webhooks()
    made.source("shop", "standard_webhooks", whsec(0))
    return made


def hooks_of(app: flask.Flask) -> Hookcatch:
    made = app.extensions["hookcatch"]
    assert isinstance(made, Hookcatch)
    return made


def letter(app: flask.Flask, id: str = "msg_1") -> Request:
    return hooks_of(app).sources["shop"].sign("order.created", {"n": 1}, id=id)


def send(app: flask.Flask, request: Request, path: str = "/hooks/shop", **headers: str) -> int:
    pairs = {name.decode(): value.decode() for name, value in request.headers}
    return app.test_client().post(path, data=request.body, headers={**pairs, **headers}).status_code


def kept(app: flask.Flask) -> list[str]:
    return [one.id for one in hooks_of(app).inbox().find(Query())]


# configuration


def test_the_secrets_of_what_the_code_declares_are_configuration(make):
    webhooks = Webhooks()
    webhooks.source("shop", "standard_webhooks", max_body=1000)
    app = make(
        webhooks, HOOKCATCH_SOURCES={"shop": {"secret": whsec(0)}, "stripe": {"secret": "whsec_" + "a" * 30}}
    )
    assert set(hooks_of(app).sources) == {"shop", "stripe"}
    assert hooks_of(app).sources["shop"].endpoint.policy.max_body == 1000
    assert send(app, letter(app)) == 200


def test_all_of_it_may_come_from_the_environment(make, monkeypatch):
    monkeypatch.setenv("FLASK_HOOKCATCH_SOURCES__shop__secret", whsec(0))
    monkeypatch.setenv("FLASK_HOOKCATCH_PREFIX", "/in")
    app = flask.Flask(__name__)
    app.config.from_prefixed_env()
    webhooks = Webhooks(inbox="memory:?keep=10", worker=False)
    webhooks.source("shop", "standard_webhooks")
    webhooks.init_app(app)
    assert send(app, letter(app), "/in/shop") == 200
    hooks_of(app).runtime().close()


def test_one_set_of_webhooks_serves_many_apps_each_with_its_own_inbox(make, webhooks):
    one, other = make(webhooks), make(webhooks, HOOKCATCH_PREFIX="")
    assert send(one, letter(one)) == 200
    assert send(other, letter(other, "msg_2"), "/shop") == 200
    assert (kept(one), kept(other)) == (["msg_1"], ["msg_2"])


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"HOOKCATCH_INBX": "memory:"}, "there is no HOOKCATCH_INBX, only SOURCES, PREFIX, INBOX"),
        ({"HOOKCATCH_SOURCES": ["shop"]}, "HOOKCATCH_SOURCES is a dict of dicts"),
        ({"HOOKCATCH_SOURCES": {"shop": {"secrets": "a"}}}, "there is no option 'secrets'"),
    ],
)
def test_a_mistake_in_the_config_is_an_error_where_the_app_is_made(make, webhooks, config, says):
    with pytest.raises(ConfigurationError, match=says):
        make(webhooks, **config)


def test_what_is_registered_too_late_is_an_error_and_not_forgotten(make, webhooks):
    make(webhooks)
    for late in (lambda: webhooks.on("*")(print), lambda: webhooks.source("stripe")):
        with pytest.raises(ConfigurationError, match="init_app was called already: import the modules"):
            late()


def test_an_async_handler_before_the_ack_is_an_error_where_the_app_is_made(make, webhooks):
    @webhooks.on("*", reply=True)
    async def answer() -> None: ...

    with pytest.raises(
        ConfigurationError, match='make it a plain function, use ack="deadline", or serve with ASGI'
    ):
        make(webhooks)


def test_a_hookcatch_of_ones_own_is_mounted(hooks):
    app = flask.Flask(__name__)
    mount(app, hooks, "in")
    assert send(app, letter(app), "/in/shop") == 200
    with app.test_request_context():
        assert flask.url_for("hookcatch.receive", path="shop") == "/in/shop"
    hooks.runtime().close()


# the app's context


class Order(BaseModel):
    n: int


def test_every_handler_runs_in_a_context_of_the_app_in_the_worker_and_before_the_ack(make, webhooks):
    seen: list[Any] = []

    @webhooks.on("*")
    def plain(event: Event[Order]) -> None:
        seen.append(("plain", flask.current_app.name, event.data.n, None))

    @webhooks.on("*")
    async def awaited(order: Order) -> None:
        seen.append(
            ("async", flask.current_app.name, order.n, flask.url_for("hookcatch.receive", path="shop"))
        )

    @webhooks.on("*", reply=True)
    def reply(event: Event) -> dict[str, str]:
        return {"app": flask.current_app.name}

    app = make(webhooks, HOOKCATCH_WORKER=True, SERVER_NAME="shop.example.com")
    request = letter(app)
    pairs = {name.decode(): value.decode() for name, value in request.headers}
    answer = app.test_client().post("http://shop.example.com/hooks/shop", data=request.body, headers=pairs)
    assert answer.json == {"app": app.name}
    wait_until(lambda: len(seen) == 2)
    assert {one[:3] for one in seen} == {("plain", app.name, 1), ("async", app.name, 1)}
    assert [one[3] for one in seen if one[3]] == ["http://shop.example.com/hooks/shop"], (
        "of the app, and not of the request in which the worker was started"
    )
    assert not flask.has_app_context()


# what else looks at the request


def test_hooks_of_the_app_may_refuse_and_are_asked_before_anything_is_kept(make, webhooks):
    app = make(webhooks)
    app.before_request(lambda: flask.abort(403))
    assert send(app, letter(app)) == 403
    assert kept(app) == []


def test_other_routes_keep_their_body_and_their_methods(make, webhooks):
    app = make(webhooks)
    app.post("/hooks/mine")(lambda: flask.request.get_data())
    assert app.test_client().post("/hooks/mine", data=b"abc").data == b"abc"
    assert send(app, letter(app)) == 200


@pytest.mark.parametrize("first", ["csrf", "webhooks"])
def test_csrf_protection_lets_senders_in_whichever_came_first(hooks, first):
    app = flask.Flask(__name__)
    app.config["SECRET_KEY"] = "a key"
    app.post("/form")(lambda: "in")
    for one in sorted(["csrf", "webhooks"], key=lambda name: name != first):
        CSRFProtect(app) if one == "csrf" else mount(app, hooks)
    assert app.test_client().post("/form").status_code == 400
    assert send(app, letter(app)) == 200
    assert send(app, letter(app).replace(body=b"{}")) == 401
    hooks.runtime().close()


def test_the_limit_is_that_of_the_source_and_refused_before_any_hook_reads(make, webhooks):
    app, read = make(webhooks), []
    app.before_request(lambda: read.append(flask.request.get_data()))
    assert send(app, Request("POST", "", [], b"x" * (2 << 20))) == 413
    assert read == []


# the command line


@pytest.fixture
def shop(make, webhooks, tmp_path: Path) -> flask.Flask:
    return make(webhooks, HOOKCATCH_INBOX=f"sqlite:///{tmp_path}/inbox.db?disk_floor=0&ballast=0")


def call(app: flask.Flask, *words: str) -> Any:
    return app.test_cli_runner().invoke(args=["hookcatch", *words])


def test_the_commands_are_those_of_hookcatch_for_this_app(shop):
    assert send(shop, letter(shop)) == 200
    listed = call(shop, "events", "list", "--json")
    assert [json.loads(line)["id"] for line in listed.stdout.splitlines()] == ["msg_1"]
    assert "order.created" in call(shop, "events", "show", "1").stdout
    assert "stripe-signature" in call(shop, "providers", "show", "stripe").stdout
    assert call(shop, "events", "discard", "1", "--why", "a test").stdout == "discard: 1 of 1 events\n"
    sent = call(shop, "send", "shop", "order.created", "{}", "--dry-run")
    assert sent.stdout.startswith("POST /hooks/shop HTTP/1.1\n")


def test_flask_serves_the_app_itself(shop):
    assert "No such command 'run'" in call(shop, "run").output


def test_what_is_wrong_is_one_line(shop):
    wrong = call(shop, "send", "nobody", "order.created", "{}")
    assert (wrong.exit_code, wrong.stderr) == (1, "Error: there is no source 'nobody', only shop\n")
