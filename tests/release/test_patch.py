"""A release that is out is changed: only what has to be."""

import json
from pathlib import Path
from typing import Any

import obstore
import polars as pl
import pytest
from click.testing import CliRunner, Result

from tests.release.planted import files_of, plant, plant_many
from tests.release.test_build import NOW, build, held, members
from vbvrdatafactory.cli.main import cli
from vbvrdatafactory.driver import release_patch
from vbvrdatafactory.driver.release_benchmark import read_benchmark
from vbvrdatafactory.driver.release_export import export
from vbvrdatafactory.driver.release_place import Place
from vbvrdatafactory.driver.release_reading import read_release
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.release.manifest import Release
from vbvrdatafactory.testing import InMemoryAws


def run(cloud: InMemoryAws, *arguments: object) -> Result:
    done = CliRunner().invoke(cli, ["release", *map(str, arguments)], env=cloud.environment)
    assert done.exit_code in (0, 1, 2), done.output
    return done


@pytest.fixture
def out(cloud: InMemoryAws, tmp_path: Path) -> Path:
    """A release of 120 samples in about ten shards."""
    build(cloud, plant_many(cloud.store, ["G", "H", "I"], 40), tmp_path, shard_bytes=45_000)
    return tmp_path


def end(*_: Any) -> None:
    raise KeyboardInterrupt


def release_in(folder: Path) -> Release:
    return read_release(Place(folder).store())


def shards(folder: Path) -> dict[str, bytes]:
    return {path: data for path, data in held(folder).items() if path.endswith(".tar")}


def table(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "metadata.parquet")


def is_consistent(folder: Path) -> bool:
    """Whether manifest, metadata and shards say the same, and each row tells where its sample begins."""
    release, rows, inside = release_in(folder), table(folder), members(folder)
    for row in rows.iter_rows(named=True):
        data = (folder / row["shard"]).read_bytes()[row["offset"] :]
        assert data[:100].rstrip(b"\0").decode() == f"{row['key']}.first_frame.png"
    assert {shard.path: shard.bytes for shard in release.shards} == {
        p: len(d) for p, d in shards(folder).items()
    }
    assert {shard.path: shard.samples for shard in release.shards} == dict(
        rows.group_by("shard").len().iter_rows()
    )
    assert sum(share.samples for share in release.generators) == sum(release.splits.values()) == rows.height
    return set(rows["key"]) == inside.keys()


def test_seven_samples_go_and_only_their_shards_change(cloud: InMemoryAws, out: Path) -> None:
    """The others keep their bytes; the changelog and a new revision say what changed and why."""
    before, rows = shards(out), table(out)
    keys = rows.filter(pl.col("shard") == rows["shard"][0])["key"].to_list()[:4] + rows["key"].to_list()[-3:]
    theirs = set(rows.filter(pl.col("key").is_in(keys))["shard"])
    done = run(
        cloud, "withdraw", out, *(one for key in keys for one in ("-k", key)), "--why", "wrong *ending*"
    )
    assert done.output.endswith(
        f"revision 2, 7 samples withdrawn, 0 replaced; 2 of {len(before)} shards changed\n"
    )
    after = shards(out)
    assert {path for path in before if before[path] != after[path]} == theirs
    assert set(table(out)["key"]) == set(rows["key"]) - {*keys}
    assert is_consistent(out)
    release = release_in(out)
    assert (release.revision, release.changes[-1].samples, release.changes[-1].why) == (
        2,
        7,
        "wrong *ending*",
    )
    assert sum(one.samples for one in release.left_out) == 7
    assert "## Revision 2" in (out / "CHANGELOG.md").read_text()
    assert "wrong \\*ending\\*" in (out / "CHANGELOG.md").read_text()
    assert not (out / "_build").exists()


