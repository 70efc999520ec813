"""From the command line to a Hookcatch or an inbox: the APP argument."""

from __future__ import annotations

import importlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

import click

from hookcatch.core.errors import ConfigurationError

if TYPE_CHECKING:
    from hookcatch.app import Hookcatch, Source
    from hookcatch.core.ports import Inbox

F = TypeVar("F", bound=Callable[..., Any])

# A content hash, `sha256:...`, is an event's id and never a module.
_APP = re.compile(r"(?!sha256:)[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class AppCommand(click.Command):
    """A command whose first argument is APP, which may be left out when something else names it:
    `$HOOKCATCH_APP`, or `--inbox` or `--provider` where the command has that. It is always left out where a
    framework's own command line has the app in its context."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Fill in the APP that was left out."""
        options = click.Command(
            self.name, params=[one for one in self.params if isinstance(one, click.Option)]
        )
        given, words, _ = options.make_parser(ctx).parse_args(list(args))
        if given.get("inbox") or given.get("provider") or _of_framework():
            args = ["", *args]
        elif not (words and _APP.fullmatch(words[0])):
            args = [*filter(None, [os.environ.get("HOOKCATCH_APP")]), *args]
        return super().parse_args(ctx, args)


def app_argument(function: F) -> F:
    """The APP argument, loaded: hands `hooks` to the command."""
    return click.argument("hooks", metavar="APP", callback=_loaded)(function)


def load(name: str) -> Hookcatch:
    """The Hookcatch that `module:attribute` names, looked for from the working directory.

    Raises:
        ConfigurationError: there is no such module, no such attribute, or it is no Hookcatch.
    """
    from hookcatch.app import Hookcatch

    known = _of_framework()
    if known is not None:
        return known
    if not _APP.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} names no app: write module:attribute, as in app:hooks, or set $HOOKCATCH_APP"
        )
    module_name, _, attribute = name.partition(":")
    if os.getcwd() not in sys.path:  # noqa: PTH109 - sys.path holds strings
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as why:
        if why.name is None or not f"{module_name}.".startswith(f"{why.name}."):
            raise
        raise ConfigurationError(f"there is no module {why.name!r} in {os.getcwd()}") from None  # noqa: PTH109
    try:
        hooks = getattr(module, attribute)
    except AttributeError:
        raise ConfigurationError(f"module {module_name!r} has no {attribute!r}") from None
    if not isinstance(hooks, Hookcatch):
        raise ConfigurationError(f"{name} is {type(hooks).__name__}, not a Hookcatch")
    return hooks


def source_of(hooks: Hookcatch, name: str) -> Source:
    """A source of an app. Raises ConfigurationError if it has none of that name."""
    found = hooks.sources.get(name)
    if found is None:
        known = ", ".join(sorted(hooks.sources)) or "none at all"
        raise ConfigurationError(f"there is no source {name!r}, only {known}")
    return found


@contextmanager
def opened(app: str, url: str | None) -> Iterator[Inbox]:
    """The inbox of an app, or the one at a URL. Raises ConfigurationError if another process's events cannot
    be seen in it."""
    inbox = _existing(url) if url else load(app).inbox()
    if not inbox.shared:
        raise ConfigurationError(
            "this inbox lives in the memory of the process that receives; only one on disk can be looked into: "
            "sqlite:///hookcatch.db"
        )
    inbox.open()
    try:
        yield inbox
    finally:
        inbox.close()


def _of_framework() -> Hookcatch | None:
    """The Hookcatch that a framework's command line has put into the context."""
    from hookcatch.app import Hookcatch

    ctx = click.get_current_context(silent=True)
    return ctx.find_object(Hookcatch) if ctx else None


def _loaded(ctx: click.Context, param: click.Parameter, value: str) -> Hookcatch:
    return load(value)


def _existing(url: str) -> Inbox:
    """Looking must not make a file where none was."""
    from hookcatch.inbox import open_inbox

    inbox = open_inbox(url, clock=time.time)
    parts = urlsplit(url)
    if parts.scheme == "sqlite" and not os.path.exists(unquote(parts.path)[1:]):  # noqa: PTH110
        raise ConfigurationError(f"there is no inbox at {unquote(parts.path)[1:]}")
    return inbox
