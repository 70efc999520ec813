"""Any order of deliveries, claims, crashes, clocks and operators: every inbox behaves like a small model."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hookcatch.core.errors import LeaseLost
from hookcatch.core.model import (
    IN_WORK,
    WAITING,
    Accepted,
    Claim,
    Close,
    Duplicates,
    Lane,
    Lease,
    NewEvent,
    Run,
)
from hookcatch.core.ports import Clock, Inbox, Query, Retention

from .base import FakeClock

LENGTH = 60.0
PARKED = {"dead", "invalid", "failed"}
ENDED = PARKED | {"succeeded", "ignored", "discarded"}
KEEP = Retention(payload=300.0, key=900.0)
LANES = {
    "b": Lane("x"),
    "c": Lane("x", blocks=True),
    "d": Lane("x"),
    "e": Lane("y", 2, ordered=False),
    "f": Lane("y", 2, ordered=False),
    "g": Lane("y", 2, ordered=False),
}
"""By the event's id; `a` is in none."""


@dataclass
class Model:
    """One event, as SEMANTICS 3 to 5 tell it."""

    body: bytes | None
    run_at: float | None
    state: str = "pending"
    token: str = ""
    until: float = 0.0
    since: float = 0.0
    attempt: int = 0
    lost: int = 0
    replays: int = 0
    duplicates: int = 0
    conflicts: int = 0
    finished_at: float | None = None
    error: str = ""
    runs: dict[str, Run] = field(default_factory=dict)
    first: bytes = b""
    lane: Lane | None = None

    def start(self, claim: Claim | None, now: float) -> None:
        self.finished_at, self.error = None, ""
        if claim is None:
            self.state, self.run_at, self.token = "pending", now, ""
        else:
            self.hold("running" if claim.rescue else "handling", claim.token, claim.until, now)

    def hold(self, state: str, token: str, until: float, now: float) -> None:
        self.give(state, token, until, now)
        self.attempt += 1

    def give(self, state: str, token: str, until: float, now: float) -> None:
        self.state, self.token, self.until, self.since, self.run_at = state, token, until, now, None

    def end(self, state: str, now: float, error: str = "") -> None:
        self.state, self.token, self.run_at, self.finished_at, self.error = state, "", None, now, error

    def anew(self) -> None:
        self.attempt = self.lost = 0
        self.runs = {}

    def is_over(self, now: float) -> bool:
        return self.until <= now or self.until - now > 2 * (self.until - self.since)

    def meet(self, body: bytes, claim: Claim | None, revive: float | None, now: float) -> bool:
        """A copy arrives; whether it is accepted."""
        self.duplicates += 1
        self.conflicts += body != self.first
        dies = self.state == "dead" and revive is not None and (self.finished_at or 0) < revive
        if dies:
            self.anew()
        elif self.state != "failed" and not (self.state == "handling" and self.is_over(now)):
            return False
        self.start(claim, now)
        return True

    def facts(self) -> tuple[Any, ...]:
        return (
            self.state,
            self.body,
            self.run_at,
            self.attempt,
            self.lost,
            self.replays,
            self.duplicates,
            self.conflicts,
            self.finished_at,
            self.error,
            self.runs,
        )


