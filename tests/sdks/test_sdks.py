"""What we sign, the senders' own libraries verify; what they sign, we verify; what is forged, both refuse."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib.metadata import distribution

import pytest

from hookcatch.core.errors import Rejected
from hookcatch.core.wire import Request
from hookcatch.providers import provider
from support.senders import secret

from .sdk import Sdk
from .table import SDKS

Check = Callable[[Sdk], None]


def they_accept_what_we_sign(sdk: Sdk) -> None:
    assert accepted_by_them(sdk, sdk.signed_by_us(time.time()))


def they_refuse_what_we_sign_as_is_known(sdk: Sdk) -> None:
    assert not accepted_by_them(sdk, sdk.signed_by_us(time.time()))


def they_accept_what_they_sign(sdk: Sdk) -> None:
    assert accepted_by_them(sdk, signed_by_them(sdk))


def we_accept_what_they_sign(sdk: Sdk) -> None:
    assert accepted_by_us(sdk, signed_by_them(sdk))


def both_refuse_another_secret(sdk: Sdk) -> None:
    request = good(sdk)
    assert not accepted_by_us(sdk, request, number=1)
    assert not accepted_by_them(sdk, request, number=1)


def both_refuse_another_body(sdk: Sdk) -> None:
    request = good(sdk)
    forged = request.replace(body=request.body.replace(sdk.tamper, sdk.tamper[:-1] + b"7"))
    assert forged != request
    assert not accepted_by_us(sdk, forged)
    assert not accepted_by_them(sdk, forged)


def checks(sdk: Sdk) -> Iterator[Check]:
    if sdk.verifies:
        yield they_refuse_what_we_sign_as_is_known if sdk.unlike else they_accept_what_we_sign
        yield both_refuse_another_secret
        if sdk.tamper:
            yield both_refuse_another_body
    if sdk.signs:
        yield we_accept_what_they_sign
        if sdk.verifies:
            yield they_accept_what_they_sign


# One library after the other: each is slow to import, and workers take what stands together.
CASES = [
    pytest.param(sdk, check, id=" ".join(filter(None, (sdk.row, sdk.package, sdk.note, check.__name__))))
    for sdk in SDKS
    for check in checks(sdk)
]


@pytest.mark.parametrize(("sdk", "check"), CASES)
def test_the_row_and_the_library_agree(sdk: Sdk, check: Check) -> None:
    check(sdk)


@pytest.mark.parametrize("package", sorted({sdk.package for sdk in SDKS}))
def test_the_library_is_what_pip_calls_it(package: str) -> None:
    assert distribution(package).version


def good(sdk: Sdk) -> Request:
    """A request that both accept."""
    return signed_by_them(sdk) if sdk.unlike else sdk.signed_by_us(time.time())


def signed_by_them(sdk: Sdk) -> Request:
    assert sdk.signs
    return sdk.signs(sdk.unsigned(), secret(sdk.row), time.time())


def accepted_by_us(sdk: Sdk, request: Request, number: int = 0) -> bool:
    try:
        provider(sdk.row).verify(request, secret=secret(sdk.row, number), now=time.time())
    except Rejected:
        return False
    return True


def accepted_by_them(sdk: Sdk, request: Request, number: int = 0) -> bool:
    """A refusal is whatever they raise, but not what a mistake in our adapter would."""
    assert sdk.verifies
    try:
        return bool(sdk.verifies(request, secret(sdk.row, number)))
    except (AssertionError, AttributeError, ImportError, NameError, TypeError, Warning):
        raise
    except Exception:
        return False
