"""Google Cloud Functions, and whatever else calls a function with a Flask request."""

from __future__ import annotations

import io
from collections.abc import Callable

from . import wsgi
from .app import Hookcatch
from .core.answers import refuse
from .core.errors import MissingExtra, Rejected
from .serverless import check, start_of

try:
    import flask
except ModuleNotFoundError:
    raise MissingExtra("functions-framework", "google-functions") from None

from .flask import to_flask


def http_function(hooks: Hookcatch, prefix: str = "") -> Callable[[flask.Request], flask.Response]:
    """The function that the platform calls: `webhooks = http_function(hooks)`.

    It answers after the commit, and nothing is sure to go on after its answer. So it needs `worker=False`, and
    either a worker elsewhere or sources with `ack="handled"`. Everything is checked here.

    Raises:
        ConfigurationError: with what to change.
    """
    check(hooks)
    start = start_of(prefix)

    def handle(request: flask.Request) -> flask.Response:
        path = request.path
        endpoint = hooks.match(path[len(start) :]) if path.startswith(start) else None
        if endpoint is None:
            return to_flask(refuse(Rejected("not_found")))
        environ = dict(request.environ)
        if "stream" in vars(request):  # read by a hook of the framework, which keeps it
            environ["wsgi.input"] = io.BytesIO(request.get_data())
        return to_flask(wsgi.take(hooks, endpoint, environ))

    return handle
