"""The paths: `receive`, from a request to the ack, `process`, from a lease to its settlement, and between them, where
an engine does the work, `hand_over` and `take_over`.

    Request -> [tenant] -> verify -> Delivery -> accept -> Accepted | Duplicate -> Response       receive
                        -> greet  -> Greeting -> Response                             a handshake: no event is kept
    Lease -> handlers -> Outcome, each by itself -> settle                            process
    Lease -> Relay -> settle as relayed                                               hand_over
    message -> Lease -> work, that is process, apart from the caller                  take_over

Everything that runs a handler goes through `process`: the worker, an ack that waits for the handler, a replay.
Nothing here blocks, awaits or tells the time but through a port, so the same lines serve every server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Literal

from .answers import acknowledge, come_back, refuse
from .attempt import Context, attempt
from .endpoint import App, Endpoint, Tenants
from .errors import InboxUnavailable, Invalid, KeysUnavailable, LeaseLost, Rejected, RelayUnavailable
from .greeting import Greeting
from .handler import Handler, matches
from .keyring import KeyNeeded
from .model import PARKED, Accepted, Claim, Close, Delivery, Duplicate, Lease, Run
from .order import judge
from .payload import data_of, validate
from .ports import Ports, Relay
from .rows import duplicates, new_events
from .wire import Request, Response

_BY_WEIGHT: tuple[Literal["dead", "invalid", "succeeded", "discarded"], ...] = (
    "dead",
    "invalid",
    "succeeded",
    "discarded",
)

Answer = tuple[Response, str]
"""The response, and for our own log why it is the right one."""


async def receive(request: Request, endpoint: Endpoint, app: App, ports: Ports) -> Response:
    """Verify, keep, acknowledge. Says 2xx only of what is kept; raises nothing that a sender could cause."""
    started = ports.clock()
    delivery: Delivery | None = None
    reason, known = "", endpoint
    try:
        if endpoint.tenants is not None:
            known = await _of_tenant(endpoint, endpoint.tenants, ports)
        heard = await _hear(request, known, ports, started)
        if isinstance(heard, Greeting):
            response, verdict = await _greet(heard, known, ports)
        else:
            delivery = heard
            known = known.answering(delivery)
            response, verdict = await _keep(delivery, request, known, app, ports, started)
    except Rejected as why:
        response, verdict, reason = _refuse(why, endpoint), str(why), why.reason
    except InboxUnavailable as why:
        response, verdict = come_back(why.retry_after), f"inbox unavailable: {why}"
    except KeysUnavailable as why:
        response, verdict = come_back(why.retry_after), f"key unavailable: {why}"
    except TimeoutError:
        response, verdict = come_back(), "the inbox did not answer in time"
    ports.observer.delivered(
        source=endpoint.name,
        delivery=delivery,
        status=response.status,
        verdict=verdict,
        seconds=ports.clock() - started,
    )
    if reason:
        _suspect(request, known, reason, ports)
    return response


def turn_away(why: Rejected, request: Request, endpoint: Endpoint, ports: Ports) -> Response:
    """The answer to a request whose head or body was refused by the edge; `request` is what there is of it."""
    response = _refuse(why, endpoint)
    ports.observer.delivered(
        source=endpoint.name, delivery=None, status=response.status, verdict=str(why), seconds=0.0
    )
    _suspect(request, endpoint, why.reason, ports)
    return response


def _suspect(request: Request, endpoint: Endpoint, reason: str, ports: Ports) -> None:
    if endpoint.is_known:
        ports.suspect(request, endpoint.name, endpoint.tenant, reason)


def _refuse(why: Rejected, endpoint: Endpoint) -> Response:
    policy = endpoint.policy
    return refuse(
        why, policy.bad_signature, endpoint.allowed, policy.challenge, silent=not policy.success_body
    )


async def process(lease: Lease, app: App, ports: Ports) -> Close:
    """Run what is due of an event's handlers, each by itself, and settle under the lease's fence. What comes too late
    to matter is settled without them.

    Each handler's result is on disk before the next one starts, so a crash repeats only the one it hit.

    Raises:
        LeaseLost: another worker owns the event, and nothing was written.
    """
    event = lease.event
    endpoint = app.endpoints.get(event.source)
    handlers = app.routes.find(event.source, event.type)
    runs = dict(lease.runs)
    unsaved: list[Run] = []
    reply: Response | None = None
    with ports.keep(lease):
        verdict = await judge(lease, app.order(event.source), ports)
        if verdict.close is not None:
            await ports.colour.wait(ports.inbox.settle(lease, (), verdict.close))
            return verdict.close
        context = _context(endpoint, ports, is_stale=verdict.is_stale)
        for handler in _due(handlers, lease, endpoint, ports.clock()):
            if unsaved:
                await ports.colour.wait(ports.inbox.settle(lease, unsaved, None))
            outcome, run = await attempt(handler, lease, context)
            runs[handler.name] = run
            unsaved = [run]
            if handler.reply and reply is None:
                reply = outcome.value
        close = _conclude(handlers, runs, lease, reply, ports.clock())
        await ports.colour.wait(ports.inbox.settle(lease, unsaved, close))
    return close


def _context(endpoint: Endpoint | None, ports: Ports, *, is_stale: bool) -> Context:
    if endpoint is None:
        return Context("", "", ports, is_stale)
    return Context(endpoint.provider, endpoint.data_path, ports, is_stale)


async def hand_over(lease: Lease, relay: Relay, ports: Ports) -> Close:
    """Give an event to an engine. Until it has confirmed, the event is ours; then it is trusted with it for a time.

    Raises:
        RelayUnavailable: it did not confirm, and the lease is still held. It may have the message all the same: such
            a message finds nothing to take.
        LeaseLost: another worker owns the event, or the engine works on it already.
    """
    with ports.keep(lease):
        try:
            await ports.colour.call(relay.send, relay.timeout, message=relay.seal(lease))
        except Exception as why:
            raise RelayUnavailable(f"{type(why).__name__}: {why}") from why
        close = Close("relayed", ports.clock() + relay.patience)
        await ports.colour.wait(ports.inbox.settle(lease, (), close))
    return close


async def take_over(key: tuple[str, str, str], of: str, ports: Ports) -> Close | None:
    """Work on the event (source, tenant, id) that an engine brings, handed over under the lease token `of`. None if
    there is nothing to do: another message brought it, or it has ended.

    Raises:
        InboxUnavailable: the engine should bring it again.
        LeaseLost: as `process`.
    """
    now = ports.clock()
    taking = ports.inbox.take(*key, of=of, token=ports.token(), now=now, until=now + ports.lease)
    lease = await ports.colour.wait(taking)
    if lease is None:
        return None
    return await ports.colour.wait(ports.work(lease))


async def _of_tenant(endpoint: Endpoint, tenants: Tenants, ports: Ports) -> Endpoint:
    """The endpoint with the secrets of the tenant whom the path names. Raises Rejected, KeysUnavailable."""
    tenant = tenants.named(endpoint.segment)
    known = tenants.get(tenant, ports.clock())
    if known is None:
        try:
            secrets = await ports.colour.call(tenants.resolve, endpoint.policy.ack_deadline, tenant=tenant)
            known = tenants.put(tenant, secrets, ports.clock())
        except Rejected:
            raise
        except Exception as why:  # the user's own code, or a secret that cannot be one
            raise KeysUnavailable(f"the secrets of tenant {tenant!r}: {type(why).__name__}: {why}") from why
    return endpoint.of(tenant, known)


async def _hear(request: Request, endpoint: Endpoint, ports: Ports, now: float) -> Delivery | Greeting:
    """What the request is, proven where it has to be. Raises Rejected, KeysUnavailable."""
    greeter = endpoint.greeter
    greeting = greeter.before(request, now) if greeter else None
    if greeting is not None:
        return greeting
    try:
        delivery = endpoint.verifier.verify(request, now)
    except KeyNeeded as need:
        await ports.colour.wait(ports.keys.fetch(need.ref), endpoint.policy.ack_deadline)
        delivery = endpoint.verifier.verify(request, now)
    greeting = greeter.after(request, delivery) if greeter else None
    if greeting is None and request.method not in endpoint.methods:
        raise Rejected("method_not_allowed", request.method)
    return greeting or delivery


async def _greet(greeting: Greeting, endpoint: Endpoint, ports: Ports) -> Answer:
    """The answer to a handshake, after what it teaches is kept. The first secret wins: whoever finds the URL later
    must not be able to put another one in its place."""
    if greeting.learned is not None and endpoint.tenants is not None:
        kept = await ports.colour.wait(
            ports.inbox.learn(endpoint.name, endpoint.tenant, greeting.learned), endpoint.policy.ack_deadline
        )
        if not kept:
            raise Rejected("bad_signature", "a handshake with another secret than the one that is known")
        endpoint.tenants.forget(endpoint.tenant)
    if greeting.visit:
        ports.visit(greeting.visit)
    return greeting.response, f"handshake {greeting.name}"


async def _keep(
    delivery: Delivery, request: Request, endpoint: Endpoint, app: App, ports: Ports, started: float
) -> Answer:
    """Commit the events, and with a policy or a reply handler that wants it, run them before the answer."""
    waits = _waits_for_handlers(delivery, endpoint, app)
    claim = Claim(ports.token(), started + ports.lease, endpoint.policy.ack == "deadline") if waits else None
    answers = await ports.colour.wait(
        ports.inbox.accept(
            new_events(delivery, request, endpoint, started),
            claim=claim,
            duplicates=duplicates(endpoint.policy, started),
        ),
        endpoint.policy.ack_deadline,
    )
    _refuse_what_the_policy_refuses(answers, endpoint)
    if waits:
        return await _after_handlers(answers, endpoint, ports, started)
    return acknowledge(endpoint.policy.success, endpoint.policy.success_body), _stored(answers)


def _waits_for_handlers(delivery: Delivery, endpoint: Endpoint, app: App) -> bool:
    """Whether handlers run before the ack. Refuses broken payloads on the way, where the policy wants that."""
    policy = endpoint.policy
    if policy.ack == "stored" and policy.on_invalid == "park" and not app.has_replies:
        return False
    wanted = [
        (event, handler)
        for event in delivery.events
        for handler in app.routes.find(endpoint.name, event.type)
    ]
    if policy.on_invalid == "reject":
        for event, handler in wanted:
            _refuse_invalid(handler, event.payload, endpoint.data_path)
    return policy.ack != "stored" or any(handler.reply for _, handler in wanted)


def _refuse_invalid(handler: Handler, payload: object, data_path: str) -> None:
    if isinstance(handler.when, Mapping) and not matches(handler.when, payload):
        return
    try:
        for slot in handler.slots:
            if slot.wanted is not None:
                part = data_of(payload, data_path) if slot.path is None else payload
                validate(slot.wanted, part, slot.path or "")
    except Invalid as why:
        raise Rejected("invalid_payload", str(why)) from None


def _refuse_what_the_policy_refuses(answers: Sequence[Accepted | Duplicate], endpoint: Endpoint) -> None:
    for answer in answers:
        if isinstance(answer, Accepted):
            continue
        if answer.conflict and endpoint.policy.on_conflict == "reject":
            raise Rejected("conflicting_body", "this id was received before, with another body")
        if answer.replayed_content and endpoint.policy.on_replayed_content == "reject":
            raise Rejected("replayed_content", "this signed content was received before, under another id")


def _stored(answers: Sequence[Accepted | Duplicate]) -> str:
    for answer in answers:
        if isinstance(answer, Accepted):
            return "stored"
    return "duplicate" if answers else "stored"


async def _after_handlers(
    answers: Sequence[Accepted | Duplicate], endpoint: Endpoint, ports: Ports, started: float
) -> Answer:
    """Run the claimed events, wait for them or for the deadline, and say what came of it.

    With `handled`, 2xx is never said while an event is undecided: if the first copy failed after we had
    acknowledged the second, the event would be lost.
    """
    policy = endpoint.policy
    try:
        ends = await _ends(answers, ports, started + policy.ack_deadline)
    except (TimeoutError, LeaseLost):
        if policy.ack == "deadline":
            return acknowledge(policy.success, policy.success_body), "stored, the handlers go on"
        return come_back(), "undecided"
    if any(end.state == "failed" for end in ends):
        return come_back(), "a handler failed"
    reply = next((end.reply for end in ends if end.reply is not None), None)
    fresh = any(isinstance(answer, Accepted) for answer in answers)
    return reply or acknowledge(policy.success, policy.success_body), "handled" if fresh else "duplicate"


async def _ends(
    answers: Sequence[Accepted | Duplicate], ports: Ports, deadline: float
) -> list[Close | Duplicate]:
    """How each event ended, whoever works on it. Raises TimeoutError if that takes too long."""
    work = [ports.work(one.lease) for one in answers if isinstance(one, Accepted) and one.lease]
    closes = [await ports.colour.wait(future, max(0.0, deadline - ports.clock())) for future in work]
    known = [await _decided(one, ports, deadline) for one in answers if isinstance(one, Duplicate)]
    return [*known, *closes]


async def _decided(known: Duplicate, ports: Ports, deadline: float) -> Duplicate:
    """The first copy's end, once whoever handles it has decided. Raises TimeoutError if that takes too long,
    or if it failed: then the sender's next try is the one that counts."""
    if known.state != "handling":
        return known
    while ports.clock() < deadline:
        try:
            # a future that nobody resolves: a pause, in either colour
            await ports.colour.wait(Future[None](), 0.05)
        except TimeoutError:
            state, reply = ports.inbox.state_of(known.seq)
            if state is None or state == "failed":
                break
            if state != "handling":
                return replace(known, state=state, reply=reply)
    raise TimeoutError


