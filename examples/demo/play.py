"""The demo: a real receiver, real signed requests, a SIGKILL in the middle. Ends with what became of each event."""

import logging
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import httpx
from accounts import SECRETS, STRANGERS
from book import Answer, Case, Found, complaints, effects, repeated, strangers
from receiver import Receiver
from rich.console import Console
from rich.table import Table
from senders import SENDERS, USUAL, Request

from hookcatch.core.ports import Inbox, Query
from hookcatch.inbox import open_inbox

STREAM = 400
KILL_AFTER = (100, 250)
"""How many events of the stream are acknowledged when the receiver is killed."""

PATIENCE = 30.0
"""Seconds for the receiver to be idle."""

console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)


class Play:
    """The sender's side: it sends, and writes down each answer."""

    def __init__(self, url: str) -> None:
        self.cases: list[Case] = []
        self._http = httpx.Client(base_url=url, timeout=10, limits=httpx.Limits(max_connections=80))
        self._count = 0

    def case(self, case: Case, requests: Iterable[Request]) -> Case:
        """Send the requests one after the other."""
        self.cases.append(case)
        case.answers.extend(map(self.post, requests))
        return case

    def at_once(self, case: Case, requests: list[Request]) -> None:
        """Send them in the same moment."""
        self.cases.append(case)
        start = threading.Barrier(len(requests))

        def post(request: Request) -> Answer:
            start.wait()
            return self.post(request)

        with ThreadPoolExecutor(len(requests)) as threads:
            case.answers.extend(threads.map(post, requests))

    def stream(self, case: Case, requests: list[Request], watch: Callable[[int], None]) -> None:
        """Send them from eight threads; `watch` hears how many were answered."""
        self.cases.append(case)
        with ThreadPoolExecutor(8) as threads:
            for answer in threads.map(self.post, requests):
                case.answers.append(answer)
                watch(len(case.answers))

    def post(self, request: Request) -> Answer:
        """Send a request as senders do: without an answer, or told to come back, again a little later."""
        deadline = time.monotonic() + PATIENCE
        tries = 0
        while True:
            started = time.perf_counter()
            try:
                answer = self._http.post(f"/{request.source}", headers=request.headers, content=request.body)
                if answer.status_code != 503 or time.monotonic() > deadline:
                    took = (time.perf_counter() - started) * 1000
                    return Answer((request.source, request.id), answer.status_code, took, tries)
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            tries += 1
            time.sleep(0.1)

    def usual(self, source: str, secrets: dict[str, str] = SECRETS, age: float = 0.0) -> Request:
        """A request with what a sender usually tells."""
        kind, data = USUAL[source]
        return SENDERS[source](self.new_id(), kind, data, secrets[source], **({"age": age} if age else {}))

    def order(self, type: str, data: object = None) -> Request:
        """An event of the shop's own."""
        content = {"id": "o_3", "total": "12.00"} if data is None else data
        return SENDERS["standard_webhooks"](self.new_id(), type, content, SECRETS["standard_webhooks"])

    def new_id(self) -> str:
        """An event id that was not there yet."""
        self._count += 1
        return f"demo_{self._count:05}"


def send_one_by_one(play: Play) -> None:
    """All the cases in which the receiver lives."""
    good = [play.usual(source) for source in SENDERS for _ in range(5)]
    timed = [source for source in SENDERS if source != "twilio"]  # which signs no time
    play.case(Case("good, signed by each sender's own SDK", {200}, "succeeded", 1), good)
    play.case(Case("the same again, byte for byte", {200}, "succeeded", 1), good + good)
    play.at_once(
        Case("64 copies of one in the same moment", {200}, "succeeded", 1), [play.order("order.created")] * 64
    )
    forged = [play.usual(source, STRANGERS) for source in SENDERS for _ in range(2)]
    play.case(Case("forged: signed with another secret", {400, 401, 403}), forged)
    changed = [play.order("order.created"), play.usual("stripe"), play.usual("slack")]
    changed = [Request(one.source, one.id, one.headers, one.body + b" ") for one in changed]
    play.case(Case("rightly signed, then changed by one byte", {400, 401}), changed)
    play.case(Case("stale: signed an hour ago", {400, 401}), [play.usual(one, age=3600) for one in timed])
    play.case(
        Case("from the future: signed in an hour", {400, 401}), [play.usual(one, age=-3600) for one in timed]
    )
    broken = [play.order("", text) for text in ('{"type": ', '{"a": 1, "a": 2}', "[" * 100_000, '{"a": NaN}')]
    play.case(Case("malformed JSON, rightly signed", {400}), broken)
    huge = {"id": "o_4", "total": "1", "note": "x" * 2_000_000}
    play.case(Case("two megabytes, rightly signed", {413}), [play.order("order.created", huge)])
    unknown = [play.order("order.viewed") for _ in range(5)]
    play.case(Case("of a type that no handler wants", {200}, "ignored", 0, effects=False), unknown)
    invalid = [play.order("order.created", {"id": "o_5", "total": total}) for total in ("a lot", None)]
    play.case(Case("breaks its schema", {200}, "invalid", 1, effects=False), invalid)
    flaky = [play.order("order.refunded") for _ in range(5)]
    play.case(Case("handler fails twice, then works", {200}, "succeeded", 3), flaky)
    hopeless = [play.order("order.audited") for _ in range(2)]
    play.case(Case("handler never works", {200}, "dead", 3, effects=False), hopeless)
    label = [play.order("order.packed") for _ in range(10)]
    play.case(Case("plain handler, in a thread", {200}, "succeeded", 1), label)


