"""Coverage-guided fuzzing of `verify` over all providers: `python tests/fuzz/fuzz_verify.py -runs=50000`.

Two promises: nothing but Rejected escapes, and nothing is accepted that the sender did not sign.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import atheris

with atheris.instrument_imports(include=["hookcatch"]):
    import hookcatch.providers  # noqa: F401

from hookcatch.core.errors import Rejected
from hookcatch.core.wire import Request
from support.forgery import HONEST, PROOFS, PROVEN, VERIFIERS, is_forged
from support.senders import NOW


def main(data: bytes) -> None:
    given = atheris.FuzzedDataProvider(data)
    name = PROVEN[given.ConsumeIntInRange(0, len(PROVEN) - 1)]
    request = MUTATIONS[given.ConsumeIntInRange(0, len(MUTATIONS) - 1)](name, given)
    try:
        VERIFIERS[name].precheck(request.replace(body=b""), NOW)
        delivery = VERIFIERS[name].verify(request, NOW)
    except Rejected:
        return
    if is_forged(name, request, delivery):
        raise AssertionError(f"{name} accepted what nobody signed: {request!r}")


def anything(name: str, given: atheris.FuzzedDataProvider) -> Request:
    """The right header names with any values, and any body."""
    values = [(where, given.ConsumeBytes(given.ConsumeIntInRange(0, 300))) for where, _ in PROOFS[name]]
    kind = given.PickValueInList([b"application/json", b"application/x-www-form-urlencoded", b"text/plain"])
    url = given.ConsumeUnicode(40) if given.ConsumeBool() else HONEST[name].url
    return Request("POST", url, [*values, (b"content-type", kind)], given.ConsumeBytes(4096))


def another_value(name: str, given: atheris.FuzzedDataProvider) -> Request:
    """An honest request with some bytes of one added header exchanged."""
    request = HONEST[name]
    if not PROOFS[name]:
        return another_body(name, given)
    where, value = PROOFS[name][given.ConsumeIntInRange(0, len(PROOFS[name]) - 1)]
    return request.with_header(where.decode(), spliced(value, given))


def another_body(name: str, given: atheris.FuzzedDataProvider) -> Request:
    """An honest request with some bytes of its body exchanged."""
    return HONEST[name].replace(body=spliced(HONEST[name].body, given))


def spliced(value: bytes, given: atheris.FuzzedDataProvider) -> bytes:
    start = given.ConsumeIntInRange(0, len(value))
    end = given.ConsumeIntInRange(start, min(len(value), start + 8))
    return value[:start] + given.ConsumeBytes(64) + value[end:]


MUTATIONS: list[Callable[[str, atheris.FuzzedDataProvider], Request]] = [
    anything,
    another_value,
    another_body,
]


if __name__ == "__main__":
    atheris.Setup([*sys.argv, "-max_len=4096"], main)
    atheris.Fuzz()