def _due(handlers: Sequence[Handler], lease: Lease, endpoint: Endpoint | None, now: float) -> list[Handler]:
    """The handlers to run under this lease: not done yet, and not waiting for a later time."""
    before_ack = lease.event.state == "handling"
    only_replies = before_ack and endpoint is not None and endpoint.policy.ack == "stored"
    due = []
    for handler in handlers:
        run = lease.runs.get(handler.name)
        waits = run is not None and (run.state != "retry" or (not before_ack and (run.run_at or 0) > now))
        if not waits and (handler.reply or not only_replies):
            due.append(handler)
    return due


def _conclude(
    handlers: Sequence[Handler], runs: Mapping[str, Run], lease: Lease, reply: Response | None, now: float
) -> Close:
    """What all runs together make of the event."""
    known = [runs[handler.name] for handler in handlers if handler.name in runs]
    retries = [run for run in known if run.state == "retry"]
    if retries and lease.event.state == "handling":
        return Close("failed", error=_why(retries[0]), reply=reply)
    if retries or len(known) < len(handlers):
        times = [now if run.run_at is None else run.run_at for run in retries]
        times += [now] * (len(handlers) > len(known))
        return Close("pending", min(times), _why(retries[0]) if retries else "", reply)
    for state in _BY_WEIGHT:
        for run in known:
            if run.state == state:
                return Close(state, error=_why(run) if state in PARKED else "", reply=reply)
    return Close("ignored", reply=reply)


def _why(run: Run) -> str:
    return f"{run.handler}: {run.error}"
