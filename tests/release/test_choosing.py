"""Which samples are fit for a release."""

import polars as pl
import pytest

from vbvrdatafactory.core.errors import ReleaseError
from vbvrdatafactory.ledger.schema import SCHEMA
from vbvrdatafactory.planning.contents import Contents, State
from vbvrdatafactory.release.choosing import WHY, Unfit, choose, left_out, sizes, words
from vbvrdatafactory.release.pace import Pace

DIGEST = "ab" * 32


def rows_of(count: int, **changed: object) -> pl.DataFrame:
    """Rows of the ledger, each with five objects of which one is none of a release's."""
    objects = [
        {"key": f"questions/G/t_task/t_0000/{name}", "size": size, "e_tag": "e"}
        for name, size in (
            ("first_frame.png", 1),
            ("prompt.txt", 512),
            ("ground_truth.mp4", 513),
            ("notes.md", 9),
        )
    ]
    row = {"generator": "G", "task": "t", "digest": DIGEST, "objects": objects, "count": count, **changed}
    made = [{**row, "index": index} for index in range(count)]
    return pl.DataFrame(made, schema=SCHEMA).with_columns(matched=pl.lit(value=True))


def test_every_state_but_right_has_a_reason() -> None:
    """A sample of each state: one is chosen, and each other one is counted by why it is not."""
    states = Contents(bytes(State))
    chosen = choose(rows_of(len(State)), states)
    assert chosen.rows["index"].to_list() == [State.RIGHT]
    assert sum(chosen.unfit.values()) == len(State) - 1
    assert {*chosen.unfit} == {*Unfit} == {*WHY}
    assert (chosen.unfit[Unfit.GAPS], chosen.unfit[Unfit.STALE], chosen.unfit[Unfit.COPIES]) == (2, 2, 2)


@pytest.mark.parametrize("changed", [{"digest": None}, {"digest": "no digest"}, {"objects": None}])
def test_a_right_sample_without_a_digest_is_unproven(changed: dict[str, object]) -> None:
    """An older receipt may say that it is right, and not what it is."""
    chosen = choose(rows_of(1, **changed), Contents(bytes([State.RIGHT])))
    assert (chosen.rows.height, chosen.unfit) == (0, {Unfit.UNPROVEN: 1})


def test_what_is_refused_is_told_with_what_leaves_it_out() -> None:
    """All of it in one line; what is left out is told by generator."""
    found = {"B": {Unfit.GAPS: 2}, "A": {Unfit.FOREIGN: 1, Unfit.GAPS: 1}}
    with pytest.raises(
        ReleaseError, match=r"3 samples missing; 1 sample foreign.*--leave-out gaps --leave-out foreign"
    ):
        left_out("d", found, [])
    with pytest.raises(ReleaseError, match=r": 1 sample foreign[^;]*--leave-out foreign$"):
        left_out("d", found, [Unfit.GAPS])
    told = left_out("d", found, [*Unfit])
    assert [(one.generator, one.samples) for one in told] == [("A", 1), ("A", 1), ("B", 2)]


def test_the_size_in_a_shard_is_exact_for_files_and_a_share_for_archives() -> None:
    """Headers and padding count, and files that a release does not have do not."""
    assert sizes(rows_of(2)).to_list() == [3 * 512 + 512 + 512 + 1024] * 2
    archive = [{"key": "questions/G_00000-00003.tar.gz", "size": 4000, "e_tag": "e"}]
    assert sizes(rows_of(4, objects=archive)).to_list() == [1000 + 5 * 512] * 4


def test_a_digest_is_a_word() -> None:
    """Its first 64 bits; none is 0."""
    assert words(rows_of(1), "digest").to_list() == [0xABABABABABABABAB]
    assert words(rows_of(1), "metadata_digest").to_list() == [0]


def test_progress_says_how_long_it_takes() -> None:
    """By what was done so far; at the end, how long it took."""
    pace = Pace(4_000_000, started=100.0)
    assert pace.line(1_000_000, 110.0) == "1.0 MB of about 4.0 MB in 10 s, 100 kB/s, about 30 s left"
    assert pace.line(3_000_000, 140.0) == "4.0 MB of about 4.0 MB in 40 s"
