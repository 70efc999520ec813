"""The views: a request's bytes, exactly as they came, to the flow and back."""

from __future__ import annotations

import io
import logging
from collections.abc import MutableMapping
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_not_required
from django.core.handlers.asgi import ASGIRequest
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from hookcatch import asgi, wsgi
from hookcatch.core.answers import come_back, refuse
from hookcatch.core.endpoint import Endpoint
from hookcatch.core.errors import Rejected
from hookcatch.core.wire import Response

from . import hooks

logger: logging.Logger = logging.getLogger("hookcatch")

_BLOCK = 64 << 10


@login_not_required
@csrf_exempt
@transaction.non_atomic_requests
def receive(request: HttpRequest, path: str = "") -> HttpResponse:
    """Take a delivery, in the thread of the request."""
    project = hooks()
    endpoint = project.match(f"/{path}")
    if endpoint is None:
        return _answer(refuse(Rejected("not_found")))
    environ = _environ(request)
    return _answer(_gone(request) if environ is None else wsgi.take(project, endpoint, environ))


@login_not_required
@csrf_exempt
@transaction.non_atomic_requests
async def receive_async(request: HttpRequest, path: str = "") -> HttpResponse:
    """Take a delivery in the server's event loop; where that is none of a server, in the thread of the request."""
    if not isinstance(request, ASGIRequest):
        return await sync_to_async(receive)(request, path)
    project = hooks()
    endpoint = project.match(f"/{path}")
    if endpoint is None:
        return _answer(refuse(Rejected("not_found")))
    body = _input(request)
    if body is None:
        return _answer(_gone(request))
    return await _take(request, endpoint, body)


async def _take(request: ASGIRequest, endpoint: Endpoint, body: Any) -> HttpResponse:
    sent: list[MutableMapping[str, Any]] = []

    async def receive_() -> MutableMapping[str, Any]:
        block = body.read(_BLOCK)
        return {"type": "http.request", "body": block, "more_body": bool(block)}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = dict(request.scope)
    if isinstance(scope.get("query_string"), str):  # Django's test client
        scope["query_string"] = scope["query_string"].encode("latin-1")
    await asgi.take(hooks(), endpoint, scope, receive_, send)
    start, content = sent
    return _answer(Response(start["status"], content["body"], tuple(start["headers"])))


def _environ(request: HttpRequest) -> dict[str, Any] | None:
    """What the flow reads of an environ, its body unread or kept by Django; None if somebody has read it away."""
    body = _input(request)
    if body is None:
        return None
    environ = {**request.META, "wsgi.input": body}
    if isinstance(request, ASGIRequest) or isinstance(body, io.BytesIO):
        environ["wsgi.input_terminated"] = True
    return environ


def _input(request: HttpRequest) -> Any:
    """Where the body is to be read: from Django, if a middleware had it read whole, else from the server."""
    kept = getattr(request, "_body", None)
    if kept is not None:
        return io.BytesIO(kept)
    if getattr(request, "_read_started", False):
        return None
    return request if isinstance(request, ASGIRequest) else request.META["wsgi.input"]


def _gone(request: HttpRequest) -> Response:
    """The sender will bring it again, when this is mended."""
    logger.error(
        "the body of %s was read before hookcatch could see it: a middleware that uses request.POST or "
        "request.read() has to leave this path alone",
        request.path,
    )
    return come_back()


def _answer(response: Response) -> HttpResponse:
    answer = HttpResponse(response.body, status=response.status)
    del answer.headers["content-type"]
    for name, value in response.headers:
        answer.headers[name.decode("latin-1")] = value.decode("latin-1")
    answer.headers["content-length"] = str(len(response.body))
    return answer
