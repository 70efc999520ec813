"""What it was measured on."""

from __future__ import annotations

import os
import platform
import sqlite3
from datetime import date


def facts() -> dict[str, object]:
    """For a machine."""
    return {
        "date": date.today().isoformat(),  # noqa: DTZ011 - the day where it was measured
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def sentence(*servers: str) -> str:
    """For a reader. Call it before anything is measured: it tells the load of the machine."""
    today = date.today()  # noqa: DTZ011 - the day where it was measured
    parts = (
        f"{os.cpu_count()} cores ({platform.machine()}), which servers and load share",
        f"load {os.getloadavg()[0]:.1f} before the start",
        f"CPython {platform.python_version()}",
        f"SQLite {sqlite3.sqlite_version}",
        *servers,
    )
    return f"Measured on {today.day} {today:%B %Y}: {', '.join(parts)}."


def postgres(url: str) -> str:
    """Its name and version."""
    import psycopg

    with psycopg.connect(url) as connection:
        return f"PostgreSQL {connection.info.server_version // 10000}"
