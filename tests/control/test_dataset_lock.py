"""Who may make a dataset: one run, for as long as it renews its claim."""

from datetime import UTC, datetime

from vbvrdatafactory.control.dataset_lock import LockClaim, LockHolder, UnchangedTimer, is_free

LEASE = LockClaim(
    token="t",
    run="first",
    holder=LockHolder("host", 7, 1.0),
    ttl_seconds=120,
    taken_at=datetime(2026, 1, 15, tzinfo=UTC),
)


def test_a_lease_that_is_renewed_is_nobody_elses() -> None:
    """Whoever saw it change within its time to live has to wait."""
    assert not is_free(LEASE, "second", 119.9, is_holder_gone=False)


def test_a_lease_that_nobody_renews_is_free() -> None:
    """Seen unchanged for its whole time to live, its holder is dead or cut off."""
    assert is_free(LEASE, "second", 120, is_holder_gone=False)


def test_a_dead_holder_on_this_machine_need_not_be_waited_for() -> None:
    """The process is known to be gone."""
    assert is_free(LEASE, "second", 0, is_holder_gone=True)


def test_a_retry_goes_on_under_its_own_lease() -> None:
    """The same flow run is not in its own way."""
    assert is_free(LEASE, "first", 0, is_holder_gone=False)


def test_a_released_lease_is_free() -> None:
    """Its holder ended well."""
    assert is_free(LEASE.ended(), "second", 0, is_holder_gone=False)


def test_every_renewal_is_another_content() -> None:
    """An observer sees by the content's version that somebody lives."""
    assert LEASE.renewed().model_dump_json() != LEASE.model_dump_json()


def test_unchanged_time_is_counted_by_the_observers_clock_alone() -> None:
    """It begins with the first sight of a version, and anew with each other one."""
    sighting = UnchangedTimer()
    seen = [
        sighting.unchanged(version, now)
        for version, now in (("a", 5.0), ("a", 65.0), ("b", 70.0), ("b", 71.0))
    ]
    assert seen == [0.0, 60.0, 0.0, 1.0]


def test_a_person_can_find_the_holder() -> None:
    """Run, process, machine and time are in one line."""
    assert str(LEASE) == "run first (process 7 on host, since 2026-01-15 00:00:00 UTC)"