class InboxMachine(RuleBasedStateMachine):
    """Does to an inbox what happens to one, and asks after each step whether it looks like the model."""

    @staticmethod
    def make(directory: Path, clock: Clock) -> Inbox:
        """See `InboxContract.make`."""
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.clock: FakeClock = FakeClock()
        self.directory: Path = Path(tempfile.mkdtemp())
        self.inbox: Inbox = self.make(self.directory, self.clock)
        self.inbox.open()
        self.model: dict[int, Model] = {}
        self.keys: dict[str, int] = {}
        self.leases: list[Lease] = []
        self.tokens: int = 0

    def teardown(self) -> None:
        self.inbox.close()
        shutil.rmtree(self.directory)

    def token(self) -> str:
        self.tokens += 1
        return f"token{self.tokens}"

    def holds(self, lease: Lease) -> Model | None:
        one = self.model.get(lease.event.seq)
        return one if one is not None and one.token == lease.token else None

    def is_stopped(self, seq: int, taken: list[int]) -> bool:
        """Whether others of its lane stand in an event's way, some of them taken a moment ago."""
        lane = self.model[seq].lane
        if lane is None or self.model[seq].state != "pending":
            return False
        others = {
            number: one
            for number, one in self.model.items()
            if number != seq and one.lane is not None and one.lane.key == lane.key
        }
        in_work = sum(one.state in IN_WORK or number in taken for number, one in others.items())
        if not lane.ordered:
            return in_work >= lane.limit
        before = {one.state for number, one in others.items() if number < seq}
        return (
            in_work > 0 or "pending" in before or (lane.blocks and not before.isdisjoint({"dead", "invalid"}))
        )

    def free(self, limit: int, cap: int | None) -> list[tuple[float, int]]:
        """What is due and nobody stands in the way of, earliest first."""
        now = self.clock.now
        room = (
            99
            if cap is None
            else cap - sum(one.state in {"running", "relayed"} for one in self.model.values())
        )
        taken: list[int] = []
        found = []
        waiting = [(one.run_at or 0.0, seq) for seq, one in self.model.items() if one.state in WAITING]
        for run_at, seq in sorted(waiting):
            needs_room = self.model[seq].state == "pending"
            if run_at > now or (needs_room and (room <= 0 or self.is_stopped(seq, taken))):
                continue
            room -= needs_room
            taken.append(seq)
            found.append((run_at, seq))
        return found[:limit]

    @rule(
        ids=st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=3),
        body=st.sampled_from([b"1", b"2"]),
        claim=st.sampled_from([None, True, False]),
        revive=st.sampled_from([None, 0.0, 150.0]),
    )
    def deliver(self, ids: list[str], body: bytes, claim: bool | None, revive: float | None) -> None:
        now = self.clock.now
        wanted = None if claim is None else Claim(self.token(), now + LENGTH, claim)
        before = None if revive is None else now - revive
        events = [
            NewEvent("shop", "", key, "t", now, body, body_hash=sha256(body).digest(), lane=LANES.get(key))
            for key in ids
        ]
        answers = self.inbox.accept(
            events, claim=wanted, duplicates=Duplicates(revive_before=before)
        ).result()
        for key, answer in zip(ids, answers, strict=True):
            known = self.model.get(self.keys.get(key, -1))
            if known is None:
                assert answer.seq not in self.model
                self.keys[key] = answer.seq
                known = self.model[answer.seq] = Model(body, now, first=body, lane=LANES.get(key))
                known.start(wanted, now)
                is_new = True
            else:
                is_new = known.meet(body, wanted, before, now)
            assert isinstance(answer, Accepted) == is_new
            assert answer.seq == self.keys[key]
            if isinstance(answer, Accepted):
                assert (answer.lease is not None) == (wanted is not None)
                self.leases += [answer.lease] if answer.lease else []
            else:
                assert answer.state == known.state
                assert answer.conflict == (body != known.first)

    @rule(
        limit=st.integers(1, 4),
        cap=st.sampled_from([None, None, 2, 4]),
        only=st.sampled_from([None, "shop", "elsewhere"]),
    )
    def take(self, limit: int, cap: int | None, only: str | None) -> None:
        now = self.clock.now
        due = self.free(limit, cap)
        lost = [
            (one.until, seq) for seq, one in self.model.items() if one.state == "running" and one.is_over(now)
        ]
        ready = [] if only == "elsewhere" else sorted(due + lost)
        expected = []
        token = self.token()
        last_chances = 0
        for _, seq in ready[:limit]:
            one = self.model[seq]
            is_last = one.lost + (one.state == "running") == 2
            last_chances += is_last
            if is_last and last_chances > 1:
                continue
            if one.state == "running":
                one.lost += 1
            if one.state == "running" and one.lost >= 3:
                one.end("dead", now, "worker_lost")
            else:
                one.hold("running", f"{token}.{one.attempt + 1}", now + LENGTH, now)
                expected.append(seq)
        caps = {} if cap is None else {"shop": cap}
        leases = self.inbox.lease(
            token=token, limit=limit, now=now, until=now + LENGTH, caps=caps, only=only
        ).result()
        assert [lease.event.seq for lease in leases] == expected
        for lease in leases:
            one = self.model[lease.event.seq]
            assert (lease.event.attempt, lease.event.body, dict(lease.runs)) == (
                one.attempt,
                one.body,
                one.runs,
            )
            one.token = lease.token
        self.leases += leases

    @precondition(lambda self: self.leases)
    @rule(
        data=st.data(),
        state=st.sampled_from([*sorted(WAITING), *sorted(ENDED)]),
        run=st.sampled_from(["succeeded", "retry"]),
    )
    def settle(self, data: st.DataObject, state: Any, run: Any) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        close = data.draw(st.sampled_from([None, Close(state, error="e")]))
        done = Run(data.draw(st.sampled_from("gh")), run, lease.event.attempt)
        one = self.holds(lease)
        future = self.inbox.settle(lease, [done], close)
        if one is None:
            with pytest.raises(LeaseLost):
                future.result()
            return
        future.result()
        if one.runs.get(done.handler, done).state != "succeeded" or done.handler not in one.runs:
            one.runs[done.handler] = done
        if close is None:
            return
        one.lost = one.lost if state == "relayed" else 0
        if state in WAITING:
            one.state, one.token, one.run_at, one.error = state, "", self.clock.now, "e"
        else:
            one.end(state, self.clock.now, "e")

    @precondition(lambda self: self.keys)
    @rule(data=st.data())
    def an_engine_calls(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.keys)))
        of = data.draw(st.sampled_from(["", *[lease.token for lease in self.leases]]))
        one = self.model.get(self.keys[key])
        now, token = self.clock.now, self.token()
        lease = self.inbox.take("shop", "", key, of=of, token=token, now=now, until=now + LENGTH).result()
        is_there = one is not None and one.state == "relayed"
        is_faster = one is not None and one.state == "running" and one.token == of
        assert (lease is not None) == (is_there or is_faster)
        if one is not None and lease is not None:
            one.give("running", token, now + LENGTH, now)
            assert (lease.event.attempt, lease.event.body, dict(lease.runs)) == (
                one.attempt,
                one.body,
                one.runs,
            )
            self.leases.append(lease)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def heartbeat(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        one = self.holds(lease)
        until = self.clock.now + LENGTH
        assert self.inbox.heartbeat([lease], until=until).result() == (one is not None,)
        if one is not None:
            one.until, one.since = until, self.clock.now

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        one = self.holds(lease)
        self.inbox.release([lease]).result()
        if one is None:
            return
        one.attempt -= 1
        if one.state == "running":
            one.state, one.token, one.run_at, one.error = "pending", "", self.clock.now, ""
        else:
            one.end("failed", self.clock.now)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        seqs = data.draw(st.lists(st.sampled_from(sorted(self.model)), max_size=3))
        chosen = [self.model[seq] for seq in set(seqs)]
        chosen = [one for one in chosen if one.state in ENDED and one.body is not None]
        assert self.inbox.replay(seqs, now=self.clock.now).result() == len(chosen)
        for one in chosen:
            one.anew()
            one.start(None, self.clock.now)
            one.replays += 1

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def discard(self, data: st.DataObject) -> None:
        seqs = data.draw(st.lists(st.sampled_from(sorted(self.model)), max_size=2))
        chosen = [one for one in (self.model[seq] for seq in set(seqs)) if one.state in PARKED | WAITING]
        assert self.inbox.discard(seqs, now=self.clock.now, why="w").result() == len(chosen)
        for one in chosen:
            one.end("discarded", self.clock.now, "w")

    @rule()
    def prune(self) -> None:
        now = self.clock.now
        gone = 0
        for seq, one in list(self.model.items()):
            ended = one.finished_at if one.state in ENDED else one.until if one.state == "handling" else None
            if ended is not None and ended < now - KEEP.key:
                del self.model[seq]
                gone += 1
            elif (
                one.state in ENDED - PARKED and one.body is not None and one.finished_at < now - KEEP.payload
            ):
                one.body = None
                gone += 1
        assert self.inbox.prune(now=now, retention=KEEP).result() == gone
        assert self.inbox.prune(now=now, retention=KEEP).result() == 0

    @rule(seconds=st.sampled_from([1.0, 59.0, 60.0, 200.0, 400.0, 1000.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(seconds=st.sampled_from([1.0, 61.0, 500.0, 1e9]))
    def the_clock_is_set_back(self, seconds: float) -> None:
        self.clock.now -= seconds

    @rule()
    def the_process_restarts(self) -> None:
        self.inbox.close()
        if self.inbox.shared:
            self.inbox = self.make(self.directory, self.clock)
        self.inbox.open()

    @invariant()
    def it_looks_like_the_model(self) -> None:
        assert {found.seq for found in self.inbox.find(Query())} == set(self.model)
        for seq, one in self.model.items():
            found = self.inbox.get(seq)
            assert found is not None
            event, runs = found
            assert one.facts() == (
                event.state,
                event.body,
                event.run_at,
                event.attempt,
                event.lost,
                event.replays,
                event.duplicates,
                event.conflicts,
                event.finished_at,
                event.error,
                {run.handler: run for run in runs},
            )
        lost = [one.until for one in self.model.values() if one.state == "running"]
        times = {seq: one.run_at for seq, one in self.model.items() if one.state in WAITING}
        free = [at for seq, at in times.items() if not self.is_stopped(seq, [])]
        next_due = self.inbox.next_due()  # what is not free may be left out
        next_due = 9e9 if next_due is None else next_due
        assert min([*lost, *times.values()], default=9e9) <= next_due <= min([*lost, *free], default=9e9)
        assert sum(self.inbox.counts().values()) == len(self.model)


def behave_like_the_model(make: Callable[[Path, Clock], Inbox], examples: int) -> None:
    """Run the machine on an inbox; raises what it finds, with the shortest way there."""
    machine = type("Machine", (InboxMachine,), {"make": staticmethod(make)})
    chosen = settings(
        max_examples=examples, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(machine, settings=chosen)
