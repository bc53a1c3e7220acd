"""Releases that are built of a bucket."""

import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import obstore
import polars as pl
import pytest
from obstore.store import MemoryStore

from tests.release.planted import files_of, plant, plant_archive, plant_many
from vbvrdatafactory import aws
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.content import FileContent, content_digest
from vbvrdatafactory.core.errors import ReleaseError
from vbvrdatafactory.driver import release as driver_release
from vbvrdatafactory.driver import release_samples
from vbvrdatafactory.driver.release import Done, build_choice, build_release
from vbvrdatafactory.driver.release_build import Asked
from vbvrdatafactory.driver.release_choice import choose_samples
from vbvrdatafactory.driver.release_place import Place
from vbvrdatafactory.driver.release_scan import scan
from vbvrdatafactory.driver.release_table import rows_of
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.plan import Override, Plan, make_spec
from vbvrdatafactory.release.choosing import Unfit
from vbvrdatafactory.release.layout import COLUMNS, MEMBERS
from vbvrdatafactory.release.shard_rules import compare
from vbvrdatafactory.testing import InMemoryAws, in_memory_aws

NOW = datetime(2026, 3, 1, tzinfo=UTC)
GENERATORS = ("G-1_a", "G-2.b", "O-3_c")


def asked(**changed: Any) -> Asked:
    given = {
        "name": "r",
        "seed": 5,
        "license": "cc-by-4.0",
        "shares": {"test": 0.3},
        "shard_bytes": 60_000,
        "processes": 0,
    }
    return Asked(**{**given, **changed})


def build(cloud: InMemoryAws, plan: Plan, folder: Path, **options: Any) -> Done:
    changed = {name: options.pop(name) for name in ("seed", "shares", "shard_bytes") if name in options}
    return build_release(Services(cloud.config), plan, asked(**changed), Place(folder), NOW, **options)


def held(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by its path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def members(folder: Path) -> dict[str, dict[str, bytes]]:
    """Files of each sample, by key, as they lie in the shards."""
    found: dict[str, dict[str, bytes]] = {}
    for shard in sorted(folder.rglob("*.tar")):
        with tarfile.open(shard) as tar:
            for entry in tar:
                key, _, name = entry.name.partition(".")
                found.setdefault(key, {})[name] = tar.extractfile(entry).read()
    return found


def test_a_release_holds_the_bytes_of_the_bucket(cloud: InMemoryAws, tmp_path: Path) -> None:
    """Each sample once, its five members in their order, with a row of what is known of it."""
    plan = plant_many(cloud.store, GENERATORS, 20)
    release = build(cloud, plan, tmp_path).release
    table = pl.read_parquet(tmp_path / "metadata.parquet")
    shards = members(tmp_path)
    assert table.columns == [*COLUMNS]
    assert len(shards) == table.height == table["key"].n_unique() == 60
    for row in table.iter_rows(named=True):
        folder = keys.sample_folder(keys.SampleFolder(row["generator"], "t", row["index"]))
        files = shards[row["key"]]
        assert tuple(files) == MEMBERS
        assert all(
            files[name] == bytes(obstore.get(cloud.store, f"{folder}/{name}").bytes()) for name in files
        )
        assert content_digest({name: FileContent.of(data) for name, data in files.items()}) == row["digest"]
        assert files["prompt.txt"].decode() == row["prompt"]
        assert json.loads(row["parameters"])["n"] == row["index"] == int(row["param_hash"])
        assert (row["fps"], row["frames"], row["width"], row["height"]) == (12.0, 2, 64, 64)
        with (tmp_path / row["shard"]).open("rb") as file:
            file.seek(row["offset"])
            assert file.read(512)[:100].rstrip(b"\0").decode() == f"{row['key']}.first_frame.png"
    assert sum(release.splits.values()) == 60
    assert {share.samples for share in release.generators} == {20}
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.iterdir()} == {
        "data",
        "metadata.parquet",
        "release.json",
        "CHANGELOG.md",
        "README.md",
        "croissant.json",
        "pictures",
    }
    assert [*table["shard"].unique(maintain_order=True)] == [shard.path for shard in release.shards]


