"""`hookcatch doctor`: why a signature is refused, and what is wrong on the way to the receiver."""

from __future__ import annotations

import difflib
import json
import os
import secrets
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from hookcatch.core.errors import HookcatchError
from hookcatch.doctor import Diagnosis, Finding, diagnose
from hookcatch.doctor.door import Checked, visit
from hookcatch.observe.logs import escape
from hookcatch.providers import Provider
from hookcatch.providers import provider as lookup

from . import filters
from .capture import Captured, Unreadable, read
from .knock import knock
from .load import AppCommand, load
from .send import target
from .trouble import NoAnswer, one_line

if TYPE_CHECKING:
    from hookcatch.app import Hookcatch, Source


class Questions(click.Group):
    """A group whose errors are told apart from its answers, and that takes `--url URL` without a word before it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Fill in which question is asked."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["endpoint", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run it."""
        try:
            return super().invoke(ctx)
        except HookcatchError as why:
            raise one_line(why, NoAnswer) from why


_json = click.option("--json", "as_json", is_flag=True, help="One JSON object.")
_source = click.option("--source", help="Which source of APP; may be left out if there is only one.")


@click.group(cls=Questions)
def doctor() -> None:
    """Find out what is wrong.

    The exit status is 0 if nothing is, 1 if something is, 2 if the question cannot be answered. No secret is ever
    shown.

    \b
    hookcatch doctor signature app:hooks --source shop < request
    hookcatch doctor signature --provider stripe --secret-env STRIPE_SECRET < request
    hookcatch doctor --url https://example.com/hooks/shop app:hooks --source shop
    """


@doctor.command(cls=AppCommand)
@click.argument("app", metavar="[APP]")
@_source
@click.option("--provider", metavar="NAME", help="Judge by this sender's rules, without an APP.")
@click.option(
    "--secret-env", metavar="VARIABLE", multiple=True, help="Where its secret stands; may be repeated."
)
@click.option("--url", help="The URL that the sender called, where it signs that; default as captured.")
@click.option(
    "--request", "path", default="-", metavar="FILE", show_default="stdin", help="The captured request."
)
@click.option(
    "--at",
    metavar="TIME",
    callback=filters.moment,
    help="Judge it as of then: ISO 8601 (UTC), or 2h, 3d ago; default now.",
)
@_json
def signature(
    app: str,
    source: str | None,
    provider: str | None,
    secret_env: tuple[str, ...],
    url: str | None,
    path: str,
    at: float | None,
    as_json: bool,
) -> None:
    """Why is this request accepted or refused?

    The request is read as it stood on the wire: `POST /hooks/shop HTTP/1.1`, headers, an empty line, and the body,
    of which every byte counts. Or as JSON: {"method", "url", "headers", "body" or "body_base64"}.
    """
    captured = _captured(path)
    if provider:
        row = lookup(provider)
        diagnosis = _by_rules(captured, row, secret_env, url, at)
    else:
        hooks = load(app)
        chosen = _choose(hooks, source, captured.path)
        row = chosen.provider
        called = url or chosen.endpoint.called(captured.query)
        diagnosis = chosen.diagnose(captured.called_at(called), now=at)
    _tell(diagnosis, row, as_json=as_json, judged_then=at is not None)


@doctor.command(cls=AppCommand)
@click.argument("app", metavar="APP")
@_source
@click.option("--url", required=True, help="The URL that is registered with the sender.")
@_json
def endpoint(app: str, source: str | None, url: str, as_json: bool) -> None:
    """What happens to requests on their way from the sender to the source?

    Probes are sent to the public URL, and the receiver says what arrives of them. No event is made of them. The app
    there has to have the same secret as APP here. The word `endpoint` may be left out.
    """
    parts = target(url)
    chosen = _choose(load(app), source, parts.path)
    if not chosen.provider.signed:
        raise click.UsageError(
            f"the source {chosen.name!r} is unsigned: it cannot tell a probe from an event"
        )
    wrong = False
    checked: list[Checked] = []
    for one in visit(chosen.door(url, knock, secrets.token_hex(8))):
        wrong = wrong or one.found is not None
        checked.append(one)
        if not as_json:
            _tell_check(one)
    if as_json:
        click.echo(json.dumps({"ok": not wrong, "checks": [_check_data(one) for one in checked]}))
    if wrong:
        raise click.exceptions.Exit(1)


