"""`python -m lab`: each experiment is a command; the exit status says whether all that must hold does."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from . import crash_points, disk_full, drain, malformed, order, poison, race, slow, strace_ack, zombie
from .broken import BROKEN
from .crash import Storm, crash
from .options import Options
from .processes import SERVERS
from .verdict import Verdict, save, show

console = Console()


class Range(click.ParamType):
    """`0.6..1.4`"""

    name = "from..to"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, float]:
        if isinstance(value, tuple):
            return value
        try:
            low, high = map(float, value.split(".."))
        except ValueError:
            self.fail(f"{value!r} is not like 0.6..1.4", param, ctx)
        return low, high


class Percent(click.ParamType):
    """`5%`"""

    name = "percent"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        if isinstance(value, float):
            return value
        try:
            return float(value.removesuffix("%")) / 100
        except ValueError:
            self.fail(f"{value!r} is not like 5%", param, ctx)


broken_option = click.option(
    "--broken",
    default="",
    type=click.Choice(["", *BROKEN]),
    help="A build that is wrong on purpose: must be caught.",
)
server_option = click.option(
    "--server", default="uvicorn", type=click.Choice(["uvicorn", "gunicorn", "run"]), show_default=True
)
json_option = click.option("--json", "to", type=click.Path(path_type=Path), help="Write the figures here.")


@click.group()
def main() -> None:
    """Fault injection for hookcatch; see docs/experiments.md."""


@main.command("crash")
@click.option("--store", default="sqlite", type=click.Choice(["sqlite"]), show_default=True)
@click.option("--mode", default="stored+tx", type=click.Choice(["stored", "stored+tx"]), show_default=True)
@click.option("--events", default=2000, show_default=True)
@click.option("--rate", default=150.0, show_default=True, help="Events a second.")
@click.option("--kill", default=(0.6, 1.4), type=Range(), help="Seconds between kills; default 0.6..1.4")
@click.option("--dup", default=0.05, type=Percent(), help="Share that is delivered again; default 5%")
@server_option
@click.option("--work", default=0.02, show_default=True, help="Seconds of work for an event.")
@click.option("--processes", default=0, help="Of gunicorn; default 4.")
@broken_option
@json_option
def crash_command(
    store: str, mode: str, broken: str, to: Path | None, server: str, processes: int, **blow: Any
) -> None:
    """E1, E2: SIGKILL at random, restart, count what was lost and what was done twice."""
    storm = Storm(
        blow["events"],
        blow["rate"],
        blow["kill"],
        blow["dup"],
        server,
        processes or (4 if server == "gunicorn" else 1),
    )
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    ) as bar:
        task = bar.add_task("acked", total=storm.events)

        def told(acked: int, kills: int) -> None:
            bar.update(task, completed=acked, description=f"acked, {kills} kills")

        conclude(
            lambda options, place: crash(storm, options, place, told),
            to,
            tx=mode == "stored+tx",
            broken=broken,
            before=blow["work"] / 2,
            after=blow["work"] / 2,
        )


@main.command("crash-points")
@click.option("--mode", default="stored+tx", type=click.Choice(["stored", "stored+tx"]), show_default=True)
@click.option("--ack", default="stored", type=click.Choice(["stored", "handled"]), show_default=True)
@json_option
def crash_points_command(mode: str, ack: str, to: Path | None) -> None:
    """E4: the process ends before and after each single call of the store."""
    conclude(crash_points.crash_points, to, tx=mode == "stored+tx", ack=ack)


@main.command("slow")
@click.option("--n", default=20, show_default=True)
@click.option("--mode", default="stored+tx", type=click.Choice(["stored", "stored+tx"]), show_default=True)
@json_option
def slow_command(n: int, mode: str, to: Path | None) -> None:
    """E12, in part: handlers that take three leases keep them all."""
    conclude(lambda options, place: slow.slow(n, options, place), to, tx=mode == "stored+tx")


@main.command("strace-ack")
@click.option("--n", default=200, show_default=True)
@broken_option
@json_option
def strace_ack_command(n: int, broken: str, to: Path | None) -> None:
    """E5: every 2xx leaves after the fsync of its event's write."""
    leave_out(strace_ack.missing())
    conclude(lambda options, place: strace_ack.strace_ack(n, options, place), to, broken=broken)


