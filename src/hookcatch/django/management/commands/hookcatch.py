"""`manage.py hookcatch`: the commands of `hookcatch`, on this project."""

from __future__ import annotations

import argparse
import logging
import os
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.urls import NoReverseMatch, reverse

from hookcatch.cli import Commands, main

_ELSEWHERE = frozenset({"run", "db"})
"""A project is served by its own server, and `manage.py migrate` makes its tables."""

commands = Commands(
    name="hookcatch",
    commands={name: one for name, one in main.commands.items() if name not in _ELSEWHERE},
    help="Work on this project's events, look into them, and be a sender. APP is the project: leave it out.",
    context_settings=main.context_settings,
)


class Command(BaseCommand):
    """Hands over to click what follows the name of the command."""

    help = "Run handlers, look into the inbox, replay and discard, send: `manage.py hookcatch --help`."

    def run_from_argv(self, argv: list[str]) -> None:
        """From the command line, with click's own way to end."""
        self.check()
        self._name_the_project()
        commands.main(args=argv[2:], prog_name=f"{os.path.basename(argv[0])} {argv[1]}")  # noqa: PTH119

    def add_arguments(self, parser: CommandParser) -> None:
        """For `call_command("hookcatch", "worker", "--until-idle")`."""
        parser.add_argument("words", nargs=argparse.REMAINDER)

    def handle(self, *words: Any, **options: Any) -> None:
        """From code: whatever ends it early is an exception, and logs are as loud afterwards as they were."""
        self._name_the_project()
        logger = logging.getLogger("hookcatch")
        level = logger.level
        try:
            commands.main(
                args=[*words, *options.get("words", ())], prog_name="hookcatch", standalone_mode=False
            )
        finally:
            logger.setLevel(level)

    def _name_the_project(self) -> None:
        os.environ["HOOKCATCH_APP"] = "hookcatch.django.project:hooks"
        try:
            os.environ.setdefault("HOOKCATCH_URL", f"http://127.0.0.1:8000{reverse('hookcatch:root')}")
        except NoReverseMatch:  # the checks say so
            return
