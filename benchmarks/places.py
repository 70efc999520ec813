"""Where a measurement keeps what it needs: made for it, and gone after it."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit


@contextmanager
def fresh(url: str) -> Iterator[str]:
    """The URL of an empty inbox on the same disk or server: a directory beside the file that a `sqlite:` URL names,
    a database beside the one that a `postgresql:` URL names. What the URL itself names is not touched."""
    kind = urlsplit(url).scheme
    if kind == "sqlite":
        beside = Path(url.removeprefix("sqlite:///")).parent if url != "sqlite:" else None
        directory = tempfile.mkdtemp(prefix="hookcatch-bench-", dir=beside)
        try:
            yield f"sqlite:///{directory}/inbox.db"
        finally:
            shutil.rmtree(directory)
    elif kind in ("postgresql", "postgres"):
        with database(url) as made:
            yield made
    else:
        raise SystemExit(f"{url!r} is neither sqlite: (or sqlite:///a/file/beside/it.db) nor postgresql://")


@contextmanager
def database(url: str) -> Iterator[str]:
    """A PostgreSQL database of its own."""
    import psycopg

    name = f"hookcatch_bench_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
