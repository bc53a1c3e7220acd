"""What equals a public benchmark's samples stays out."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.release.planted import files_of, frame, plant_many, png
from tests.release.test_build import NOW, asked, members
from vbvrdatafactory.core.content import FileContent, content_digest
from vbvrdatafactory.core.errors import ReleaseError
from vbvrdatafactory.driver.release import build_release
from vbvrdatafactory.driver.release_benchmark import read_benchmark
from vbvrdatafactory.driver.release_place import Place
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.release.pictures import Looks, look_at
from vbvrdatafactory.testing import InMemoryAws


def picture(state: int, kind: str, side: int = 64) -> bytes:
    """The picture of a state, of another size or encoder."""
    file = io.BytesIO()
    Image.fromarray(frame(state)).resize((side, side), Image.Resampling.NEAREST).save(file, kind)
    return file.getvalue()


def test_five_planted_samples_are_found_and_nothing_else(cloud: InMemoryAws, tmp_path: Path) -> None:
    """Two by their bytes, one in another size, one as JPEG, one as WebP; and the manifest says which."""
    plan = plant_many(cloud.store, ["G", "H"], 60)
    bench = tmp_path / "bench"
    for index in (3, 4):
        folder = bench / f"sample-{index}"
        folder.mkdir(parents=True)
        for name, data in files_of("G", index).items():
            (folder / name).write_bytes(data)
    strangers = [picture(50_000 + n, "PNG") for n in range(50)]
    pictures = [picture(1005, "PNG", 200), picture(1006, "JPEG", 256), picture(7, "WEBP", 256), *strangers]
    table = pa.table(
        {"image": [{"bytes": data, "path": None} for data in pictures], "id": [*map(str, range(53))]}
    )
    pq.write_table(table, tmp_path / "bench.parquet")
    benchmarks = [read_benchmark(bench), read_benchmark(tmp_path / "bench.parquet")]
    done = build_release(
        Services(cloud.config), plan, asked(), Place(tmp_path / "r"), NOW, benchmarks=benchmarks
    )
    assert [(one.key, one.by, one.against) for one in done.release.decontaminated] == [
        ("G-000003", "digest", "bench/sample-3"),
        ("G-000004", "digest", "bench/sample-4"),
        ("G-000007", "first frame", "bench.parquet/2"),
        ("H-000005", "first frame", "bench.parquet/0"),
        ("H-000006", "first frame", "bench.parquet/1"),
    ]
    assert len(members(tmp_path / "r")) == 115


def test_the_metadata_of_another_release_is_a_benchmark(tmp_path: Path) -> None:
    """By the digests in its column."""
    sums = {name: FileContent.of(data) for name, data in files_of("G", 1).items()}
    pq.write_table(pa.table({"key": ["a"], "digest": [content_digest(sums)]}), tmp_path / "metadata.parquet")
    assert read_benchmark(tmp_path / "metadata.parquet").digests == {
        content_digest(sums): "metadata.parquet/a"
    }


def test_a_puzzle_that_differs_in_one_place_is_another(tmp_path: Path) -> None:
    """A picture with one small piece moved has the same perceptual hash, nearly, and is kept."""
    one, other = Image.new("RGB", (512, 512), "white"), Image.new("RGB", (512, 512), "white")
    for image, at in ((one, 100), (other, 140)):
        image.paste("black", (300, 300, 400, 400))
        image.paste("red", (at, 100, at + 8, 108))
    looks = []
    for image in (one, other):
        file = io.BytesIO()
        image.save(file, "PNG")
        look = look_at(file.getvalue())
        assert look
        looks.append(look)
    assert Looks.of(looks[:1]).find(looks[0]) == 0
    assert Looks.of(looks[:1]).find(looks[1]) is None
    assert look_at(png(1)[:100]) is None


def test_what_holds_nothing_to_compare_with_is_refused(tmp_path: Path) -> None:
    """An empty folder, a file that is none, a table without pictures, a path that is not there."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("x")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "table.parquet")
    for name, why in (
        ("empty", "nothing"),
        ("text", "no Parquet"),
        ("table.parquet", "nothing"),
        ("x", "neither"),
    ):
        with pytest.raises(ReleaseError, match=why):
            read_benchmark(tmp_path / name)