def test_the_rate_of_a_video_is_real_where_no_worker_measured_it(cloud: InMemoryAws, tmp_path: Path) -> None:
    """As its header says."""
    plan = plant_many(cloud.store, ["G"], 10)
    plant(cloud.store, "G", {i: files_of("G", i, {}) for i in range(10)}, measured=False)
    build(cloud, plan, tmp_path)
    assert set(pl.read_parquet(tmp_path / "metadata.parquet")["fps"]) == {12.0}


def test_metadata_under_its_other_name_is_in_the_shard(cloud: InMemoryAws, tmp_path: Path) -> None:
    """As metadata.json, and its digest is the one that is recorded."""
    made = {index: dict(files_of("G", index, {"n": index})) for index in range(10)}
    for files in made.values():
        files["question_metadata.json"] = files.pop("metadata.json")
    plant(cloud.store, "G", made)
    release = build(cloud, Plan(make_spec(generators=["G"], samples=10, batch_size=10)), tmp_path).release
    assert {json.loads(files["metadata.json"])["n"] for files in members(tmp_path).values()} == {*range(10)}
    for shard in release.shards:
        samples = scan(tmp_path, shard.path, ()).samples
        assert [*compare(shard.path, shard.split, samples, rows_of(tmp_path, shard.path))] == []


def test_the_same_ledger_and_seed_give_the_same_bytes(cloud: InMemoryAws, tmp_path: Path) -> None:
    """And another seed another order and other splits; a build of what is there has nothing to do."""
    plan = plant_many(cloud.store, GENERATORS, 20)
    build(cloud, plan, tmp_path / "a")
    build(cloud, plan, tmp_path / "b")
    assert held(tmp_path / "a") == held(tmp_path / "b")
    assert build(cloud, plan, tmp_path / "a").built == 0
    assert not (tmp_path / "a" / "_build").exists()
    build(cloud, plan, tmp_path / "c", seed=6)
    assert held(tmp_path / "c")["metadata.parquet"] != held(tmp_path / "a")["metadata.parquet"]
    with pytest.raises(ReleaseError, match="another release"):
        build(cloud, plan, tmp_path / "a", seed=6)
    assert not (tmp_path / "a" / "_build").exists()


