"""`python -m benchmarks [names ...] [--quick] [--json FILE] [--plot FILE]`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from . import figures, inbox, verify
from .figures import QUICK, Effort
from .machine import facts
from .report import Result, as_json, plot, table
from .servers import pin_us

FIGURES = (*verify.FIGURES, *inbox.FIGURES, *figures.FIGURES)


def main() -> None:
    """Measure what is named, or everything, and write it down."""
    wish = _wishes()
    effort = QUICK if wish.quick else Effort()
    pin_us()
    results: list[Result] = []
    for figure in FIGURES:
        if not wish.names or any(figure.name.startswith(name) for name in wish.names):
            results.append(figure.measure(effort))
            print(table(results[-1:]).splitlines()[-1], flush=True)
    print(f"\n{table(results)}")
    if wish.json:
        wish.json.write_text(json.dumps(as_json(results, facts()), indent=2) + "\n")
    if wish.plot:
        wish.plot.write_text(plot(results))


def _wishes() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ours beside the others.")
    names = ", ".join(dict.fromkeys(figure.name for figure in FIGURES))
    parser.add_argument("names", nargs="*", help=f"which figures, by how they begin: {names}")
    parser.add_argument("--quick", action="store_true", help="short rounds: a first look, not a figure")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write a picture (SVG)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
