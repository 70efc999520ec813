"""The command line: `hookcatch`."""

from __future__ import annotations

import traceback
from pathlib import Path

import click

from hookcatch.core.errors import HookcatchError

from . import events, providers, run, send, tenants, worker


class Commands(click.Group):
    """Commands that end with one line on stderr, and status 1, when something is wrong that has a name."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except HookcatchError as why:
            raise click.ClickException(f"{_place(why)}{why}") from why


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hookcatch")
def main() -> None:
    """Receive webhooks: verify, keep, acknowledge, handle.

    APP names your Hookcatch as `module:attribute`, for example `app:hooks`. It may be left out when
    $HOOKCATCH_APP says it.

    \b
    hookcatch run app:hooks
    hookcatch send app:hooks shop order.created '{"id": "o_1", "total": "9.90"}'
    hookcatch events list app:hooks
    hookcatch providers show stripe
    """


def _place(why: HookcatchError) -> str:
    """Where in the user's own code it came up: `app.py:7: `; empty if it was not there."""
    here = Path.cwd()
    for frame in reversed(traceback.extract_tb(why.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(here) and not path.is_relative_to(_OURS) and "site-packages" not in path.parts:
            return f"{path.relative_to(here)}:{frame.lineno}: "
    return ""


_OURS = Path(__file__).parents[1]

for _command in (run.run, worker.worker, send.send, events.events, providers.providers, tenants.tenants):
    main.add_command(_command)
