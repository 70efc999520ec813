"""`hookcatch send`: be the sender, with a real signature."""

from __future__ import annotations

import http.client
import json
import secrets
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

import click

from hookcatch.core.wire import Request, Response
from hookcatch.observe.logs import escape

from .load import AppCommand, app_argument, source_of

if TYPE_CHECKING:
    from hookcatch.app import Hookcatch, Source

TIMEOUT = 30.0
MAX_ANSWER = 64 << 10


@dataclass(frozen=True, slots=True)
class Sending:
    """How to send."""

    id: str | None
    key: str | None
    tenant: str
    url: SplitResult
    count: int
    dry_run: bool


@click.command(cls=AppCommand)
@app_argument
@click.argument("source")
@click.argument("type")
@click.argument("data")
@click.option("--id", help="The event's id; default a new one each time. Send twice to see it dropped.")
@click.option(
    "--url",
    default="http://127.0.0.1:8000",
    show_default=True,
    envvar="HOOKCATCH_URL",
    help="Where APP is served; $HOOKCATCH_URL.",
)
@click.option("--count", default=1, type=click.IntRange(1), help="How many times.")
@click.option(
    "--key", help="The private key to sign with, or its file, where SOURCE knows the public one only."
)
@click.option("--tenant", default="", help="Whose secret signs, where SOURCE has several tenants.")
@click.option("--dry-run", is_flag=True, help="Print the request and send nothing.")
def send(hooks: Hookcatch, source: str, type: str, data: str, **how: Any) -> None:
    """Send an event to APP as the sender of SOURCE would, signed with the source's own secret.

    DATA is the event's data as JSON; `@file` reads it from a file, `-` from stdin.

    The exit status is 1 unless every answer was a 2xx.

    \b
    hookcatch send app:hooks shop order.created '{"id": "o_1", "total": "9.90"}'
    hookcatch send app:hooks stripe charge.succeeded @charge.json --count 10
    hookcatch send app:hooks shop order.created @order.json --dry-run
    """
    sending = Sending(**{**how, "url": target(how["url"])})
    chosen = source_of(hooks, source)
    content = _json(data)
    answers = [_one(chosen, type, content, sending) for _ in range(sending.count)]
    if not all(answers):
        raise click.exceptions.Exit(1)


def _one(source: Source, type: str, content: Any, sending: Sending) -> bool:
    """Make one request, send it, tell of the answer; whether it was a 2xx."""
    path = sending.url.path.rstrip("/") + source.path(sending.tenant)
    id_ = sending.id or f"evt_{secrets.token_hex(8)}"
    called = f"{sending.url.scheme}://{sending.url.netloc}{path}"
    url = source.url(sending.tenant) if source.endpoint.url else called
    request = source.sign(type, content, id=id_, url=url, key=_key(sending.key), tenant=sending.tenant)
    if sending.dry_run:
        _print(request, path)
        return True
    started = time.perf_counter()
    response = post(sending.url, path, request)
    took = (time.perf_counter() - started) * 1000
    said = escape(response.body.decode("utf-8", "replace").strip())
    click.echo(f"{response.status} {said} ({took:.0f} ms)")
    return response.ok


def post(url: SplitResult, path: str, request: Request) -> Response:
    """Send the very bytes of a request, follow nothing, and read the answer. Raises ClickException if there is
    none."""
    connect = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = connect(url.hostname or "", url.port, timeout=TIMEOUT)
    try:
        connection.putrequest(request.method, path, skip_accept_encoding=True)
        for name, value in request.headers:
            connection.putheader(name.decode("latin-1"), value)
        connection.putheader("content-length", str(len(request.body)))
        connection.endheaders(request.body)
        answer = connection.getresponse()
        return Response(answer.status, answer.read(MAX_ANSWER))
    except (OSError, http.client.HTTPException) as why:
        where = f"{url.scheme}://{url.netloc}"
        raise click.ClickException(f"no answer from {where}: {why}; is `hookcatch run` up?") from None
    except ValueError as why:
        raise click.ClickException(f"this cannot be sent over HTTP: {why}") from None
    finally:
        connection.close()


def _json(data: str) -> Any:
    try:
        if data == "-":
            return json.loads(sys.stdin.buffer.read())
        return json.loads(Path(data[1:]).read_bytes() if data.startswith("@") else data)
    except OSError as why:
        raise click.BadParameter(f"{data[1:]}: {why.strerror}", param_hint="DATA") from None
    except ValueError as why:
        hint = "" if data[:1] in "@-" else ' (quote it for the shell: \'{"id": "o_1"}\')'
        raise click.BadParameter(f"not JSON: {why}{hint}", param_hint="DATA") from None


def _key(given: str | None) -> str | None:
    """The key's text; a file's content if there is a file of that name."""
    try:
        return Path(given).read_text().strip() if given and Path(given).is_file() else given
    except (OSError, ValueError) as why:
        raise click.BadParameter(f"cannot be read: {why}", param_hint="--key") from None


def target(url: str) -> SplitResult:
    """A URL that can be called. Raises BadParameter."""
    parts = urlsplit(url)
    try:
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1)
    except ValueError:
        known = False
    if not known:
        raise click.BadParameter(f"{url!r} is no URL such as http://127.0.0.1:8000", param_hint="--url")
    return parts


def _print(request: Request, path: str) -> None:
    click.echo(f"{request.method} {path} HTTP/1.1")
    for name, value in request.headers:
        click.echo(name + b": " + value)
    click.echo()
    # in a file every byte counts
    click.echo(request.body, nl=sys.stdout.isatty())
