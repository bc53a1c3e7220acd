"""What samples are by their content: planted in a bucket, told apart, and nothing else accused."""

from collections.abc import Callable
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore

from tests.recorded import put_archive, put_recorded
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.generators_lock import Pin, Pins
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.driver.observe import observe, remove_superseded
from vbvrdatafactory.planning.contents import State
from vbvrdatafactory.planning.gaps import Observation
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.s3.ledger import read_part
from vbvrdatafactory.s3.listing import sizes

G = "G-1_x"
PINS = Pins(generators={G: Pin(code="new")})


def plan_of(samples: int = 20, **fields: Any) -> Plan:
    return Plan(make_spec(generators=[G], samples=samples, batch_size=10, **fields))


def states(seen: Observation) -> dict[str, list[int]]:
    """Indices by state, of those that are not right."""
    found: dict[str, list[int]] = {}
    for index, value in enumerate(seen.contents[G].states):
        if value != State.RIGHT:
            found.setdefault(State(value).name, []).append(index)
    return found


def missing(seen: Observation) -> list[int]:
    return [index for run in seen.gaps.of(G).ranges for index in range(*run)]


@pytest.fixture
def store() -> MemoryStore:
    """Twenty samples of one generator, as recorded."""
    made = MemoryStore()
    put_recorded(made, G, range(20), code="old")
    return made


def path(index: int, name: str = "first_frame.png") -> str:
    return f"{keys.sample_folder(keys.SampleFolder(G, 't', index))}/{name}"


def swap(store: MemoryStore, one: str, other: str) -> None:
    data = [bytes(obstore.get(store, key).bytes()) for key in (one, other)]
    obstore.put(store, one, data[1])
    obstore.put(store, other, data[0])


PLANTED: dict[str, tuple[Callable[[MemoryStore], object], dict[str, list[int]]]] = {
    "nothing": (lambda _: None, {}),
    "replaced by hand": (lambda store: obstore.put(store, path(3), b"another picture"), {"FOREIGN": [3]}),
    "two swapped": (lambda store: swap(store, path(4), path(5)), {"FOREIGN": [4, 5]}),
    "one byte changed": (lambda store: obstore.put(store, path(6), b"pnG"), {"FOREIGN": [6]}),
    "a file beside it": (lambda store: obstore.put(store, path(7, "notes.md"), b"x"), {"FOREIGN": [7]}),
    "a mark beside it": (lambda store: obstore.put(store, path(7, ".done"), b""), {}),
    "torn": (lambda store: obstore.delete(store, path(8, "prompt.txt")), {"NOT_WHOLE": [8]}),
    "gone": (lambda store: obstore.delete(store, [path(9), path(9, "prompt.txt")]), {"NOT_WHOLE": [9]}),
    "another seed's": (lambda store: put_recorded(store, G, [2, 3], seed=7), {"STALE_SEED": [2, 3]}),
    "receipt twice": (lambda store: put_recorded(store, G, range(20), code="old"), {}),
}


@pytest.mark.parametrize("planted", PLANTED, ids=PLANTED.get)
def test_each_is_told_and_nothing_else_is_accused(store: MemoryStore, planted: str) -> None:
    """From one listing and the ledger, whether the ledger was folded before or after it happened."""
    plant, expected = PLANTED[planted]
    assert states(observe(store, plan_of())) == {}
    plant(store)
    assert states(observe(store, plan_of())) == expected
    obstore.delete(store, keys.ledger(G))
    assert states(observe(store, plan_of())) == expected, "made anew from the receipts"


def test_archives_are_told_apart_too() -> None:
    """An archive that was replaced, one that another seed made, and one that nobody recorded."""
    store = MemoryStore()
    for start in (0, 10, 20):
        put_archive(store, G, IndexRange(start, start + 10))
    put_archive(store, G, IndexRange(30, 40), seed=7)
    obstore.put(store, keys.archive(keys.Archive(G, IndexRange(40, 50))), b"by hand")
    obstore.put(store, keys.archive(keys.Archive(G, IndexRange(10, 20))), b"y")
    found = states(observe(store, plan_of(50)))
    assert found == {
        "FOREIGN": [*range(10, 20), *range(40, 50)],
        "STALE_SEED": [*range(30, 40)],
    }


def test_a_receipt_that_is_gone_is_in_the_ledger(store: MemoryStore) -> None:
    """Deleted after it was folded it is not missed; without the ledger its samples are recorded by nobody."""
    observe(store, plan_of())
    obstore.delete(store, [key for key, _ in sizes(store, keys.RECEIPTS)])
    assert states(observe(store, plan_of())) == {}
    obstore.delete(store, keys.ledger(G))
    assert states(observe(store, plan_of())) == {"FOREIGN": [*range(20)]}


