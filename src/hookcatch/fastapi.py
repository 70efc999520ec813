"""FastAPI: routes that are documented, and verified events as dependencies."""

from __future__ import annotations

import inspect
import typing
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import TypeAdapter

from . import asgi
from .app import Hookcatch, Source
from .core.admission import admit, check_length
from .core.answers import phrase
from .core.attempt import idempotency_key
from .core.endpoint import Endpoint
from .core.errors import Invalid, MissingExtra, Rejected
from .core.handler import Handler, annotated
from .core.model import Delivery, Event, IncomingEvent
from .core.payload import adapter, data_of, validate

try:
    from fastapi import APIRouter, Body, HTTPException, Request, Response
    from starlette.requests import ClientDisconnect
except ModuleNotFoundError:
    raise MissingExtra("fastapi", "fastapi") from None

T = TypeVar("T")
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "It is kept: do not send it again"},
    400: {"description": "It cannot be read"},
    401: {"description": "Its signature or its timestamp is wrong"},
    413: {"description": "It is too large"},
    503: {"description": "It cannot be kept now: send it again", "headers": {"retry-after": {}}},
}


def router(hooks: Hookcatch, prefix: str = "/hooks", **options: Any) -> APIRouter:
    """All sources as routes with the worker in their lifespan: `app.include_router(router(hooks))`.

    Everything is checked here; sources and handlers are registered before.

    Args:
        hooks: the Hookcatch.
        prefix: where the paths begin. With an empty one, include it after all other routes.
        **options: for `APIRouter`; dependencies run before the body is read.
    """
    app = hooks.build()
    made = APIRouter(
        prefix=prefix, lifespan=lambda _: asgi.running(hooks), **{"tags": ["webhooks"], **options}
    )

    async def receive(request: Request, path: str = "") -> Response:
        endpoint = hooks.match(f"/{path}")
        if endpoint is None:
            raise HTTPException(404)
        return await _answer(hooks, endpoint, request)

    for name, source in hooks.sources.items():
        types = sorted({kind for handler in app.routes.of_source(name) for kind in handler.types})
        made.add_api_route(
            source.endpoint.path,
            _receiver(hooks, source.endpoint),
            methods=["POST"],
            name=name,
            summary=f"Webhooks of {source.provider.title}",
            description=f"Handled: {', '.join(f'`{kind}`' for kind in types) or 'nothing yet'}.",
            response_class=Response,
            responses=ANSWERS,
            openapi_extra={
                "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}}
            },
        )
    for rest in ("", "/{path:path}") if prefix else ("/{path:path}",):
        made.add_api_route(rest, receive, methods=METHODS, include_in_schema=False)
    return made


def webhooks(hooks: Hookcatch) -> APIRouter:
    """The events that handlers want, with their data's models, for the `webhooks` of the OpenAPI document:
    `app.webhooks.include_router(webhooks(hooks))`."""
    made = APIRouter(tags=["webhooks"])
    for handler in hooks.build().routes.handlers:
        for kind in handler.types:
            made.add_api_route(
                kind,
                _document(handler),
                methods=["POST"],
                name=f"{handler.name} {kind}",
                responses={200: ANSWERS[200]},
            )
    return made


def delivery(source: Source) -> Callable[[Request], Awaitable[Delivery]]:
    """A dependency that verifies and does nothing else: `Annotated[Delivery, Depends(delivery(source))]`."""
    endpoint = source.endpoint

    async def verified(request: Request) -> Delivery:
        try:
            head = asgi.head_of(request.scope, endpoint)
            promised = admit(head, endpoint, request.client.host if request.client else "")
            body = await _whole(request, endpoint.policy.max_body)
            check_length(promised, body)
            return source.verify(head.with_body(body), tenant=_tenant(source, request))
        except Rejected as why:
            raise _refusal(why, endpoint) from None

    return verified


