"""A PostgreSQL of the lab's own, to be stopped in the middle of things."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from .processes import free_port

HOMES = "/usr/lib/postgresql/*/bin"
"""Where Debian has what a server is made with."""


def missing() -> str:
    """Why there can be none; empty if there can."""
    return "" if _tool("pg_ctl") else f"needs initdb and pg_ctl, on the path or in {HOMES}"


def _tool(name: str) -> str:
    """The newest of its kind."""
    homes = sorted(Path("/").glob(HOMES.lstrip("/")), key=lambda path: path.parent.name.zfill(4))
    return (
        shutil.which(name, path=os.pathsep.join([*map(str, reversed(homes)), os.environ.get("PATH", "")]))
        or ""
    )


@dataclass
class Cluster:
    """One server with its files. It refuses to be root, so root runs it as the user `postgres`."""

    port: int = field(default_factory=free_port)
    place: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="hookcatch-lab-postgres-")))

    @property
    def url(self) -> str:
        """Names a database to hookcatch."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def make(self) -> None:
        """Its files, and start it."""
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.place, owner.pw_uid, owner.pw_gid)
        self._run("initdb", "--username", "postgres", "--auth", "trust", "--no-sync")
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        self._run("pg_ctl", "--wait", "--log", str(self.place / "log"), "--options", options, "start")

    def crash(self) -> None:
        """Stop it as a crash would: what is not on disk is gone, connections break."""
        self._run("pg_ctl", "--wait", "--mode", "immediate", "stop")

    def remove(self) -> None:
        """Stop it if it runs, and drop its files."""
        if (self.place / "data" / "postmaster.pid").exists():
            self.crash()
        shutil.rmtree(self.place)

    def _run(self, tool: str, *arguments: str) -> None:
        as_whom = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        argv = [_tool(tool), "-D", str(self.place / "data"), *arguments]
        # a file and no pipe: the server inherits it, and a pipe would stay open as long as it runs
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(argv, cwd="/", stdout=said, stderr=said, check=False, **as_whom)  # type: ignore[call-overload]
            said.seek(0)
            if done.returncode:
                raise RuntimeError(f"{tool} ended with {done.returncode}:\n{said.read().decode()}")