def test_several_processes_write_the_same_bytes(tmp_path: Path) -> None:
    """As one does, whichever of them is done first."""
    rows = tmp_path / "rows"
    rows.mkdir()
    with in_memory_aws() as cloud:
        plan = plant_many(cloud.store, GENERATORS, 20)
        choice = choose_samples(Services(cloud.config), plan, rows)
        for page in obstore.list(cloud.store, keys.QUESTIONS):
            for one in page:
                path = tmp_path / "bucket" / one["path"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(bytes(obstore.get(cloud.store, one["path"]).bytes()))
    for name, processes in (("one", 0), ("two", 2)):
        how = asked(processes=processes)
        bucket, target = Place(tmp_path / "bucket"), Place(tmp_path / name)
        build_choice(choice, plan.spec, "b", how, bucket, target, NOW)
    assert held(tmp_path / "one") == held(tmp_path / "two")
    assert len(members(tmp_path / "two")) == 60


def test_a_build_goes_on_where_it_was_ended(
    cloud: InMemoryAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is left is read, and the result has the same bytes."""
    plan = plant_many(cloud.store, GENERATORS, 20)
    build(cloud, plan, tmp_path / "whole")
    read: list[str] = []
    real = release_samples._read

    def counting(source: Any, row: Any, names: Any) -> Any:
        if len(names) > 2:
            read.append(f"{row['generator']} {row['index']}")
            if len(read) == 30:
                raise KeyboardInterrupt
        return real(source, row, names)

    monkeypatch.setattr(release_samples, "_read", counting)
    with pytest.raises(KeyboardInterrupt):
        build(cloud, plan, tmp_path / "ended")
    assert not (tmp_path / "ended" / "release.json").exists()
    again = build(cloud, plan, tmp_path / "ended")
    assert held(tmp_path / "ended") == held(tmp_path / "whole")
    assert 0 < again.built < len(again.release.shards)
    assert len(read) < 30 + 60


def test_shards_whose_rows_are_as_before_are_built_again(
    cloud: InMemoryAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build that an earlier version began has rows with the digest of metadata that are not in the release."""
    plan = plant_many(cloud.store, GENERATORS, 20)
    monkeypatch.setattr(driver_release, "finish", _end)
    with pytest.raises(KeyboardInterrupt):
        build(cloud, plan, tmp_path)
    monkeypatch.undo()
    first, *_ = sorted((tmp_path / "_build").rglob("*.tar.json"))
    record = json.loads(first.read_text())
    del record["layout"]
    first.write_text(json.dumps(record))
    assert build(cloud, plan, tmp_path).built == 1


def _end(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_release_is_built_in_a_bucket_too(cloud: InMemoryAws, tmp_path: Path) -> None:
    """With the same bytes, and nothing of the build left."""
    plan = plant_many(cloud.store, ["G"], 20)
    build(cloud, plan, tmp_path)
    place = Place(bucket="released", prefix="v1", config=cloud.config)
    build_release(Services(cloud.config), plan, asked(), place, NOW)
    store = cloud.bucket("released/v1")
    there = {one["path"] for page in obstore.list(store) for one in page}
    assert there == set(held(tmp_path))
    assert all(bytes(obstore.get(store, path).bytes()) == data for path, data in held(tmp_path).items())


def test_equal_puzzles_are_in_one_split(cloud: InMemoryAws, tmp_path: Path) -> None:
    """Equal by content, across generators too, or by what their generator says: other pictures of one puzzle."""
    store = cloud.store
    plant(store, "A", {i: files_of("x", i % 5, {"time": i}) for i in range(40)})
    plant(store, "B", {i: files_of("x", i % 5, {"time": i}) for i in range(10)})
    plant(store, "C", {i: files_of("C", 100 + i, {"param_hash": f"{i % 4}"}) for i in range(40)})
    spec = make_spec(
        generators=["A", "B", "C"], samples=40, batch_size=10, overrides={"B": Override(samples=10)}
    )
    release = build(cloud, Plan(spec), tmp_path, shares={"test": 0.5}).release
    table = pl.read_parquet(tmp_path / "metadata.parquet")
    assert {*release.splits} == {"test", "train"}
    assert table.group_by("digest").agg(pl.col("split").n_unique())["split"].max() == 1
    assert (
        table.filter(generator="C").group_by("param_hash").agg(pl.col("split").n_unique())["split"].max() == 1
    )
    assert {share.generator: share.distinct for share in release.generators} == {"A": 5, "B": 5, "C": 4}


def test_hashes_that_few_samples_have_are_found_before_a_release_is_there(
    cloud: InMemoryAws, tmp_path: Path
) -> None:
    """None of those that are looked at has one: the first build ends with what to do, and the next one reads all."""
    made = {
        i: files_of("C", 100 + i, {"param_hash": f"{i % 4}"} if i % 10 in (1, 3) else {}) for i in range(160)
    }
    plant(cloud.store, "C", made)
    plan = Plan(make_spec(generators=["C"], samples=160, batch_size=10))
    with pytest.raises(ReleaseError, match="few samples of 'C' have a param_hash.* build again"):
        build(cloud, plan, tmp_path, shares={"test": 0.5})
    assert not (tmp_path / "release.json").exists()
    build(cloud, plan, tmp_path, shares={"test": 0.5})
    table = pl.read_parquet(tmp_path / "metadata.parquet")
    hashed = table.filter(pl.col("param_hash").is_not_null()).group_by("param_hash")
    assert set(hashed.agg(pl.col("split").n_unique())["split"]) == {1}
    assert not (tmp_path / "_build").exists()


@pytest.mark.parametrize("why", ["gaps", "foreign", "stale"])
def test_what_is_not_fit_is_refused_or_left_out(cloud: InMemoryAws, tmp_path: Path, why: str) -> None:
    """By name, with what leaves it out; and the manifest says what was left out, and why."""
    plan = plant_many(cloud.store, ["G"], 20)
    folder = keys.sample_folder(keys.SampleFolder("G", "t", 3))
    if why == "gaps":
        obstore.delete(cloud.store, f"{folder}/prompt.txt")
    elif why == "foreign":
        obstore.put(cloud.store, f"{folder}/prompt.txt", b"by hand")
    else:
        plant(cloud.store, "G", {3: files_of("G", 3, {})}, seed=7)
    with pytest.raises(ReleaseError, match=f"1 sample .*--leave-out {why}$"):
        build(cloud, plan, tmp_path)
    release = build(cloud, plan, tmp_path, leave_out=[Unfit(why)]).release
    assert [(one.generator, one.samples) for one in release.left_out] == [("G", 1)]
    assert "G-000003" not in members(tmp_path)
    assert sum(release.splits.values()) == 19


def test_a_generator_is_left_out_by_name(cloud: InMemoryAws, tmp_path: Path) -> None:
    """Whatever its samples are."""
    plan = plant_many(cloud.store, ["G", "H"], 10)
    release = build(cloud, plan, tmp_path, without=["G"]).release
    assert [share.generator for share in release.generators] == ["H"]
    assert [(one.generator, one.samples, one.why) for one in release.left_out] == [
        ("G", 10, "left out by name")
    ]


def test_a_sample_that_is_not_as_recorded_ends_the_build(cloud: InMemoryAws, tmp_path: Path) -> None:
    """Size and ETag may be right, and the bytes not: the receipt's digest is of other ones."""
    store = cloud.store
    plan = plant_many(store, ["G"], 10)
    # An object of memory that is put anew has another ETag, and so a receipt of its own.
    plant(store, "G", {4: files_of("G", 1, {})})
    _forge(store)
    with pytest.raises(ReleaseError, match="G 4: its content has the digest"):
        build(cloud, plan, tmp_path)


def _forge(store: MemoryStore) -> None:
    """Change the digest in the receipt that is about sample 4 alone."""
    for name in [one["path"] for page in obstore.list(store, keys.RECEIPTS) for one in page]:
        data = json.loads(bytes(obstore.get(store, name).bytes()))
        if [*data["digests"]] == ["4"]:
            data["digests"]["4"] = "0" * 64
            obstore.put(store, name, json.dumps(data).encode())


def test_samples_of_archives_are_released_too(cloud: InMemoryAws, tmp_path: Path) -> None:
    """Each archive is unpacked for the shards that need it, and the release is that of the same samples as files."""
    plan = plant_many(cloud.store, ["G"], 20)
    build(cloud, plan, tmp_path / "files")
    with_archives = InMemoryAws()
    with aws.replaced_by(with_archives):
        for start in (0, 10):
            made = {i: files_of("G", i, {"n": i, "param_hash": f"{i}"}) for i in range(start, start + 10)}
            plant_archive(with_archives.store, "G", made)
        build(with_archives, plan, tmp_path / "tar")
    assert members(tmp_path / "tar") == members(tmp_path / "files")


def test_two_generators_with_the_same_keys_are_refused(cloud: InMemoryAws, tmp_path: Path) -> None:
    """A name may be what another one is cut to."""
    plan = plant_many(cloud.store, ["G-9_move.v2", "G-9_move_v2-b318a7"], 10)
    with pytest.raises(ReleaseError, match="would be the same"):
        build(cloud, plan, tmp_path)
    assert build(cloud, plan, tmp_path, without=["G-9_move.v2"]).built
