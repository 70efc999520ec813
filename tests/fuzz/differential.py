"""Our rows beside the senders' libraries, for as long as you like: `python tests/fuzz/differential.py --runs 200000`.

What one accepts and the other refuses is a difference that tests/fuzz/stricter.py gives a reason for, or a mistake.
"""

from __future__ import annotations

import sys
from collections import Counter
from functools import lru_cache
from pathlib import Path
from random import Random
from time import perf_counter

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

import click

from fuzz.honest import BUILDERS, Case, case
from fuzz.libraries import Verdict, standing, theirs
from fuzz.stricter import DIFFERENCES, Difference
from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.providers import Verifier, provider
from support.senders import NOW


@lru_cache(maxsize=1000)
def _bound(name: str, secret: str) -> Verifier:
    row = provider(name)
    row.check_secrets(secret)
    return row.bind(secret)


def ours(one: Case) -> Verdict:
    """What a source with this secret says of the request."""
    try:
        _bound(one.name, one.secret).check(one.request, NOW)
    except ConfigurationError:
        return Verdict(False, "bad_secret")
    except Rejected as refusal:
        return Verdict(False, refusal.reason)
    return Verdict(True)


def explained(one: Case) -> tuple[Verdict, Verdict, Difference | None]:
    """Both verdicts, and where they differ the reason. Raises AssertionError for a difference without one."""
    mine, their = ours(one), theirs(one.name, one.request, one.secret)
    if mine.accepted == their.accepted:
        return mine, their, None
    for difference in DIFFERENCES:
        if difference.explains(one, mine):
            return mine, their, difference
    request = one.request
    raise AssertionError(
        f"{one.name}: we say {mine}, the library {their}, and nothing explains it: secret {one.secret!r}, "
        f"{request.url} {request.headers!r} {request.body!r}"
    )


def compare(runs: int, seed: int) -> Counter[str]:
    """What came of so many requests, counted by name."""
    random, seen, names = Random(seed), Counter[str](), tuple(BUILDERS)
    with standing():
        for _ in range(runs):
            mine, their, difference = explained(case(random.choice(names), random))
            both = "accepted by both" if mine.accepted else "refused by both"
            seen[difference.name if difference else both] += 1
            if their.raw:
                seen[f"raised {their.why}"] += 1
    return seen


@click.command()
@click.option("--runs", default=200_000, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(runs: int, seed: int) -> None:
    """Compare, and count what was seen."""
    begun = perf_counter()
    for name, count in compare(runs, seed).most_common():
        print(f"{count:9} {name}")
    print(f"{runs / (perf_counter() - begun):.0f} runs a second")


if __name__ == "__main__":
    main()