@main.command("disk-full")
@click.option("--events", default=5000, show_default=True)
@click.option("--floor", default=1, show_default=True, help="MiB to keep free; 0 runs into the wall.")
@json_option
def disk_full_command(events: int, floor: int, to: Path | None) -> None:
    """E9: the disk fills up under load, and is freed."""
    leave_out(disk_full.missing())
    conclude(lambda options, place: disk_full.disk_full(events, floor << 20, options, place), to)


@main.command("zombie")
@click.option("--n", default=200, show_default=True)
@broken_option
@json_option
def zombie_command(n: int, broken: str, to: Path | None) -> None:
    """E11: a worker is stopped past its leases, and wakes up."""
    conclude(lambda options, place: zombie.zombie(n, options, place), to, broken=broken)


@main.command("poison")
@click.option("--n", default=1000, show_default=True)
@json_option
def poison_command(n: int, to: Path | None) -> None:
    """E13: one event kills whoever works on it."""
    conclude(lambda options, place: poison.poison(n, options, place), to)


@main.command("drain")
@click.option("--restarts", default=50, show_default=True)
@click.option("--rate", default=200.0, show_default=True)
@server_option
@json_option
def drain_command(restarts: int, rate: float, server: str, to: Path | None) -> None:
    """E14: two instances are restarted in turn under load."""
    conclude(lambda options, place: drain.drain(restarts, rate, server, options, place), to)


@main.command("race")
@click.option("--n", default=500, show_default=True)
@click.option("--copies", default=64, show_default=True)
@click.option("--ack", default="stored", type=click.Choice(["stored", "handled"]), show_default=True)
@server_option
@broken_option
@json_option
def race_command(n: int, copies: int, ack: str, server: str, broken: str, to: Path | None) -> None:
    """E16: many copies of each event at the same instant."""
    conclude(lambda options, place: race.race(n, copies, server, options, place), to, ack=ack, broken=broken)


@main.command("malformed")
@click.option("--n", default=1_000_000, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--server", default="uvicorn", type=click.Choice(SERVERS), show_default=True)
@json_option
def malformed_command(n: int, seed: int, server: str, to: Path | None) -> None:
    """Requests that no sender would make, over sockets: no 5xx, no hung connection, flat memory."""
    conclude(lambda options, place: malformed.malformed(n, server, seed, options, place), to)


def crowded(command: Callable[..., None]) -> Callable[..., None]:
    """The options of an experiment with a crowd of events."""
    for option in (
        click.option("--keys", default=1000, show_default=True),
        click.option("--events", default=50, show_default=True, help="Events a key."),
        click.option("--workers", default=8, show_default=True, help="Processes."),
        click.option(
            "--kill", default=(0.5, 1.5), type=Range(), help="Seconds between kills; default 0.5..1.5"
        ),
        click.option(
            "--store",
            "url",
            default="",
            help="The URL of an empty inbox, {} in it is free, kept or stale; default SQLite.",
        ),
        broken_option,
        json_option,
    ):
        command = option(command)
    return command


@main.command("order")
@crowded
def order_command(to: Path | None, broken: str, url: str, **crowd: Any) -> None:
    """E17: events of a key are in order under failures and kills; how fast, of what is not in order."""
    conclude(
        lambda options, place: order.order(order.Crowd(**crowd), options, place), to, broken=broken, url=url
    )


@main.command("stale")
@crowded
def stale_command(to: Path | None, broken: str, url: str, **crowd: Any) -> None:
    """E18: events come in any order; the newest of each key has the last word."""
    conclude(
        lambda options, place: order.stale(order.Crowd(**crowd), options, place), to, broken=broken, url=url
    )


def leave_out(why: str) -> None:
    """End here, saying why, if there is a reason."""
    if why:
        console.print(f"left out: {why}")
        raise SystemExit(3)


def conclude(
    experiment: Callable[[Options, Path], Coroutine[Any, Any, Verdict]], to: Path | None, **wishes: Any
) -> None:
    """Run an experiment in a directory of its own, show what came of it, and leave with that status."""
    place = Path(tempfile.mkdtemp(prefix="hookcatch-lab-"))
    options = replace(Options(str(place / "inbox.db"), str(place / "effects.log")), **wishes)
    verdict = asyncio.run(experiment(options, place))
    show(verdict, console)
    if to:
        save(verdict, to)
    if not verdict.passed:
        console.print(f"the files are in {place}")
    raise SystemExit(not verdict.passed)


if __name__ == "__main__":
    main()