def test_a_generator_or_a_query_on_the_ledger_says_what_goes(cloud: InMemoryAws, out: Path) -> None:
    """A shard that has nothing left goes, too; a condition is read as SQL."""
    from vbvrdatafactory.driver.observe import observe_plan
    from vbvrdatafactory.driver.services import Services

    plan = Plan(make_spec(generators=["G", "H", "I"], samples=40, batch_size=10))
    observe_plan(Services(cloud.config), plan)
    run(cloud, "withdraw", out, "-g", "G*", "--why", "x")
    assert {share.generator for share in release_in(out).generators} == {"H", "I"}
    run(cloud, "withdraw", out, "--where", "generator = 'H' AND \"index\" >= 10", "--why", "y")
    assert table(out).group_by("generator").len().sort("generator").rows() == [("H", 10), ("I", 40)]
    assert is_consistent(out)
    assert release_in(out).revision == 3
    for wrong, why in (("nothing", "no condition"), ("fps > 100", "no such sample")):
        done = run(cloud, "withdraw", out, "--where", wrong, "--why", "z")
        assert (done.exit_code, why in done.output) == (1, True), done.output
    assert "nothing would be left" in run(cloud, "withdraw", out, "-g", "*", "--why", "z").output
    assert run(cloud, "withdraw", out, "-k", "nobody", "--why", "z").exit_code == 1
    assert run(cloud, "withdraw", out, "-g", "G*", "--why", "z").exit_code == 1
    assert release_in(out).revision == 3


def test_what_was_made_anew_is_replaced_in_its_place(cloud: InMemoryAws, out: Path) -> None:
    """Under its key, in its shard and split; the tables that were exported follow."""
    export(Place(out), release_in(out), ["jsonl", "parquet"])
    before, rows, exported = shards(out), table(out), held(out)
    assert "nothing was changed" in run(cloud, "patch", out, "--why", "x").output
    plant(cloud.store, "G", {3: files_of("G", 9000, {"param_hash": "9000"})})
    done = run(cloud, "patch", out, "--why", "its video was wrong")
    assert "revision 2, 0 samples withdrawn, 1 replaced; 1 of" in done.output, done.output
    assert members(out)["G-000003"]["first_frame.png"] == files_of("G", 9000)["first_frame.png"]
    path = rows.filter(key="G-000003")["shard"].item()
    assert {one for one in before if before[one] != shards(out)[one]} == {path}
    assert table(out)["key"].to_list() == rows["key"].to_list()
    assert table(out).filter(key="G-000003").select("split", "param_hash").row(0) == (
        rows.filter(key="G-000003")["split"].item(),
        "9000",
    )
    assert is_consistent(out)
    changed = {
        name
        for name, data in held(out).items()
        if name.startswith("exports/parquet") and data != exported[name]
    }
    assert changed == {path.replace("data/", "exports/parquet/").replace(".tar", ".parquet")}
    assert "nothing was changed" in run(cloud, "patch", out, "--why", "x").output


@pytest.mark.parametrize("by", ["content", "param_hash"])
def test_a_new_puzzle_that_another_split_has_is_withdrawn(cloud: InMemoryAws, out: Path, by: str) -> None:
    """It would leak, by its content or by what its generator says that it is."""
    rows = table(out)
    tested = rows.filter(generator="G", split="test")["index"][0]
    trained = rows.filter(generator="G", split="train")["index"][0]
    state = tested if by == "content" else 9000
    plant(cloud.store, "G", {trained: files_of("G", state, {"n": trained, "param_hash": f"{tested}"})})
    done = run(cloud, "patch", out, "--why", "x")
    assert f"withdrawn: G-{trained:06d}, as another split has its new puzzle" in done.output, done.output
    assert f"G-{trained:06d}" not in members(out)
    assert is_consistent(out)


