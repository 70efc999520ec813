"""Flask: an extension. Its sources are configuration, its handlers run in the app's context."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import partial
from typing import Any, Unpack, cast

import click

from . import wsgi
from .app import Hookcatch
from .core.errors import ConfigurationError, MissingExtra, Rejected
from .core.flow import turn_away
from .core.wire import Response
from .providers import Provider
from .router import Router
from .source import SourceOptions
from .tenants import Given

try:
    import flask
    from flask.cli import with_appcontext
except ModuleNotFoundError:
    raise MissingExtra("flask", "flask") from None

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
KEYS = ("INBOX", "SPOOL", "PUBLIC_URL", "CONCURRENCY", "WORKER")
"""`HOOKCATCH_INBOX` ...: what of the app's config goes to `Hookcatch` as it is."""


class Webhooks(Router):
    """Handlers and sources of a Flask app; every app it is given to gets a Hookcatch of its own::

        webhooks = Webhooks()
        webhooks.source("shop", "standard_webhooks")     # its secret is in HOOKCATCH_SOURCES

        @webhooks.on("order.created")
        def fulfil(order: Order) -> None: ...

        def create_app():
            app = Flask(__name__)
            webhooks.init_app(app)
            return app

    Config: `HOOKCATCH_SOURCES`, a dict of what `Hookcatch.source` takes, by name, on top of what `source` said;
    `HOOKCATCH_PREFIX`, where the paths begin, default `/hooks`; and `HOOKCATCH_INBOX`, `HOOKCATCH_SPOOL`,
    `HOOKCATCH_PUBLIC_URL` (prefix included), `HOOKCATCH_CONCURRENCY`, `HOOKCATCH_WORKER`.

    Args:
        **options: what else `Hookcatch` takes; the app's config wins.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self._options = options
        self._sources: dict[str, dict[str, Any]] = {}
        self._in_use = False

    def source(
        self,
        name: str,
        provider: str | Provider | None = None,
        secret: Given | None = None,
        **options: Unpack[SourceOptions],
    ) -> None:
        """As `Hookcatch.source`; what it says may come from the config as well."""
        self._check_open()
        self._sources[name] = {"provider": provider, "secret": secret, **cast("dict[str, Any]", options)}

    def init_app(self, app: flask.Flask) -> None:
        """Serve the webhooks in an app, which then has its Hookcatch as `app.extensions["hookcatch"]`.

        Everything is checked here, for Flask has no start of its own: sources and handlers come before it.

        Raises:
            ConfigurationError: with what to change.
        """
        config = dict(app.config.get_namespace("HOOKCATCH_", lowercase=False))
        prefix = str(config.pop("PREFIX", "/hooks"))
        sources = _merged(self._sources, config.pop("SOURCES", {}))
        if unknown := config.keys() - set(KEYS):
            names = ", ".join(f"HOOKCATCH_{key}" for key in sorted(unknown))
            raise ConfigurationError(f"there is no {names}, only SOURCES, PREFIX, {', '.join(KEYS)}")
        hooks = Hookcatch(**{**self._options, **{key.lower(): value for key, value in config.items()}})
        for name, options in sources.items():
            hooks.source(name, **options)
        hooks.include(self, within=app.app_context)
        mount(app, hooks, prefix)
        self._in_use = True

    def _check_open(self) -> None:
        if self._in_use:
            raise ConfigurationError(
                "init_app was called already: import the modules that register sources and handlers before it"
            )


def mount(app: flask.Flask, hooks: Hookcatch, prefix: str = "/hooks") -> None:
    """Serve a Hookcatch of your own in an app. For the app's context around its handlers, include them with
    `hooks.include(router, within=app.app_context)`.

    Raises:
        ConfigurationError: with what to change.
    """
    hooks.build(blocking=True)
    prefix = "/" + prefix.strip("/")
    app.extensions["hookcatch"] = hooks
    blueprint = _blueprint(hooks, prefix)
    app.register_blueprint(blueprint)
    app.before_request_funcs.setdefault(None, []).insert(0, partial(_hold_body, hooks, blueprint))
    app.cli.add_command(_commands(prefix))


def _merged(said: Mapping[str, dict[str, Any]], configured: Any) -> dict[str, dict[str, Any]]:
    if not (isinstance(configured, Mapping) and all(isinstance(one, Mapping) for one in configured.values())):
        raise ConfigurationError('HOOKCATCH_SOURCES is a dict of dicts: {"shop": {"secret": "whsec_..."}}')
    return {name: {**said.get(name, {}), **configured.get(name, {})} for name in {**said, **configured}}


def _blueprint(hooks: Hookcatch, prefix: str) -> flask.Blueprint:
    """One view for all sources: `url_for("hookcatch.receive", path="shop")`."""

    def receive(path: str = "") -> flask.Response:
        endpoint = hooks.match(f"/{path}")
        if endpoint is None:
            flask.abort(404)
        return to_flask(wsgi.take(hooks, endpoint, flask.request.environ))

    blueprint = flask.Blueprint("hookcatch", __name__, url_prefix=prefix)
    for rule in ("/", "/<path:path>")[prefix == "/" and hooks.match("/") is None :]:
        blueprint.add_url_rule(
            rule, "receive", receive,
            methods=METHODS, provide_automatic_options=False, strict_slashes=False, merge_slashes=False,
        )  # fmt: skip
    return blueprint


def _hold_body(hooks: Hookcatch, blueprint: flask.Blueprint) -> flask.Response | None:
    """Before every other hook of the app, so that whatever they read of the request, we have its bytes."""
    request = flask.request
    if request.endpoint != "hookcatch.receive":
        return None
    endpoint = hooks.match(f"/{(request.view_args or {}).get('path', '')}")
    if endpoint is None:
        return None
    csrf = flask.current_app.extensions.get("csrf")  # Flask-WTF's: a sender has no session, and signs
    if csrf is not None:
        csrf.exempt(blueprint)
    if "stream" in vars(request):  # read even before us; Flask may have kept it
        request.environ["wsgi.input"] = io.BytesIO(request.get_data())
    try:
        wsgi.hold(endpoint, request.environ)
    except Rejected as why:
        head = wsgi.head_of(request.environ, endpoint)
        return to_flask(turn_away(why, head, endpoint, hooks.runtime().blocking()))
    return None


def to_flask(response: Response) -> flask.Response:
    """Ours as Flask's, with no header more."""
    made = flask.Response(response.body, response.status)
    del made.headers["content-type"]
    for name, value in response.headers:
        made.headers.add(name.decode("latin-1"), value.decode("latin-1"))
    return made


def _commands(prefix: str) -> click.Group:
    """`flask hookcatch`: the commands of `hookcatch`, for the app that Flask has found; Flask itself serves it."""
    from .cli import Commands, main

    @click.group(
        "hookcatch",
        cls=Commands,
        commands={name: one for name, one in main.commands.items() if name != "run"},
        context_settings={"default_map": {"send": {"url": f"http://127.0.0.1:5000{prefix}"}}},
    )
    @click.pass_context
    @with_appcontext
    def group(ctx: click.Context) -> None:
        """Webhooks: run the worker, look into the inbox, replay, send. APP is this one: leave it out."""
        ctx.obj = flask.current_app.extensions["hookcatch"]

    return group
