"""An error with a name, as the one line that the command line ends with."""

from __future__ import annotations

import traceback
from pathlib import Path

import click

from hookcatch.core.errors import HookcatchError

_OURS = Path(__file__).parents[1]


class NoAnswer(click.ClickException):
    """An error of a command that has something else to say with the exit status 1."""

    exit_code = 2


def one_line(
    why: HookcatchError, kind: type[click.ClickException] = click.ClickException
) -> click.ClickException:
    """What to raise instead."""
    return kind(f"{_place(why)}{why}")


def _place(why: HookcatchError) -> str:
    """Where in the user's own code it came up: `app.py:7: `; empty if it was not there."""
    here = Path.cwd()
    for frame in reversed(traceback.extract_tb(why.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(here) and not path.is_relative_to(_OURS) and "site-packages" not in path.parts:
            return f"{path.relative_to(here)}:{frame.lineno}: "
    return ""