@pytest.mark.parametrize("by", ["digest", "first frame"])
def test_what_a_benchmark_has_is_not_taken_in_later(cloud: InMemoryAws, tmp_path: Path, by: str) -> None:
    """A release that was compared with one asks for it before it takes new samples, and withdraws those that equal it."""
    benchmark, out = tmp_path / "bench", tmp_path / "out"
    for name, state in (("a", 9000), ("b", 9002)):
        (benchmark / name).mkdir(parents=True)
        for file, data in files_of("G", state).items():
            (benchmark / name / file).write_bytes(data)
    plan = plant_many(cloud.store, ["G"], 20)
    release = build(cloud, plan, out, benchmarks=[read_benchmark(benchmark)]).release
    assert [(one.name, one.samples) for one in release.benchmarks] == [("bench", 2)]
    assert "Compared, by content and first frame, with bench (2 samples)" in (out / "README.md").read_text()
    made = files_of("G", 9000, {}) | ({} if by == "digest" else {"prompt.txt": b"Another prompt"})
    plant(cloud.store, "G", {3: made, 5: files_of("G", 777, {})})
    asked = run(cloud, "patch", out, "--why", "x")
    assert "was compared with 'bench', as it was then; give it with --decontaminate again" in asked.output
    assert release_in(out).revision == 1
    done = run(cloud, "patch", out, "--why", "x", "--decontaminate", benchmark)
    assert f"withdrawn: G-000003, as it has the {by} of bench/a" in done.output, done.output
    after = release_in(out)
    assert [(one.key, one.by) for one in after.decontaminated] == [("G-000003", by)]
    assert members(out).keys() == {f"G-{index:06d}" for index in range(20)} - {"G-000003"}
    (benchmark / "c").mkdir()
    (benchmark / "c" / "first_frame.png").write_bytes(files_of("G", 9004)["first_frame.png"])
    plant(cloud.store, "G", {7: files_of("G", 778, {})})
    assert "as it was then" in run(cloud, "patch", out, "--why", "y", "--decontaminate", benchmark).output


def test_a_release_of_before_asks_for_what_it_was_compared_with(cloud: InMemoryAws, out: Path) -> None:
    """Its manifest names no benchmark, but what was left out for one."""
    told = json.loads((out / "release.json").read_text())
    del told["benchmarks"]
    told["decontaminated"] = [{"key": "G-000999", "by": "digest", "against": "old/one"}]
    (out / "release.json").write_text(json.dumps(told))
    plant(cloud.store, "G", {3: files_of("G", 9000, {})})
    assert "was compared with 'old'" in run(cloud, "patch", out, "--why", "x").output


