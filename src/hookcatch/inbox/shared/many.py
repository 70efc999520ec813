"""Many rows in one statement.

Most databases are told a value a place: `VALUES (%s, %s), (%s, %s)`, or, in the place of a table, a SELECT a row.
PostgreSQL takes arrays, one a column, which costs half as much: `SELECT * FROM unnest(%s::text[], %s::float8[])`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Columns = Mapping[str, str]
"""The names of columns, in order, and what PostgreSQL calls their types."""


def places(columns: Columns, number: int, constants: Sequence[str] = ()) -> str:
    """A place for each value of so many rows, each with constants at its end."""
    row = ", ".join((*["%s"] * len(columns), *constants))
    return f"VALUES {', '.join([f'({row})'] * number)}"


def union(columns: Columns, number: int) -> str:
    """The same as a table whose columns have these names."""
    first = ", ".join(f"%s AS {name}" for name in columns)
    others = ", ".join(["%s"] * len(columns))
    return " UNION ALL ".join([f"SELECT {row}" for row in (first, *[others] * (number - 1))])


def unnest(columns: Columns) -> str:
    """A place for each column."""
    return f"unnest({', '.join(f'%s::{kind}[]' for kind in columns.values())})"


def one_by_one(rows: Iterable[Sequence[Any]]) -> list[Any]:
    """The values for `places` and `union`."""
    return [value for row in rows for value in row]


def by_column(columns: Columns, rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """The values for `unnest`. An array has to be of one type, and a time may be a whole number."""
    return [
        [None if value is None else float(value) for value in column] if kind == "float8" else list(column)
        for kind, column in zip(columns.values(), zip(*rows, strict=True), strict=True)
    ]