def test_what_is_put_back_is_right_again(store: MemoryStore) -> None:
    """Of two receipts of one sample the one whose objects lie there is in force, not the latest."""
    before = bytes(obstore.get(store, path(3)).bytes())
    first_tag = obstore.head(store, path(3))["e_tag"]
    put_recorded(store, G, [3], seed=7)
    assert states(observe(store, plan_of())) == {"STALE_SEED": [3]}
    # A store in memory numbers its puts; S3 would have the digest as the ETag again.
    obstore.put(store, path(3), before)
    rows = read_part(store, G).rows
    assert rows.height == 20
    assert first_tag


def test_only_new_receipts_are_read(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at a dataset that has not changed reads the ledger, and no receipt."""
    observe(store, plan_of())
    put_recorded(store, G, range(20, 25))
    read: list[str] = []
    from vbvrdatafactory.s3 import records

    real = records.read
    monkeypatch.setattr(records, "read", lambda store, key, kind: read.append(key) or real(store, key, kind))
    observe(store, plan_of(25))
    assert len(read) == 1
    observe(store, plan_of(25))
    assert len(read) == 1


def test_a_look_writes_the_ledger_once(store: MemoryStore) -> None:
    """And where it may not be written, none."""
    observe(store, plan_of(), save=False)
    assert read_part(store, G).rows.height == 0
    observe(store, plan_of())
    first = obstore.head(store, keys.ledger(G))["e_tag"]
    observe(store, plan_of())
    assert obstore.head(store, keys.ledger(G))["e_tag"] == first


@pytest.mark.parametrize(
    ("code", "now", "expected"),
    [
        ("any", PINS, {}),
        ("pinned", Pins(), {"STALE_CODE": [*range(20)]}),
        ("current", Pins(), {}),
        ("current", PINS, {"STALE_CODE": [*range(20)]}),
    ],
)
def test_which_code_counts(store: MemoryStore, code: str, now: Pins, expected: dict[str, list[int]]) -> None:
    """Samples of older code are stale where the dataset asks for the code of its pins, or of now."""
    pinned = PINS if code != "current" else Pins()
    assert states(observe(store, plan_of(code=code, pins=pinned), now=now)) == expected


@pytest.mark.parametrize(("policy", "expected"), [("refuse", []), ("keep", []), ("replace", [2, 3, 6])])
def test_the_policy_decides_what_is_made_again(store: MemoryStore, policy: str, expected: list[int]) -> None:
    """Replaced are the stale and the foreign; kept and refused ones are no gaps."""
    put_recorded(store, G, [2, 3], seed=7)
    obstore.put(store, path(6), b"by hand")
    assert missing(observe(store, plan_of(on_mismatch=policy))) == expected


def test_what_a_dead_worker_left_is_made_again(store: MemoryStore) -> None:
    """Unrecorded samples in what this run has sent, or in a batch with a failure, are unfinished work."""
    for index in range(20, 24):
        for name in ("first_frame.png", "prompt.txt"):
            obstore.put(store, path(index, name), b"x")
    plan = plan_of(30)
    assert states(observe(store, plan))["FOREIGN"] == [20, 21, 22, 23]
    seen = observe(store, plan, tried={G: [IndexRange(20, 30)]})
    assert states(seen)["UNFINISHED"] == [20, 21, 22, 23]
    assert missing(seen) == [*range(20, 30)]
    failed = keys.FailureKey(G, IndexRange(20, 30), 0, 1, keys.Cause.WORKER_LOST)
    obstore.put(store, keys.failure(failed), b"{}")
    assert states(observe(store, plan))["UNFINISHED"] == [20, 21, 22, 23]


def test_the_old_goes_when_the_new_is_there(store: MemoryStore) -> None:
    """Replaced in another format, the old files are removed in the end, and only those."""
    plan = plan_of(on_mismatch="replace")
    put_recorded(store, G, range(10), seed=7)
    put_archive(store, G, IndexRange(0, 10))
    seen = observe(store, plan)
    assert (missing(seen), len(seen.left[G])) == ([], 20)
    remove_superseded(store, plan, seen)
    left = [key for key, _ in sizes(store, keys.QUESTIONS)]
    assert len(left) == 21
    assert states(observe(store, plan)) == {}


def test_a_receipt_that_can_not_be_read_accuses_nobody() -> None:
    """Its samples are unproven, by its name; so are those of older receipts, which do not say what was stored."""
    store = MemoryStore()
    put_recorded(store, G, range(20))
    for key, _ in [*sizes(store, keys.RECEIPTS)]:
        obstore.put(store, key, b"not json")
    seen = observe(store, plan_of())
    assert (states(seen), missing(seen)) == ({"UNPROVEN": [*range(20)]}, [])


def test_copies_are_listed_in_the_ledger() -> None:
    """The second and later samples of one content name the first."""
    store = MemoryStore()
    put_recorded(store, G, range(4), digests={0: "a", 1: "b", 2: "a", 3: "a"})
    seen = observe(store, plan_of(4))
    assert (str(seen.distinct[G]), read_part(store, G).rows["copy_of"].to_list()) == (
        "2 of 4",
        [None, None, 0, 0],
    )
