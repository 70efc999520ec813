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

from . import (
    clocks,
    cluster,
    crash_points,
    crowd,
    disk_full,
    drain,
    handoff,
    malformed,
    order,
    outage,
    own_redis,
    peers,
    poison,
    race,
    slow,
    stores,
    strace_ack,
    wake,
    zombie,
)
from . import spool as spools
from .broken import BROKEN
from .crash import Storm, crash
from .options import Options
from .processes import SERVERS, SEVERAL, usual
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
    "--server",
    default="uvicorn",
    type=click.Choice(["uvicorn", "gunicorn", "granian", "granian-wsgi", "run"]),
    show_default=True,
)
store_option = click.option(
    "--store",
    default="sqlite",
    show_default=True,
    help="Or a URL: postgresql://..., mariadb://... A database is made beside the one that it names.",
)
any_store_option = click.option(
    "--store",
    default="sqlite",
    show_default=True,
    help="Or a URL as postgresql://..., mariadb://..., beside whose database one is made; or redis or nats, which is "
    "started for the run.",
)
json_option = click.option("--json", "to", type=click.Path(path_type=Path), help="Write the figures here.")


@click.group()
def main() -> None:
    """Fault injection for hookcatch; see docs/experiments.md."""


@main.command("crash")
@any_store_option
@click.option(
    "--mode",
    type=click.Choice(["stored", "stored+tx"]),
    help="Default stored+tx; stored for redis and nats, which have no other.",
)
@click.option("--events", default=2000, show_default=True)
@click.option("--rate", default=150.0, show_default=True, help="Events a second.")
@click.option("--kill", default=(0.6, 1.4), type=Range(), help="Seconds between kills; default 0.6..1.4")
@click.option("--dup", default=0.05, type=Percent(), help="Share that is delivered again; default 5%")
@server_option
@click.option("--work", default=0.02, show_default=True, help="Seconds of work for an event.")
@click.option("--processes", default=0, help="Of the server; default 4 for gunicorn, else 1.")
@broken_option
@json_option
def crash_command(
    store: str, mode: str | None, broken: str, to: Path | None, server: str, processes: int, **blow: Any
) -> None:
    """E1, E2: SIGKILL at random, restart, count what was lost and what was done twice."""
    if store in stores.OWN:
        leave_out(stores.OWN[store]())
        if mode == "stored+tx":
            raise click.UsageError(f"{store} has no transactions: leave out --mode")
    if processes > 1 and server not in SEVERAL:
        raise click.UsageError(f"{server} is one process")
    storm = Storm(blow["events"], blow["rate"], blow["kill"], blow["dup"], server, processes or usual(server))
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
            store,
            tx=mode == "stored+tx" or (mode is None and store not in stores.OWN),
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
@store_option
@broken_option
@json_option
def zombie_command(n: int, store: str, broken: str, to: Path | None) -> None:
    """E11: a worker is stopped past its leases, and wakes up."""
    conclude(lambda options, place: zombie.zombie(n, options, place), to, store, broken=broken)


@main.command("handoff")
@click.option("--events", default=1000, show_default=True)
@click.option("--death", default=0.02, type=Percent(), help="Share of the marks at which the relay dies; 2%")
@store_option
@broken_option
@json_option
def handoff_command(events: int, death: float, store: str, broken: str, to: Path | None) -> None:
    """E19: who hands events to Celery dies between the message and the mark that it was sent."""
    leave_out(handoff.missing())
    conclude(lambda options, place: handoff.handoff(events, death, options, place), to, store, broken=broken)


