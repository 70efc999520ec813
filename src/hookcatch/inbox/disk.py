"""How much room is left, and what kind of disk it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

MIB = 1024 * 1024
BALLAST = 4 * MIB
"""What a checkpoint and some hundred settled events need when nothing else is left."""

NETWORK = frozenset(
    [
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "davfs",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs3",
        "nfs4",
        "prl_fs",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
    ]
)
"""File systems on which SQLite's locks or shared memory are not what they promise (SEMANTICS 10.8)."""


def default_floor(total: int) -> int:
    """5 % of the disk, at least 256 MiB; at most 2 GiB, lest a large disk refuse events with 40 GB free."""
    return max(256 * MIB, min(total // 20, 2048 * MIB))


def room(directory: Path) -> tuple[int, int]:
    """Bytes that are free to us, and bytes in all."""
    if not hasattr(os, "statvfs"):  # pragma: no cover - Windows
        import shutil

        usage = shutil.disk_usage(directory)
        return usage.free, usage.total
    facts = os.statvfs(directory)
    return facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize


class Floor:
    """Whether there is room to accept; looked up at most once a second.

    Args:
        directory: where the inbox lies.
        floor: bytes that stay free; None for `default_floor`.
        timer: seconds from anywhere, growing.
        room: free and total bytes of a directory's disk.
        lower: how the floor is lowered, for the message.
    """

    def __init__(
        self,
        directory: Path,
        floor: int | None,
        *,
        timer: Callable[[], float],
        room: Callable[[Path], tuple[int, int]] = room,
        lower: str = "sqlite:///...?disk_floor=BYTES",
    ) -> None:
        self._directory = directory
        self._floor = floor
        self._timer = timer
        self._room = room
        self._lower = lower
        self._next = float("-inf")
        self._why: str | None = None

    def why_not(self) -> str | None:
        """Why nothing can be accepted now; None if it can."""
        now = self._timer()
        if now >= self._next:
            self._next = now + 1.0
            self._why = self._look()
        return self._why

    def _look(self) -> str | None:
        try:
            free, total = self._room(self._directory)
        except OSError as error:
            return f"the disk of the inbox cannot be asked for its room: {error}"
        floor = default_floor(total) if self._floor is None else self._floor
        if free >= floor:
            return None
        return (
            f"{self._directory} has {free // MIB} MiB free and {floor // MIB} MiB have to stay free: make room, "
            f"or lower the floor with {self._lower}"
        )


def take_ballast(path: Path, size: int = BALLAST) -> None:
    """Lay by `size` bytes in a file, to be let go when the disk is full. Best effort."""
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    with suppress(OSError):
        file = os.open(path, flags, 0o600)
        try:
            if os.fstat(file).st_size < size:
                os.posix_fallocate(file, 0, size)
        finally:
            os.close(file)


def drop_ballast(path: Path) -> None:
    """Let it go."""
    with suppress(OSError):
        path.unlink()


def file_system(directory: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """The type of the file system that holds a directory, as Linux names it; `""` where it cannot be told."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    here = directory.resolve()
    best = ("", "")
    for line in lines:
        _, point, kind, *_ = line.split(" ")
        place = _unescaped(point)
        if here.is_relative_to(place) and len(place) >= len(best[0]):
            best = (place, kind)
    return best[1]


def is_network(kind: str) -> bool:
    """Whether SQLite must not be trusted on this type of file system."""
    return kind in NETWORK or kind == "fuse" or kind.startswith("fuse.")


def _unescaped(point: str) -> str:
    for escape, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(escape, character)
    return point
