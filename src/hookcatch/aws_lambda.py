"""AWS Lambda: behind API Gateway (v1 and v2), a load balancer, a function URL, or as a target of EventBridge."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote_plus

from .app import Hookcatch
from .core.admission import admit, check_length
from .core.answers import come_back, refuse
from .core.bridge import step
from .core.endpoint import Endpoint
from .core.errors import ConfigurationError, HookcatchError, Rejected
from .core.flow import receive, turn_away
from .core.wire import Pair, Request, Response
from .providers import Provider
from .providers.shapes import Occurred, Path, Shape
from .serverless import check, start_of
from .signing.schemes import Unsigned

Payload = Mapping[str, Any]
LambdaHandler = Callable[[Payload, Any], dict[str, Any]]


EVENTBRIDGE = Provider(
    name="aws_eventbridge",
    title="Amazon EventBridge",
    scheme=Unsigned(),
    events=Shape(id=Path("id"), type=Path("detail-type"), data="detail", occurred_at=Occurred("time")),
    docs="https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html",
    id_is_signed=False,
    body_is_signed=False,
)
"""Whoever may call the function has been checked by AWS; nothing of the event is signed."""


def lambda_handler(hooks: Hookcatch, prefix: str = "", *, eventbridge: str = "") -> LambdaHandler:
    """The function that Lambda calls: `handler = lambda_handler(hooks)`.

    It answers after the commit, and nothing goes on after its answer. So it needs `worker=False`, and either a
    worker elsewhere or sources with `ack="handled"`. Everything is checked here.

    Args:
        hooks: the Hookcatch.
        prefix: where its paths begin, with the stage if that is a part of the path.
        eventbridge: the source that gets the events of an EventBridge rule: `hooks.source("bus", EVENTBRIDGE,
            unsigned=True)`. Without it they are an error.

    Raises:
        ConfigurationError: with what to change.
    """
    check(hooks)
    bus = hooks.sources.get(eventbridge)
    if eventbridge and (bus is None or bus.provider.signed):
        raise ConfigurationError(
            f"eventbridge={eventbridge!r} names no unsigned source: AWS itself says who may call the function, so "
            f"hooks.source({eventbridge!r}, EVENTBRIDGE, unsigned=True); it is not served over HTTP"
        )
    start = start_of(prefix)

    def handle(event: Payload, context: Any) -> dict[str, Any]:
        if "detail-type" in event and "detail" in event:
            if bus is None:
                raise ConfigurationError(
                    "an event of EventBridge came: say lambda_handler(hooks, eventbridge=...)"
                )
            return _from_bus(hooks, bus.endpoint, event)
        path = _path(event)
        endpoint = hooks.match(path[len(start) :]) if path.startswith(start) else None
        if endpoint is None or (bus is not None and endpoint.name == bus.name):
            return _answer(refuse(Rejected("not_found")), event)
        return _answer(_take(hooks, endpoint, event), event)

    return handle


def _take(hooks: Hookcatch, endpoint: Endpoint, event: Payload) -> Response:
    runtime = hooks.runtime()
    ports = runtime.blocking()
    request = Request.from_wire(_method(event), endpoint.called(_query(event)), tuple(_headers(event)))
    if not runtime.enter():
        return come_back()
    try:
        promised = admit(request, endpoint, _peer(event))
        body = _body(event, endpoint.policy.max_body)
        request = request.with_body(body)
        check_length(promised, body)
        return step(receive(request, endpoint, runtime.app, ports))
    except Rejected as why:
        return turn_away(why, request, endpoint, ports)
    finally:
        runtime.leave()


def _from_bus(hooks: Hookcatch, endpoint: Endpoint, event: Payload) -> dict[str, Any]:
    """What cannot be kept is an error, so that the bus tries again and has its dead letter queue."""
    request = Request("POST", "", [("content-type", "application/json")], json.dumps(event))
    runtime = hooks.runtime()
    response = step(receive(request, endpoint, runtime.app, runtime.blocking()))
    if not response.ok:
        raise HookcatchError(f"the event was not kept: {response.status}")
    return {"statusCode": response.status}


def _method(event: Payload) -> str:
    v2 = event.get("requestContext", {}).get("http", {})
    return str(event.get("httpMethod") or v2.get("method", "")).upper()


def _peer(event: Payload) -> str:
    """Who called the gateway (v2, v1); a load balancer tells only in X-Forwarded-For."""
    context = event.get("requestContext", {})
    return str(context.get("http", {}).get("sourceIp") or context.get("identity", {}).get("sourceIp") or "")


def _path(event: Payload) -> str:
    return str(event.get("rawPath") or event.get("path") or "")


def _query(event: Payload) -> str:
    """As it came where it is handed over (v2), else put together again; a load balancer leaves it encoded."""
    if "rawQueryString" in event:
        return str(event["rawQueryString"])
    single = {key: [value] for key, value in (event.get("queryStringParameters") or {}).items()}
    pairs = event.get("multiValueQueryStringParameters") or single
    quoted = str if "elb" in event.get("requestContext", {}) else quote_plus
    return "&".join(f"{quoted(key)}={quoted(value)}" for key, values in pairs.items() for value in values)


def _headers(event: Payload) -> Iterable[Pair]:
    """With all their values where those are handed over (v1, ALB with multi-value headers); v2 joins them."""
    single = {name: [value] for name, value in (event.get("headers") or {}).items()}
    for name, values in (event.get("multiValueHeaders") or single).items():
        for value in values:
            yield name.lower().encode("latin-1", "replace"), str(value).encode("utf-8")


def _body(event: Payload, limit: int) -> bytes:
    text = event.get("body") or ""
    if not isinstance(text, str):
        raise Rejected("malformed_body", "it was parsed before hookcatch got it: use a proxy integration")
    try:
        encoded = event.get("isBase64Encoded")
        body = base64.b64decode(text, validate=True) if encoded else text.encode("utf-8", "surrogatepass")
    except ValueError as why:
        raise Rejected("malformed_body", f"isBase64Encoded is set, but {why}") from None
    if len(body) > limit:
        raise Rejected("body_too_large", f"{len(body)} bytes, {limit} allowed")
    return body


def _answer(response: Response, event: Payload) -> dict[str, Any]:
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers]
    encoded = not _is_text(response.body)
    made: dict[str, Any] = {
        "statusCode": response.status,
        "body": base64.b64encode(response.body).decode() if encoded else response.body.decode(),
        "isBase64Encoded": encoded,
    }
    # a load balancer wants its answer in the form of its question
    if "multiValueHeaders" in event:
        return {**made, "multiValueHeaders": {name: [v for n, v in pairs if n == name] for name, _ in pairs}}
    return {**made, "headers": dict(pairs)}


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
