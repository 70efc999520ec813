"""`hookcatch tenants`: the URLs to hand out, and the secrets that senders brought."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import click

from hookcatch.core.errors import ConfigurationError

from .load import AppCommand, app_argument, source_of

if TYPE_CHECKING:
    from hookcatch.app import Hookcatch

_source = click.argument("source")
_tenant = click.argument("tenant")


@click.group()
def tenants() -> None:
    """The tenants of a source: their URLs, and the secrets that their senders brought."""
    # a warning meant for servers, on every look, would be noise
    logging.getLogger("hookcatch").setLevel(logging.ERROR)


@tenants.command(cls=AppCommand)
@app_argument
@_source
@_tenant
def url(hooks: Hookcatch, source: str, tenant: str) -> None:
    """Print the URL to give to the sender of SOURCE for TENANT.

    \b
    hookcatch tenants url app:hooks asana acme
    """
    click.echo(source_of(hooks, source).url(tenant))


@tenants.command("list", cls=AppCommand)
@app_argument
def list_(hooks: Hookcatch) -> None:
    """Whose secrets were learned: a source and a tenant a line."""
    known = hooks.inbox().learners()
    for source, tenant in known:
        click.echo(f"{source} {tenant}")
    if not known:
        click.echo("no sender has brought a secret", err=True)


@tenants.command(cls=AppCommand)
@app_argument
@_source
@_tenant
def secret(hooks: Hookcatch, source: str, tenant: str) -> None:
    """Print the secret that the sender of SOURCE brought for TENANT: Notion wants it typed in."""
    found = hooks.inbox().learned(source_of(hooks, source).name, tenant)
    if found is None:
        raise ConfigurationError(f"the sender of {source!r} has brought no secret for {tenant!r}")
    click.echo(found.reveal())


@tenants.command(cls=AppCommand)
@app_argument
@_source
@_tenant
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def forget(hooks: Hookcatch, source: str, tenant: str, yes: bool) -> None:
    """Drop the secret of TENANT: what it signs is refused from now on, and the next handshake brings another.

    Running receivers know it for up to a minute longer.
    """
    if not yes:
        click.confirm(f"Forget the secret of {tenant} at {source}?", abort=True)
    if not hooks.inbox().forget(source, tenant).result():
        raise ConfigurationError(f"the sender of {source!r} has brought no secret for {tenant!r}")
    click.echo(f"forgotten: {source} {tenant}")