def _tell_check(one: Checked) -> None:
    if one.found is None:
        click.echo(f"{'OK':<6} {one.what}: {escape(one.note, 1000)}")
    else:
        found = one.found
        click.echo(
            f"{'WRONG':<6} {one.what}: {found.name}: {escape(found.what, 1000)}; {escape(found.remedy, 1000)}"
        )


def _check_data(one: Checked) -> dict[str, Any]:
    found = None if one.found is None else as_data(one.found)
    return {"check": one.what, "ok": found is None, "note": one.note, "finding": found}


def _by_rules(
    captured: Captured, row: Provider, variables: Iterable[str], url: str | None, at: float | None
) -> Diagnosis:
    known = [_secret(variable) for variable in variables]
    if row.signed and not known:
        raise click.UsageError("say where the secret stands: --secret-env VARIABLE")
    request = captured.called_at(url or captured.url)
    return diagnose(request, row, known or ["unsigned"], now=time.time() if at is None else at)


def _secret(variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise click.UsageError(f"${variable} is not set")
    return value


def _captured(path: str) -> Captured:
    if path == "-" and sys.stdin.isatty():
        raise click.UsageError(
            "there is no request: give it on stdin (`< request`), or name its file by --request"
        )
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return read(data)
    except OSError as why:
        raise click.UsageError(f"{path}: {why.strerror}") from None
    except Unreadable as why:
        raise click.UsageError(str(why)) from None


def _choose(hooks: Hookcatch, name: str | None, path: str) -> Source:
    """The source that is named, else the only one, else the one at that path."""
    known = hooks.sources
    if name is not None:
        return known[name] if name in known else _unknown(name, known)
    here = [
        source for source in known.values() if f"{path.rstrip('/')}/".endswith(f"{source.endpoint.path}/")
    ]
    for found in (list(known.values()), here):
        if len(found) == 1:
            return found[0]
    raise click.UsageError(f"say which source: --source {' or '.join(sorted(known)) or '(there is none)'}")


def _unknown(name: str, known: Iterable[str]) -> NoReturn:
    near = difflib.get_close_matches(name, known, 1)
    ask = f"did you mean {near[0]!r}?" if near else f"only {', '.join(sorted(known)) or 'none at all'}"
    raise click.UsageError(f"there is no source {name!r}: {ask}")


def _tell(diagnosis: Diagnosis, row: Provider, *, as_json: bool, judged_then: bool) -> None:
    if as_json:
        said = {
            "accepted": diagnosis.ok,
            "refusal": diagnosis.refusal,
            "findings": [as_data(one) for one in diagnosis.findings],
        }
        click.echo(json.dumps(said))
    elif diagnosis.ok:
        click.echo("accepted")
    else:
        click.echo(f"refused: {escape(diagnosis.refusal)}")
        for one in diagnosis.findings:
            click.echo(f"\n{one.name}: {escape(one.what, 1000)}\n  {escape(one.remedy, 1000)}")
        names = {one.name for one in diagnosis.findings}
        if "too_old" in names and not judged_then:
            click.echo("\nIf it was captured a while ago, judge it as of then: --at TIME")
        if "newline_added" in names:
            click.echo("\nIf an editor saved it, the line feed at the end may be the editor's own.")
        if row.facts.refusal_is_final:
            status = row.facts.bad_signature_status
            click.echo(f"\n{row.title} never sends again what got {status}: such an event is lost here.")
    if not diagnosis.ok:
        raise click.exceptions.Exit(1)


def as_data(finding: Finding) -> dict[str, Any]:
    """A finding under the stable keys of `--json`."""
    return {"name": finding.name, "what": finding.what, "remedy": finding.remedy}
