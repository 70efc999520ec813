"""What only FastAPI has: a document of its routes, dependencies, a lifespan."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi import Request as FastAPIRequest
from fastapi.testclient import TestClient
from pydantic import BaseModel

from hookcatch import Delivery, Event, Hookcatch, Request
from hookcatch.core.ports import Query
from hookcatch.fastapi import delivery, event, router, webhooks
from support.edges import wait_until
from support.senders import whsec
from support.world import Clock


class Item(BaseModel):
    name: str


class Order(BaseModel):
    """An order of a customer."""

    items: list[Item]


def letter(hooks: Hookcatch, data: Any = None, id: str = "msg_1") -> Request:
    return hooks.sources["shop"].sign("order.created", data or {"items": [{"name": "tea"}]}, id=id)


def send(client: TestClient, request: Request, path: str = "/hooks/shop") -> Any:
    return client.post(path, content=request.body, headers=list(request.headers))


def app_with(*routers: APIRouter, **options: Any) -> FastAPI:
    app = FastAPI(**options)
    for one in routers:
        app.include_router(one)
    return app


def working() -> Hookcatch:
    hooks = Hookcatch("memory:", clock=Clock())
    hooks.source("shop", "standard_webhooks", whsec(0))
    return hooks


def test_the_worker_starts_and_ends_with_the_app_beside_its_own_lifespan():
    hooks, handled = working(), []

    @hooks.on("order.*")
    async def fulfil(order: Order) -> None:
        handled.append(order.items[0].name)

    with TestClient(app_with(router(hooks))) as client:
        runtime = hooks._runtime
        assert runtime is not None
        assert send(client, letter(hooks)).status_code == 200
        wait_until(lambda: handled == ["tea"])
    assert not runtime.alive


def test_routers_nest_and_their_prefixes_add_up(hooks):
    outer = APIRouter(prefix="/v1")
    outer.include_router(router(hooks, prefix="/in"))
    client = TestClient(app_with(outer))
    assert send(client, letter(hooks), "/v1/in/shop").status_code == 200
    assert send(client, letter(hooks), "/in/shop").status_code == 404


def test_the_document_names_each_source_and_what_it_handles(hooks):
    @hooks.on(["order.created", "order.changed"])
    def fulfil(order: Order) -> None:
        """Send the goods."""

    @hooks.on("order.cancelled", source="shop")
    def cancel(event: Event[Order]) -> None: ...

    @hooks.on("note")
    def note(event: Event) -> None: ...

    app = app_with(router(hooks))
    app.webhooks.include_router(webhooks(hooks))
    document = TestClient(app).get("/openapi.json").json()
    assert list(document["paths"]) == ["/hooks/shop"]
    post = document["paths"]["/hooks/shop"]["post"]
    assert post["summary"] == "Webhooks of Standard Webhooks"
    assert post["description"] == "Handled: `note`, `order.cancelled`, `order.changed`, `order.created`."
    assert set(post["responses"]) == {"200", "400", "401", "413", "503"}
    told = document["webhooks"]
    assert set(told) == {"order.created", "order.changed", "order.cancelled", "note"}
    assert told["order.created"]["post"]["description"] == "Send the goods."
    for kind in ("order.created", "order.cancelled"):
        schema = told[kind]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert schema["$ref"] == "#/components/schemas/Order"
    assert "requestBody" not in told["note"]["post"]
    assert "Item" in document["components"]["schemas"]


# only verified


def verifying(hooks: Hookcatch, read: Callable[..., Any] | None = None) -> TestClient:
    app, shop = FastAPI(), hooks.sources["shop"]
    first = [Depends(read)] if read else []

    @app.post("/event", dependencies=first)
    async def one(told: Annotated[Event[Order], Depends(event(shop, Order))]) -> dict[str, Any]:
        return {"id": told.id, "type": told.type, "item": told.data.items[0].name, "source": told.source}

    @app.post("/delivery", dependencies=first)
    async def all_(told: Annotated[Delivery, Depends(delivery(shop))]) -> list[str]:
        return [one.id for one in told.events]

    return TestClient(app)


def test_a_dependency_gives_the_event_verified_and_validated_and_keeps_nothing(hooks):
    client = verifying(hooks)
    answer = send(client, letter(hooks), "/event")
    assert answer.json() == {"id": "msg_1", "type": "order.created", "item": "tea", "source": "shop"}
    assert send(client, letter(hooks), "/delivery").json() == ["msg_1"]
    assert hooks._runtime is None


def test_a_dependency_refuses_as_the_receiver_would(hooks):
    client = verifying(hooks)
    good = letter(hooks)
    assert send(client, good.replace(body=good.body + b" "), "/event").status_code == 401
    assert send(client, letter(hooks, {"items": [{}]}), "/event").status_code == 422
    assert send(client, good.with_header("content-encoding", "gzip"), "/event").status_code == 415
    assert send(client, good.replace(body=b"x" * (2 << 20)), "/delivery").status_code == 413
    chunks = (b"x" * 65536 for _ in range(32))
    assert client.post("/delivery", content=chunks, headers=list(good.headers)).status_code == 413


async def body_first(request: FastAPIRequest) -> None:
    await request.body()


async def stream_first(request: FastAPIRequest) -> None:
    """As a parser of forms does: what it has read is gone."""
    async for _ in request.stream():
        pass


@pytest.mark.parametrize("path", ["/event", "/delivery"])
def test_who_reads_the_body_first_may_do_so(hooks, path):
    assert send(verifying(hooks, body_first), letter(hooks), path).status_code == 200


def test_dependencies_of_the_router_run_before_anything_is_read(hooks):
    async def closed() -> None:
        raise HTTPException(403)

    for first, status in ((closed, 403), (body_first, 200)):
        client = TestClient(app_with(router(hooks, dependencies=[Depends(first)])))
        assert send(client, letter(hooks)).status_code == status
    assert [one.id for one in hooks.inbox().find(Query())] == ["msg_1"]


def test_a_body_that_was_parsed_away_is_refused_and_the_log_says_by_whom_it_may_be(hooks, caplog):
    caplog.set_level("INFO", "hookcatch")
    client = TestClient(app_with(router(hooks, dependencies=[Depends(stream_first)])))
    assert send(client, letter(hooks)).status_code == 400
    assert "something in front has read the body before hookcatch" in caplog.text


def test_a_dependency_asks_for_http_credentials_as_the_endpoint_does():
    hooks = Hookcatch("memory:", clock=Clock())
    till = hooks.source("till", "basic_auth", "shop:correct-horse-battery-staple")
    app = FastAPI()

    @app.post("/till")
    def take(told: Annotated[Delivery, Depends(delivery(till))]) -> int:
        return len(told.events)

    client, letter = TestClient(app), till.sign("order.created", {}, id="evt_1")
    refused = client.post("/till", content=letter.body)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (
        401,
        'Basic realm="webhooks", charset="UTF-8"',
    )
    assert send(client, letter, "/till").json() == 1