def test_another_benchmark_is_not_what_a_release_of_before_was_compared_with(
    cloud: InMemoryAws, out: Path, tmp_path: Path
) -> None:
    """One of the name that its manifest tells is taken, beside others."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(files_of("G", 9900)["first_frame.png"])
    told = json.loads((out / "release.json").read_text())
    del told["benchmarks"]
    told["decontaminated"] = [{"key": "G-000999", "by": "digest", "against": "old/one"}]
    (out / "release.json").write_text(json.dumps(told))
    plant(cloud.store, "G", {3: files_of("G", 9000, {})})
    new = ("--decontaminate", tmp_path / "new")
    assert "was compared with 'old'" in run(cloud, "patch", out, "--why", "x", *new).output
    done = run(cloud, "patch", out, "--why", "x", *new, "--decontaminate", tmp_path / "old")
    assert "1 replaced" in done.output, done.output


def test_a_change_keeps_the_hashes_of_samples_that_stay(cloud: InMemoryAws, tmp_path: Path) -> None:
    """Also of one whose hash was in a file that the release does not hold; what is replaced has that of its new files, or none."""
    made = {
        index: files_of("G", index, {"n": index})
        | {"question_metadata.json": json.dumps({"param_hash": f"h{index}"}).encode()}
        for index in range(10)
    }
    plant(cloud.store, "G", made)
    build(cloud, Plan(make_spec(generators=["G"], samples=10, batch_size=10)), tmp_path)
    run(cloud, "withdraw", tmp_path, "-k", "G-000000", "--why", "x")
    hashes = {f"G-{index:06d}": f"h{index}" for index in range(1, 10)}
    assert dict(table(tmp_path).select("key", "param_hash").iter_rows()) == hashes
    (was,) = [
        one["path"]
        for page in obstore.list(cloud.store, "questions/G/")
        for one in page
        if one["path"].endswith("_0003/question_metadata.json")
    ]
    obstore.delete(cloud.store, was)
    plant(cloud.store, "G", {3: files_of("G", 9000, {"n": 3})})
    assert "1 replaced" in run(cloud, "patch", tmp_path, "--why", "y").output
    assert dict(table(tmp_path).select("key", "param_hash").iter_rows()) == hashes | {"G-000003": None}
    assert is_consistent(tmp_path)


def test_a_build_that_has_nothing_to_do_notes_a_further_benchmark(cloud: InMemoryAws, tmp_path: Path) -> None:
    """Where no sample equals one of it: the shards are the same, and the manifest and the card say that it was compared."""
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "a.png").write_bytes(files_of("G", 9000)["first_frame.png"])
    plan, out = plant_many(cloud.store, ["G"], 10), tmp_path / "out"
    assert build(cloud, plan, out).release.benchmarks == ()
    done = build(cloud, plan, out, benchmarks=[read_benchmark(tmp_path / "bench")])
    assert (done.built, [one.name for one in release_in(out).benchmarks]) == (0, ["bench"])
    assert "Compared, by content and first frame, with bench (1 sample)" in (out / "README.md").read_text()


def test_a_change_that_was_ended_is_ended_by_the_next_call(
    cloud: InMemoryAws, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it was ended: nobody is left with half of two revisions."""
    whole = out.parent / "whole"
    build(
        cloud,
        Plan(make_spec(generators=["G", "H", "I"], samples=40, batch_size=10)),
        whole,
        shard_bytes=45_000,
    )
    rows = table(out)
    keys = [rows["key"][0], rows["key"][-1]]
    named = [one for key in keys for one in ("-k", key)]
    run(cloud, "withdraw", whole, *named, "--why", "x")
    real, moved = obstore.rename, []

    def ending(*arguments: Any) -> None:
        moved.append(arguments)
        if len(moved) == 3:
            raise KeyboardInterrupt
        real(*arguments)

    monkeypatch.setattr(release_patch.obstore, "rename", ending)
    release = release_in(out)
    from vbvrdatafactory.release.revision import Changes

    changes = Changes(frozenset(keys), frozenset(), "x")
    with pytest.raises(KeyboardInterrupt):
        release_patch.change_release(Place(out), release, changes, cloud.store, {}, NOW)
    monkeypatch.undo()
    assert release_patch.finish_change(Place(out)) is not None
    assert release_patch.finish_change(Place(out)) is None
    assert shards(out) == shards(whole)
    assert is_consistent(out)


def test_shards_of_a_change_that_was_given_up_are_in_no_other_one(
    cloud: InMemoryAws, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that was ended before it was whole leaves nothing to the next, which is of other samples."""
    from vbvrdatafactory.release.revision import Changes

    before, rows, release = shards(out), table(out), release_in(out)
    first, last = rows.row(0, named=True), rows.row(-1, named=True)
    changes = Changes(frozenset([first["key"]]), frozenset(), "x")
    monkeypatch.setattr(release_patch, "revised", end)
    with pytest.raises(KeyboardInterrupt):
        release_patch.change_release(Place(out), release, changes, cloud.store, {}, NOW)
    monkeypatch.undo()
    run(cloud, "withdraw", out, "-k", last["key"], "--why", "y")
    assert shards(out)[first["shard"]] == before[first["shard"]]
    assert set(table(out)["key"]) == set(rows["key"]) - {last["key"]}
    assert is_consistent(out)


def test_the_card_is_of_the_revision_whose_manifest_is_there(
    cloud: InMemoryAws, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that was ended before the card was written is not taken for one that is in place."""
    from vbvrdatafactory.release.revision import Changes

    release = release_in(out)
    shown = release.generators[0].example
    assert (out / "pictures" / f"{shown}.first_frame.png").exists()
    changes = Changes(frozenset([shown]), frozenset(), "x")
    monkeypatch.setattr(release_patch, "put_manifest", end)
    with pytest.raises(KeyboardInterrupt):
        release_patch.change_release(Place(out), release, changes, cloud.store, {}, NOW)
    monkeypatch.undo()
    assert release_patch.finish_change(Place(out)) is not None
    assert not (out / "pictures" / f"{shown}.first_frame.png").exists()
    assert "Revision 2" in (out / "README.md").read_text()