def event(source: Source, data: type[T]) -> Callable[[Request], Awaitable[Event[T]]]:
    """A dependency that verifies a delivery of one event and validates its data:
    `Annotated[Event[Order], Depends(event(source, Order))]`. It keeps nothing and knows no duplicates."""
    verify, endpoint = delivery(source), source.endpoint
    validator = adapter(data, f"event({source.name!r}, ...)")

    async def verified(request: Request) -> Event[T]:
        told = await verify(request)
        tenant = _tenant(source, request) or endpoint.owner(told)
        try:
            one = _single(told)
            valid = _valid(validator, data_of(one.payload, endpoint.data_path))
        except Rejected as why:
            raise _refusal(why, endpoint) from None
        return Event(
            id=one.id,
            type=one.type,
            source=source.name,
            provider=told.provider,
            tenant=tenant,
            data=valid,
            payload=one.payload,
            raw=one.body,
            headers={},
            received_at=datetime.fromtimestamp(source.now(), UTC),
            occurred_at=None if one.occurred_at is None else datetime.fromtimestamp(one.occurred_at, UTC),
            attempt=1,
            is_replay=False,
            idempotency_key=idempotency_key(source.name, tenant, one.id, ""),
        )

    return verified


def _tenant(source: Source, request: Request) -> str:
    """Whom the path names. Raises Rejected for a path that we did not hand out."""
    tenants = source.endpoint.tenants
    return tenants.named(request.path_params["tenant"]) if tenants else ""


def _single(told: Delivery) -> IncomingEvent:
    if len(told.events) != 1:
        raise Rejected("malformed_body", f"{len(told.events)} events in one delivery; use delivery(source)")
    return told.events[0]


def _valid(validator: TypeAdapter[Any], data: Any) -> Any:
    try:
        return validate(validator, data, "")
    except Invalid as why:
        raise Rejected("invalid_payload", str(why)) from None


def _receiver(hooks: Hookcatch, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def receive(request: Request) -> Response:
        called = endpoint.at(request.path_params["tenant"]) if endpoint.tenants else endpoint
        return await _answer(hooks, called, request)

    return receive


async def _answer(hooks: Hookcatch, endpoint: Endpoint, request: Request) -> Response:
    chunks = _chunks(request)

    async def receive() -> asgi.Message:
        try:
            return {"type": "http.request", "body": await anext(chunks), "more_body": True}
        except StopAsyncIteration:
            return {"type": "http.request"}
        except ClientDisconnect:
            return {"type": "http.disconnect"}

    answered = await asgi.answer(hooks, endpoint, request.scope, receive)
    if answered is None:  # nobody is there to read it
        return Response(status_code=400)
    made = Response(answered.body, answered.status)
    made.raw_headers = [*answered.headers, (b"content-length", str(len(answered.body)).encode())]
    return made


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    """The body, also if a dependency had it before us. What was parsed as a form is gone: it is empty then, and
    refused as such."""
    try:
        async for chunk in request.stream():
            yield chunk
    except RuntimeError:
        return


async def _whole(request: Request, limit: int) -> bytes:
    found = b""
    async for chunk in _chunks(request):
        found += chunk
        if len(found) > limit:
            raise Rejected("body_too_large", f"more than {limit} bytes")
    return found


def _refusal(why: Rejected, endpoint: Endpoint) -> HTTPException:
    policy = endpoint.policy
    status = policy.bad_signature if why.status == 401 else why.status
    asked = {"www-authenticate": policy.challenge} if status == 401 and policy.challenge else None
    return HTTPException(status, phrase(status), asked)


def _document(handler: Handler) -> Callable[..., None]:
    """A function that FastAPI reads and nobody calls."""

    def told() -> None: ...

    slot = next((one for one in handler.slots if one.wanted is not None and one.path is None), None)
    hints = typing.get_type_hints(annotated(handler.function), include_extras=True)
    if slot is not None and slot.name in hints:
        wanted = typing.get_args(hints[slot.name])[0] if slot.kind == "event" else hints[slot.name]
        data = inspect.Parameter("data", inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[wanted, Body()])
        told.__signature__ = inspect.Signature([data])  # type: ignore[attr-defined]
    told.__doc__ = handler.function.__doc__
    return told
