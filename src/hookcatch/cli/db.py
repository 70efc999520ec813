"""`hookcatch db`: the tables of an inbox, for who wants to make or look at them before anything runs."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import click

from hookcatch.core.errors import ConfigurationError
from hookcatch.core.ports import Inbox

if TYPE_CHECKING:
    from hookcatch.inbox.shared.inbox import ServerInbox

_url = click.argument("url", envvar="HOOKCATCH_INBOX")
_REDIS = ("redis:", "rediss:")


@click.group()
def db() -> None:
    """The tables of the inbox at URL, which is $HOOKCATCH_INBOX if it is left out.

    They are made and brought up to date by whatever opens the inbox first. Where that is not its business, because
    its role may not change tables, this does it.
    """
    logging.getLogger("hookcatch").setLevel(logging.ERROR)


@db.command()
@_url
def upgrade(url: str) -> None:
    """Make the tables, or bring them to the version of this hookcatch. Others who want the same wait.

    \b
    hookcatch db upgrade postgresql://owner:password@db.example.com/shop
    """
    inbox = _inbox(url)
    if url.startswith(_REDIS):
        raise ConfigurationError("an inbox in Redis has no tables")
    inbox.open()
    inbox.close()
    click.echo("the tables are up to date")


@db.command()
@_url
@click.option("--since", type=click.IntRange(0), default=0, help="Leave out the steps up to this version.")
def sql(url: str, since: int) -> None:
    """Print the SQL that `upgrade` says. Nothing is connected to.

    \b
    hookcatch db sql postgresql:///shop | psql shop
    """
    if url.startswith("sqlite:"):
        from hookcatch.inbox import migrations

        click.echo(migrations.script(since), nl=False)
    else:
        click.echo(_server(url).script(since), nl=False)


@db.command()
@_url
def check(url: str) -> None:
    """Say whether the tables at a server are there and up to date and whether a commit survives; status 1 if not.
    Redis has no tables: there it says whether what was taken survives.

    \b
    hookcatch db check postgresql://app:password@db.example.com/shop
    hookcatch db check redis://app:password@cache.example.com:6379/0
    """
    version = "" if url.startswith(_REDIS) else f"version {_up_to_date(_server(url))}, "
    inbox = _inbox(url)
    inbox.open()
    inbox.close()
    click.echo(f"{version}{'durable' if inbox.durable else 'NOT durable: a commit can be lost'}")


def _up_to_date(inbox: ServerInbox) -> int:
    found, wanted = inbox.version()
    if found < wanted:
        raise ConfigurationError(
            f"the tables are at version {found} and this hookcatch works with {wanted}: run hookcatch db upgrade"
        )
    return found


def _inbox(url: str) -> Inbox:
    from hookcatch.inbox import open_inbox

    inbox = open_inbox(url, clock=time.time)
    if url.startswith("memory:"):
        raise ConfigurationError("an inbox in memory has no tables")
    return inbox


def _server(url: str) -> ServerInbox:
    from hookcatch.inbox.shared.inbox import ServerInbox

    inbox = _inbox(url)
    if not isinstance(inbox, ServerInbox):
        raise ConfigurationError("only the inboxes of servers are checked: postgresql:, mysql: or redis:")
    return inbox
