"""`datafactory browse` as a command."""

from tests.recorded import put_recorded
from vbvrdatafactory.planning.plan import DatasetSpec
from vbvrdatafactory.s3.specs import write_spec

MAZE = "G-3_maze_data-generator"


def test_out_below_a_prefix(run, place, tmp_path):
    """A dataset below a prefix is written with its own samples, as many as asked for, and the bucket stays as it is."""
    from vbvrdatafactory import aws

    write_spec(place.store, DatasetSpec(generators=(MAZE,), samples=10, prefix="train"))
    put_recorded(aws.bucket(place.config, prefix="train"), MAZE, range(10))
    before = place.listed()
    result = run("browse", "--out", tmp_path / "look", "--per-generator", 3)
    assert (result.exit_code, "Wrote 3 samples" in result.stdout) == (0, True)
    assert len(list((tmp_path / "look" / "sample" / MAZE).iterdir())) == 3
    assert "10 right" in (tmp_path / "look" / "index.html").read_text()
    assert place.listed() == before
