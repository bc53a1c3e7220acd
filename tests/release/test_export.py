"""Further layouts of a release."""

import json
import tarfile
from pathlib import Path

import polars as pl
import pytest
from datasets import load_dataset

from tests.release.planted import files_of, plant, plant_many
from tests.release.test_build import build, members
from vbvrdatafactory.core.contract import FINAL_FRAME, FIRST_FRAME, VIDEO
from vbvrdatafactory.driver.release_export import export
from vbvrdatafactory.driver.release_place import Place
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.testing import InMemoryAws


@pytest.fixture
def exported(cloud: InMemoryAws, tmp_path: Path) -> Path:
    """A release of 20 samples in both layouts."""
    release = build(cloud, plant_many(cloud.store, ["G", "H"], 10), tmp_path).release
    export(Place(tmp_path), release, ["jsonl", "parquet"])
    return tmp_path


def test_paths_are_there_once_the_shards_are_unpacked(exported: Path) -> None:
    """And each line has the prompt, and the video's real rate."""
    for shard in exported.rglob("*.tar"):
        with tarfile.open(shard) as tar:
            tar.extractall(shard.parent, filter="data")
    table = {row["key"]: row for row in pl.read_parquet(exported / "metadata.parquet").iter_rows(named=True)}
    lines = [json.loads(line) for file in exported.rglob("*.jsonl") for line in file.read_text().splitlines()]
    assert {line["key"] for line in lines} == table.keys()
    for line in lines:
        assert all((exported / line[name]).is_file() for name in ("video", "input_image", "end_image"))
        assert (line["fps"], line["prompt"]) == (12.0, table[line["key"]]["prompt"])


def test_tables_hold_the_bytes_of_the_files(exported: Path) -> None:
    """As `datasets` reads them: pictures and videos, by the types that the files name."""
    shards = members(exported)
    files = [str(file) for file in sorted((exported / "exports").rglob("*.parquet"))]
    read = load_dataset("parquet", data_files=files, split="train", streaming=True)
    assert {
        name: type(kind).__name__ for name, kind in read.features.items() if name in ("first_frame", "video")
    } == {
        "first_frame": "Image",
        "video": "Video",
    }
    rows = [*read.decode(False)]
    assert len(rows) == 20
    for row in rows:
        of_sample = shards[row["key"]]
        for column, name in (("first_frame", FIRST_FRAME), ("final_frame", FINAL_FRAME), ("video", VIDEO)):
            assert row[column]["bytes"] == of_sample[name]
        assert (row["fps"], row["prompt"].encode()) == (12.0, of_sample["prompt.txt"])
    assert not (exported / "_build").exists()


def test_a_sample_without_a_video_has_no_path_of_one(cloud: InMemoryAws, tmp_path: Path) -> None:
    """Whichever sample comes first: each line names the files that its own sample has."""
    lacking = {"V": VIDEO, "F": FINAL_FRAME, "A": ""}
    for number, (generator, without) in enumerate(lacking.items()):
        made = {index: files_of(generator, 100 * number + index, {}) for index in range(10)}
        plant(
            cloud.store, generator, {n: {k: v for k, v in f.items() if k != without} for n, f in made.items()}
        )
    plan = Plan(make_spec(generators=[*lacking], samples=10, batch_size=10, require=["prompt.txt"]))
    release = build(cloud, plan, tmp_path).release
    (tmp_path / "exports" / "paths").mkdir(parents=True)
    (tmp_path / "exports" / "paths" / "gone.jsonl").touch()
    export(Place(tmp_path), release, ["jsonl"])
    assert not (tmp_path / "exports" / "paths" / "gone.jsonl").exists()
    shards = members(tmp_path)
    lines = [json.loads(line) for file in tmp_path.rglob("*.jsonl") for line in file.read_text().splitlines()]
    assert len(lines) == 30
    for line in lines:
        named = {Path(line[name]).name for name in ("video", "input_image", "end_image") if name in line}
        media = shards[line["key"]].keys() & {VIDEO, FINAL_FRAME, FIRST_FRAME}
        assert named == {f"{line['key']}.{name}" for name in media}
