"""The effect by the ORM and the mark that it is done: one commit, or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from hookcatch.core.errors import ConfigurationError, HookcatchError, LeaseLost
from hookcatch.core.model import Close, Duplicate, Lease, Run

from .conftest import event

DONE = Run("h", "succeeded", 1, started_at=1.0, finished_at=1.0)


@pytest.fixture
def groups(alias: str) -> Iterator[Any]:
    """A table of the project, in the same database."""
    from django.contrib.auth.models import Group
    from django.db import connections

    Group.objects.using(alias).delete()
    yield Group.objects.using(alias)
    connections[alias].close()


def runs(inbox: Any) -> list[Run]:
    return list(inbox.get(1)[1])


def test_the_effect_and_the_mark_are_committed_together(inbox, lease, groups):
    tx = inbox.transaction(lease, DONE)
    with tx:
        groups.create(name="a")
        assert not tx.committed
        assert runs(inbox) == []
    assert tx.committed
    assert groups.count() == 1
    assert runs(inbox) == [DONE]


def test_an_exception_takes_both_back_and_gets_out_as_it_is(inbox, lease, groups):
    tx = inbox.transaction(lease, DONE)
    with pytest.raises(ZeroDivisionError), tx:  # noqa: PT012
        groups.create(name="a")
        _ = 1 / 0
    assert not tx.committed
    assert (groups.count(), runs(inbox)) == (0, [])


def test_a_lost_lease_never_gets_in(inbox, lease, groups):
    inbox.lease(token="heir", limit=1, now=2000.0, until=2060.0).result()
    tx = inbox.transaction(lease, DONE)
    with pytest.raises(LeaseLost), tx:
        pytest.fail("the block ran")
    assert not tx.committed
    assert runs(inbox) == []
    inbox.accept([event("other")]).result()  # nothing is locked


def test_a_lease_that_is_lost_inside_takes_the_effect_back(inbox, lease, groups, alias):
    if alias == "django-sqlite":
        pytest.skip("SQLite is locked as a whole, so nobody can take the lease meanwhile")
    tx = inbox.transaction(lease, DONE)
    with pytest.raises(LeaseLost), tx:  # noqa: PT012
        groups.create(name="a")
        (heir,) = inbox.lease(token="heir", limit=1, now=2000.0, until=2060.0).result()
    assert not tx.committed
    assert groups.count() == 0
    with inbox.transaction(heir, DONE):
        groups.create(name="b")
    assert [one.name for one in groups.all()] == ["b"]


def test_a_handler_that_takes_its_time_stands_in_nobodys_way(inbox, lease, groups, alias):
    if alias == "django-sqlite":
        pytest.skip("SQLite is locked as a whole")
    with inbox.transaction(lease, DONE):
        groups.create(name="a")
        assert inbox.heartbeat([lease], until=1200.0).result(timeout=4) == (True,)
        assert isinstance(inbox.accept([event()]).result(timeout=4)[0], Duplicate)
    assert groups.count() == 1


def test_the_mark_outlives_the_worker_that_made_it(inbox, lease, groups):
    with inbox.transaction(lease, DONE):
        groups.create(name="a")
    (heir,) = inbox.lease(token="heir", limit=1, now=2000.0, until=2060.0).result()
    assert dict(heir.runs) == {"h": DONE}
    with pytest.raises(LeaseLost):
        inbox.settle(lease, [Run("h", "retry", 1)], Close("pending")).result()
    inbox.settle(heir, [Run("h", "retry", 2)], Close("pending")).result()
    assert runs(inbox) == [DONE]


def test_leaving_what_was_never_entered_does_nothing(inbox, lease):
    tx = inbox.transaction(lease, DONE)
    tx.__exit__(None, None, None)
    assert not tx.committed


def test_it_can_be_opened_once(inbox, lease, groups):
    tx = inbox.transaction(lease, DONE)
    with tx, pytest.raises(ConfigurationError, match="opened before"), tx:
        pytest.fail("the block ran")


def test_a_database_error_that_was_swallowed_is_not_taken_for_success(inbox, lease, groups, alias):
    from django.db import IntegrityError, transaction

    tx = inbox.transaction(lease, DONE)
    with pytest.raises(HookcatchError, match="swallowed"), tx:  # noqa: PT012
        groups.create(name="a")
        try:
            with transaction.atomic(using=alias, savepoint=False):
                groups.create(name="a")
        except IntegrityError:
            pass
    assert not tx.committed
    assert (groups.count(), runs(inbox)) == (0, [])


def test_a_savepoint_inside_may_fail(inbox, lease, groups, alias):
    from django.db import IntegrityError, transaction

    with inbox.transaction(lease, DONE):
        groups.create(name="a")
        with pytest.raises(IntegrityError), transaction.atomic(using=alias):
            groups.create(name="a")
    assert groups.count() == 1
    assert runs(inbox) == [DONE]


def test_a_commit_that_was_smuggled_in_is_found_out(inbox, lease, groups, alias):
    from django.db import connections

    tx = inbox.transaction(lease, DONE)
    with pytest.raises(HookcatchError, match="did not last to the end"), tx:  # noqa: PT012
        groups.create(name="a")
        with connections[alias].cursor() as cursor:
            cursor.execute("COMMIT")
    assert not tx.committed
    if alias != "django-sqlite":  # where it is marked first
        assert runs(inbox) == []


def test_what_the_database_finds_at_the_commit_is_the_handlers_error(inbox, lease, groups, alias):
    """Django's foreign keys are checked that late, but for MySQL's."""
    from django.contrib.auth.models import Permission
    from django.db import IntegrityError

    tx = inbox.transaction(lease, DONE)
    with pytest.raises(IntegrityError), tx:  # noqa: PT012
        groups.create(name="a")
        Permission.objects.using(alias).create(content_type_id=999_999, name="x", codename="x")
    assert not tx.committed
    assert (groups.count(), runs(inbox)) == (0, [])


def test_it_is_not_for_async_code(inbox, lease):
    async def enter() -> None:
        async with inbox.transaction(lease, DONE):
            pytest.fail("the block ran")

    with pytest.raises(ConfigurationError, match="plain function"):
        asyncio.run(enter())
    assert runs(inbox) == []


def test_inside_a_transaction_of_someone_else_it_is_refused(inbox, lease, groups, alias):
    """It would be committed, or not, when that one ends."""
    from django.db import transaction

    with transaction.atomic(using=alias), pytest.raises(RuntimeError, match="durable"):  # noqa: SIM117
        with inbox.transaction(lease, DONE):
            pytest.fail("the block ran")
    assert isinstance(lease, Lease)