@main.command("outage")
@click.option("--store", default="postgresql", type=click.Choice([*outage.WEAK]), show_default=True)
@click.option(
    "--mode",
    type=click.Choice(["stored", "stored+tx"]),
    help="Default stored+tx; stored for redis, which has no other.",
)
@click.option("--events", default=10_000, show_default=True)
@click.option("--rate", default=100.0, show_default=True, help="Events a second.")
@click.option("--up", default=(5.0, 20.0), type=Range(), help="Seconds between stops; default 5..20")
@click.option("--down", default=(0.5, 2.0), type=Range(), help="Seconds without a server; default 0.5..2")
@click.option("--broken", default="", type=click.Choice(["", "ack-first", *outage.WEAK.values()]))
@json_option
def outage_command(store: str, mode: str | None, broken: str, to: Path | None, **weather: Any) -> None:
    """E7, E8: a PostgreSQL or Redis of the experiment's own is stopped as by a crash, and started."""
    if store == "redis" and mode == "stored+tx":
        raise click.UsageError("Redis has no transactions: leave out --mode")
    if broken in outage.WEAK.values() and broken != outage.WEAK[store]:
        raise click.UsageError(f"no {store} can be {broken}")
    leave_out(own_redis.missing() if store == "redis" else cluster.missing())
    conclude(
        lambda options, place: outage.outage(outage.Weather(**weather), options, place, store),
        to,
        tx=mode == "stored+tx" or (mode is None and store != "redis"),
        broken=broken,
    )


@main.command("poison")
@click.option("--n", default=1000, show_default=True)
@json_option
def poison_command(n: int, to: Path | None) -> None:
    """E13: one event kills whoever works on it."""
    conclude(lambda options, place: poison.poison(n, options, place), to)


@main.command("drain")
@click.option("--restarts", default=50, show_default=True)
@click.option("--rate", default=200.0, show_default=True)
@click.option("--apart", is_flag=True, help="Two receivers and two workers, each a process of its own.")
@store_option
@server_option
@json_option
def drain_command(restarts: int, rate: float, apart: bool, store: str, server: str, to: Path | None) -> None:
    """E14: two instances are restarted in turn under load."""
    conclude(
        lambda options, place: drain.drain(restarts, rate, server, options, place, apart=apart), to, store
    )


@main.command("race")
@click.option("--n", default=500, show_default=True)
@click.option("--copies", default=64, show_default=True)
@click.option("--ack", default="stored", type=click.Choice(["stored", "handled"]), show_default=True)
@store_option
@server_option
@broken_option
@json_option
def race_command(
    n: int, copies: int, ack: str, store: str, server: str, broken: str, to: Path | None
) -> None:
    """E16: many copies of each event at the same instant."""
    conclude(
        lambda options, place: race.race(n, copies, server, options, place),
        to,
        store,
        ack=ack,
        broken=broken,
    )


@main.command("spool")
@click.option("--events", default=2000, show_default=True)
@click.option("--rate", default=100.0, show_default=True, help="Events a second; each is sent once.")
@click.option("--silent", default=2.0, show_default=True, help="Seconds in which the store does not answer.")
@click.option("--away", default=8.0, show_default=True, help="Seconds after these in which it is cut off.")
@click.option("--kills", default=3, show_default=True, help="Of the receiver, while it is.")
@click.option("--spool/--no-spool", "spooled", default=True, help="Without, there must be 503s.")
@server_option
@json_option
def spool_command(spooled: bool, to: Path | None, **how: Any) -> None:
    """The store is cut off and the receiver is killed, under a sender that does not retry."""
    leave_out(spools.missing())
    outage = spools.Outage(**how)
    conclude(lambda options, place: spools.spool(outage, spooled, options, place), to)


@main.command("clocks")
@any_store_option
@click.option("--beside", is_flag=True, help="Nobody is killed: a worker whose clock is right lives beside.")
@click.option("--broken", default="", type=click.Choice(["", *BROKEN, clocks.OWN_CLOCK]))
@json_option
def clocks_command(store: str, beside: bool, broken: str, to: Path | None) -> None:
    """E15: a worker's clock jumps by an hour and by ten years, either way, and it is killed, or lives on."""
    if store == "sqlite" and (beside or broken == clocks.OWN_CLOCK):
        raise click.UsageError("a file is on one machine, which has one clock: name another store")
    if store in stores.OWN:
        leave_out(stores.OWN[store]())
        if not beside:
            raise click.UsageError(f"who holds what is read by SQL, which {store} has not: say --beside")
    run = clocks.beside if beside else clocks.clocks
    conclude(lambda options, place: run(clocks.JUMPS, options, place), to, store, broken=broken)


