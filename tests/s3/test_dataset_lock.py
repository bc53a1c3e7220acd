"""The door to a lease, on a store with conditional puts and a clock of the test's own."""

import threading
from datetime import UTC, datetime

import obstore
import pytest
from obstore.store import MemoryStore

from vbvrdatafactory.control.dataset_lock import DatasetLockLost, LockClaim, LockHolder
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.s3 import dataset_lock as module
from vbvrdatafactory.s3.dataset_lock import DatasetLock

KEY = "_datafactory/datasets/d/lease.json"


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def claim(run: str, ttl: float = 120) -> LockClaim:
    return LockClaim(
        token=f"token of {run}",
        run=run,
        holder=LockHolder("host", 1, 1.0),
        ttl_seconds=ttl,
        taken_at=datetime(2026, 1, 15, tzinfo=UTC),
    )


def door(store: MemoryStore, clock: Clock, run: str, **options: object) -> DatasetLock:
    return DatasetLock(store, KEY, claim(run), clock=clock, **options)


def test_the_first_takes_it_and_the_second_is_told_by_whom(store, clock) -> None:
    """Of two runs one gets the lease."""
    assert door(store, clock, "first").take() is None
    assert door(store, clock, "second").take() == claim("first")


def test_of_many_at_once_one_gets_it(store, clock) -> None:
    """Sixteen threads that take it in the same moment: one succeeds."""
    start, got = threading.Barrier(16), []

    def take(number: int) -> None:
        mine = door(store, clock, f"run-{number}")
        start.wait()
        if mine.take() is None:
            got.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_a_lease_that_is_not_renewed_is_taken_over_and_the_holder_finds_out(store, clock) -> None:
    """After its time to live, by the observer's clock, the second has it, and the first must stop."""
    first, second = door(store, clock, "first"), door(store, clock, "second")
    first.take()
    assert second.take() is not None
    clock.now = 119
    assert second.take() is not None
    clock.now = 120
    assert second.take() is None
    with pytest.raises(DatasetLockLost, match="run second"):
        first.check()


def test_a_renewed_lease_is_not_taken_over(store, clock) -> None:
    """However long it takes, whoever renews it keeps it."""
    first, second = door(store, clock, "first"), door(store, clock, "second")
    first.take()
    for minute in range(1, 10):
        second.take()
        clock.now = 60.0 * minute
        first.renew()
    assert second.take() is not None
    first.check()


def test_a_released_lease_is_taken_at_once(store, clock) -> None:
    """A run that ended well is nobody's wait."""
    first = door(store, clock, "first")
    first.take()
    first.release()
    second = door(store, clock, "second")
    assert (second.take(), second.left_by) == (None, None)


def test_a_dead_holder_is_not_waited_for(store, clock) -> None:
    """Where its process is known to be gone, the lease is free, and known as one that was left."""
    door(store, clock, "first").take()
    second = door(store, clock, "second", is_gone=lambda lease: lease.run == "first")
    assert (second.take(), second.left_by and second.left_by.run) == (None, "first")


def test_a_retry_takes_over_its_own_lease(store, clock) -> None:
    """The same flow run in another process goes on; the process before it must not."""
    before = door(store, clock, "first")
    before.take()
    retry = DatasetLock(store, KEY, claim("first").model_copy(update={"token": "other"}), clock=clock)
    assert retry.take() is None
    before.renew()
    with pytest.raises(DatasetLockLost):
        before.check()


class Forgetful:
    """obstore's put, which does it and then says that it could not."""

    def __init__(self, error: type[Exception]) -> None:
        self.error, self.put = error, obstore.put

    def __call__(self, store, key, data, *, mode):
        self.put(store, key, data, mode=mode)
        raise self.error("the answer was lost, and the put tried once more")


@pytest.mark.parametrize(
    "error", [obstore.exceptions.AlreadyExistsError, obstore.exceptions.PreconditionError]
)
def test_a_put_whose_answer_was_lost_is_recognised(store, clock, monkeypatch, error) -> None:
    """A claim that lies there already, by our own put, is ours."""
    mine = door(store, clock, "first")
    with monkeypatch.context() as patch:
        patch.setattr(module.obstore, "put", Forgetful(error))
        assert mine.take() is None
    mine.renew()
    mine.check()


def test_a_bucket_that_is_away_for_a_while_loses_no_lease(store, clock, monkeypatch) -> None:
    """Overdue, it can't be said to be held; back again, it is renewed and holds."""
    mine = door(store, clock, "first")
    mine.take()

    def away(*_: object, **__: object) -> None:
        raise obstore.exceptions.GenericError("no route to host")

    clock.now = 500
    with monkeypatch.context() as patch:
        patch.setattr(module.obstore, "put", away)
        with pytest.raises(obstore.exceptions.GenericError):
            mine.check()
    mine.check()


def test_a_kept_lease_is_renewed_until_it_is_released(store) -> None:
    """A thread renews it three times within its time to live; after the release it does not any more."""
    mine = DatasetLock(store, KEY, claim("first", ttl=0.15))
    mine.take()
    mine.keep()
    renewals = threading.Event()
    for _ in range(200):
        if LockClaim.model_validate_json(bytes(obstore.get(store, KEY).bytes())).renewals >= 3:
            break
        renewals.wait(0.02)
    mine.release()
    last = bytes(obstore.get(store, KEY).bytes())
    renewals.wait(0.2)
    assert LockClaim.model_validate_json(last).renewals >= 3
    assert bytes(obstore.get(store, KEY).bytes()) == last


def test_a_file_that_is_no_lease_is_an_answer(store, clock) -> None:
    """One line with the key and the next move."""
    obstore.put(store, KEY, b"{}")
    with pytest.raises(DataFactoryError, match=r"lease\.json is no LockClaim: .*; delete it"):
        door(store, clock, "first").take()


def test_a_lease_that_somebody_deleted_is_put_again(store, clock) -> None:
    """Nobody else took it, so it is still ours."""
    mine = door(store, clock, "first")
    mine.take()
    obstore.delete(store, KEY)
    mine.renew()
    mine.check()
    assert door(store, clock, "second").take() is not None
