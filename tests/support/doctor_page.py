"""The tables of docs/doctor.md, from the doctor's catalogue."""

from __future__ import annotations

from collections.abc import Mapping

from hookcatch.doctor.catalogue import DOOR, SIGNATURE, Known


def table(known: Mapping[str, Known]) -> str:
    """A row a finding."""
    rows = (f"| `{name}` | {_cell(one.means)} | {_cell(one.remedy)} |\n" for name, one in known.items())
    return "| finding | what it means | what to do |\n|---|---|---|\n" + "".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(table(SIGNATURE))
    print(table(DOOR))