@main.command("crowd")
@click.option("--processes", default=8, show_default=True)
@click.option("--seconds", default=60.0, show_default=True)
@store_option
@broken_option
@json_option
def crowd_command(processes: int, seconds: float, store: str, broken: str, to: Path | None) -> None:
    """E20: several processes keep events in one file at once."""
    conclude(lambda options, place: crowd.crowd(processes, seconds, options, place), to, store, broken=broken)


@main.command("wake")
@click.option("--n", default=40, show_default=True)
@click.option("--store", default="postgresql://postgres@127.0.0.1/postgres", show_default=True)
@json_option
def wake_command(n: int, store: str, to: Path | None) -> None:
    """How long an event waits for a worker in another process, with PostgreSQL's hints and without."""
    conclude(lambda options, place: wake.wake(n, options, place), to, store)


@main.command("malformed")
@click.option("--n", default=1_000_000, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--server", default="uvicorn", type=click.Choice(SERVERS), show_default=True)
@click.option("--under-way", default=malformed.UNDER_WAY, show_default=True, help="Connections at once.")
@json_option
def malformed_command(n: int, seed: int, server: str, under_way: int, to: Path | None) -> None:
    """Requests that no sender would make, over sockets: no 5xx, no hung connection, flat memory."""
    conclude(
        lambda options, place: malformed.malformed(n, server, seed, options, place, under_way=under_way), to
    )


@main.command("peers")
@click.option("--engine", required=True, type=click.Choice(peers.ENGINES))
@click.option("--events", default=2000, show_default=True)
@click.option("--rate", default=150.0, show_default=True, help="Events a second.")
@click.option("--kill", default=(0.6, 1.4), type=Range(), help="Seconds between kills; default 0.6..1.4")
@click.option("--dup", default=0.05, type=Percent(), help="Share that is delivered again; default 5%")
@click.option("--work", default=0.02, show_default=True, help="Seconds of work for an event.")
@json_option
def peers_command(
    engine: str, events: int, rate: float, kill: tuple[float, float], dup: float, work: float, to: Path | None
) -> None:
    """The storm of `crash` over another engine, as it is by default."""
    leave_out(peers.missing(engine))
    storm = Storm(events, rate, kill, dup)
    conclude(lambda options, place: peers.peers(engine, storm, work, place, lambda acked, kills: None), to)


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
        lambda options, place: order.order(order.Crowd(**crowd), options, place),
        to,
        broken=broken,
        server=url,
    )


@main.command("stale")
@crowded
def stale_command(to: Path | None, broken: str, url: str, **crowd: Any) -> None:
    """E18: events come in any order; the newest of each key has the last word."""
    conclude(
        lambda options, place: order.stale(order.Crowd(**crowd), options, place),
        to,
        broken=broken,
        server=url,
    )


def leave_out(why: str) -> None:
    """End here, saying why, if there is a reason."""
    if why:
        console.print(f"left out: {why}")
        raise SystemExit(3)


def conclude(
    experiment: Callable[[Options, Path], Coroutine[Any, Any, Verdict]],
    to: Path | None,
    store: str = "sqlite",
    **wishes: Any,
) -> None:
    """Run an experiment in a directory of its own, show what came of it, and leave with that status."""
    place = Path(tempfile.mkdtemp(prefix="hookcatch-lab-"))
    with stores.made(store) as server:
        options = Options(str(place / "inbox.db"), str(place / "effects.log"), server=server)
        verdict = asyncio.run(experiment(replace(options, **wishes), place))
    show(verdict, console)
    if to:
        save(verdict, to)
    if not verdict.passed:
        console.print(f"the files are in {place}")
    raise SystemExit(not verdict.passed)


if __name__ == "__main__":
    main()
