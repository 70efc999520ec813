"""`hookcatch spool`: what waits on this machine for a store that was away."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import click

from hookcatch.core.errors import ConfigurationError
from hookcatch.inbox import open_inbox
from hookcatch.inbox.carrier import Carrier
from hookcatch.inbox.spool_file import NAME, SpoolFile
from hookcatch.inbox.sqlite_file import SqliteOptions
from hookcatch.observe.logs import escape

TRIES = 12
"""Failures in a row until it is given up: enough to find a delivery that the store does not take."""

PATIENCE = 30.0

_place = click.argument("place", type=click.Path(path_type=Path))


@click.group()
def spool() -> None:
    """The spool in the directory PLACE, as `Hookcatch(..., spool=PLACE)` names it.

    The processes that use it drain it by themselves. Run this as the user that they run as: the files are his.
    """


@spool.command()
@_place
def status(place: Path) -> None:
    """Say what waits, since when, and what the store did not take.

    \b
    hookcatch spool status /var/lib/shop/spool
    """
    file = _opened(place)
    found = file.status()
    file.close()
    if found.since is None:
        click.echo("nothing waits")
    else:
        since = datetime.fromtimestamp(found.since, UTC).isoformat(" ", "seconds")
        click.echo(
            f"{found.deliveries} deliveries wait, of {found.events} events and {found.bytes} bytes, since {since}"
        )
    for id_, why in found.aside:
        click.echo(f"not taken: {escape(id_)}: {escape(why, 500)}")


@spool.command()
@_place
@click.argument("url", envvar="HOOKCATCH_INBOX")
def drain(place: Path, url: str) -> None:
    """Bring what waits into the inbox at URL, which is $HOOKCATCH_INBOX if it is left out: the spool of a machine
    that is not coming back.

    \b
    hookcatch spool drain ./spool-of-web3 postgresql://app:password@db.example.com/shop
    """
    store = open_inbox(url, clock=time.time)
    store.open()
    file = _opened(place)
    carrier = Carrier(store, file)
    try:
        file.try_again().result()
        _carry_all(carrier)
        left = file.status().aside
    finally:
        carrier.close()
        file.close()
        store.close()
    click.echo(f"{carrier.taken} deliveries brought, {carrier.known} of their events were known there")
    if left:
        raise ConfigurationError(f"{len(left)} deliveries were not taken: see hookcatch spool status {place}")


def _carry_all(carrier: Carrier) -> None:
    failures = 0
    carried: int | None = None
    while carried != 0:
        try:
            carried = carrier.carry(PATIENCE)
            failures = 0
        except Exception:
            failures += 1
            if failures == TRIES:
                raise
        if carried is None:
            time.sleep(0.05)


def _opened(place: Path) -> SpoolFile:
    if not (place / NAME).is_file():
        raise ConfigurationError(f"there is no spool in {place}")
    file = SpoolFile(place, SqliteOptions(disk_floor=0, ballast=0))
    file.open()
    return file
