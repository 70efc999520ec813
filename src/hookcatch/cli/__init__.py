"""The command line: `hookcatch`."""

from __future__ import annotations

import click

from hookcatch.core.errors import HookcatchError

from . import consume, db, doctor, events, providers, run, send, spool, tenants, worker
from .trouble import one_line


class Commands(click.Group):
    """Commands that end with one line on stderr, and status 1, when something is wrong that has a name."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except HookcatchError as why:
            raise one_line(why) from why


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
    hookcatch doctor signature app:hooks < request
    """


_COMMANDS = (
    run.run, worker.worker, consume.consume, send.send, events.events, providers.providers, tenants.tenants,
    doctor.doctor, db.db, spool.spool,
)  # fmt: skip

for _command in _COMMANDS:
    main.add_command(_command)
