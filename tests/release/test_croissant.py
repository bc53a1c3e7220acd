"""croissant.json, as mlcroissant reads it."""

import json
from pathlib import Path
from typing import Any

import mlcroissant
import pytest

from tests.release.conftest import Write
from vbvrdatafactory.release.manifest import LeftOut, Removed


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROISSANT_CACHE", str(tmp_path / "cache"))


def test_mlcroissant_validates_and_reads_it(write: Write, no_network: None) -> None:
    """Mlcroissant finds neither error nor warning, and reads every row without a network."""
    left_out = [LeftOut(generator=name, samples=2, why="it failed") for name in ("V-8_gone", "V-9_gone")]
    removed = [Removed(key=f"V-1_maze-{n:06d}", by="digest", against="a benchmark") for n in range(2)]
    _, release = write(left_out=left_out, decontaminated=removed)
    shares = [share.model_copy(update={"distinct": 1}) for share in release.generators]
    folder, _ = write(into="other", left_out=left_out, decontaminated=removed, generators=shares)
    dataset = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    issues = dataset.metadata.ctx.issues
    assert (issues.errors, issues.warnings) == (set(), set())
    rows = [*dataset.records("samples")]
    assert len(rows) == 24
    assert rows[0]["samples/fps"] == 8.0
    assert rows[0]["samples/shard"] == b"data/train/train-00000.tar"


def test_every_shard_has_its_checksum(write: Write) -> None:
    """Each shard and the metadata are there with size and SHA-256."""
    folder, release = write()
    listed = {each["contentUrl"]: each for each in described(folder)["distribution"]}
    for shard in release.shards:
        assert listed[shard.path]["sha256"] == shard.sha256
        assert listed[shard.path]["contentSize"] == f"{shard.bytes} B"
    assert listed.keys() == {"metadata.parquet", *(shard.path for shard in release.shards)}


def test_it_says_that_the_data_is_synthetic(write: Write) -> None:
    """The fields of responsible use say how it was made, what is missing, and that nothing is about a person."""
    found = described(write()[0])
    assert "http://mlcommons.org/croissant/RAI/1.0" in found["conformsTo"]
    assert "synthetic" in found["rai:dataCollection"]
    assert found["rai:dataCollectionMissingData"] == "4 samples of V-9_gone are left out: it failed."
    assert all(
        found[f"rai:{name}"] for name in ("personalSensitiveInformation", "dataBiases", "dataLimitations")
    )


def described(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "croissant.json").read_text())
    return found