def send_through_kills(play: Play, receiver: Receiver) -> None:
    """The stream in which it does not."""
    storm = Case(f"a stream, through {len(KILL_AFTER)} SIGKILLs", {200}, "succeeded")
    play.stream(storm, [play.order("order.created") for _ in range(STREAM)], Killer(receiver).watch)


class Killer:
    """Kills the receiver in the middle of the stream, and starts it again."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def watch(self, answered: int) -> None:
        """Hear how many events were acknowledged so far."""
        if answered in KILL_AFTER:
            self._receiver.kill()
            console.print(f"  SIGKILL after {answered} of {STREAM} acknowledged; starting it again")
            self._receiver.start()


def wait_until_idle(inbox: Inbox) -> bool:
    """Whether nothing waits any more before patience ends, not even a retry."""
    deadline = time.monotonic() + PATIENCE
    while inbox.next_due() is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def look(inbox: Inbox, place: Path) -> Found:
    """Everything that the receiver has."""
    known = [inbox.get(event.seq) for event in inbox.find(Query(limit=100_000))]
    events = {(event.source, event.id): (event, runs) for event, runs in filter(None, known)}
    return Found(events, *effects(place))


def table(cases: list[Case], found: Found) -> Table:
    """What was sent, what was answered, what became of it."""
    shown = Table(box=None, header_style="bold", pad_edge=False)
    for title in (
        "what was sent",
        "requests",
        "events",
        "answers",
        "ms (median, worst)",
        "became",
        "attempts",
        "",
    ):
        shown.add_column(title, justify="right" if title in ("requests", "events") else "left")
    for case in cases:
        shown.add_row(*_row(case, found))
    return shown


def _row(case: Case, found: Found) -> tuple[str, ...]:
    kept = [found.events[key] for key in case.keys if key in found.events]
    attempts = sorted({run.attempts for _, runs in kept for run in runs})
    times = sorted(answer.ms for answer in case.answers)
    again = sum(answer.tries > 0 for answer in case.answers)
    return (
        case.name,
        str(len(case.answers)),
        str(len(case.keys)),
        _counted(answer.status for answer in case.answers) + (f" ({again} sent again)" if again else ""),
        f"{median(times):.1f}, {times[-1]:.1f}",
        _counted(event.state for event, _ in kept) or "refused, not kept",
        " to ".join(str(number) for number in sorted({*attempts[:1], *attempts[-1:]})),
        "[red]✗[/]" if complaints(case, found) else "[green]✓[/]",
    )


def _counted(things: Iterable[object]) -> str:
    counts = Counter(things)
    return ", ".join(f"{count} × {thing}" for thing, count in counts.most_common())  # noqa: RUF001


def last_word(wrong: list[str], found: Found) -> str:
    """The sentence that all of this is about, if it is true."""
    if wrong:
        return "\n".join(["[red]not everything came out as promised:[/]", *wrong[:20]])
    again = repeated(found)
    if again:
        return (
            f"nothing was lost and nothing in a transaction was done twice; {again} effects outside one were "
            "repeated, as they may be: at least once is what is promised for them"
        )
    return "nothing was lost and nothing was done twice"


def perform(place: Path) -> list[str]:
    """The whole play; what went wrong."""
    receiver = Receiver(place)
    console.print(f"a receiver at {receiver.url}, its inbox in {place}")
    receiver.start()
    try:
        play = Play(receiver.url)
        inbox = open_inbox(f"sqlite:///{place / 'inbox.db'}", clock=time.time)
        inbox.open()
        send_one_by_one(play)
        # an attempt that a SIGKILL cut short counts: let all that is to be counted exactly end before
        wait_until_idle(inbox)
        send_through_kills(play, receiver)
        console.print("  everything is sent; waiting for the last handler")
        idle = wait_until_idle(inbox)
        found = look(inbox, place)
        inbox.close()
    finally:
        status = receiver.stop()
    wrong = [what for case in play.cases for what in complaints(case, found)] + strangers(play.cases, found)
    wrong += [] if idle else [f"events are still waiting after {PATIENCE:.0f} s"]
    wrong += [f"the receiver ended with status {status} at SIGTERM"] if status else []
    console.print(table(play.cases, found))
    console.print(last_word(wrong, found))
    return wrong


def main() -> int:
    """0 if everything came out as promised."""
    logging.getLogger("hookcatch").setLevel(logging.ERROR)
    place = Path(tempfile.mkdtemp(prefix="hookcatch-demo-"))
    wrong = perform(place)
    if wrong:
        console.print(f"the receiver's log and its inbox are in {place}")
        return 1
    shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
