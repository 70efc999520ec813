"""What becomes of an inbox when its process forks: no thread lives on in the child, no connection may be shared."""

from __future__ import annotations

import os
import weakref


class Forking:
    """One that a fork concerns, from `watch` on. Each step is taken by all before the next one."""

    def before_fork(self) -> None:
        """In the parent, just before."""

    def after_fork_in_parent(self) -> None:
        """In the parent: go on."""

    def after_fork_in_child(self) -> None:
        """In the child: start afresh."""


def watch(one: Forking) -> None:
    """Tell it of every fork, as long as it lives."""
    _watched.add(one)


_watched: weakref.WeakSet[Forking] = weakref.WeakSet()
"""Not state of ours: `os.register_at_fork` cannot be undone, so it is called once."""


def before() -> None:
    """Tell all."""
    for one in list(_watched):
        one.before_fork()


def after_in_parent() -> None:
    """Tell all."""
    for one in list(_watched):
        one.after_fork_in_parent()


def after_in_child() -> None:
    """Tell all."""
    for one in list(_watched):
        one.after_fork_in_child()


if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(before=before, after_in_parent=after_in_parent, after_in_child=after_in_child)
