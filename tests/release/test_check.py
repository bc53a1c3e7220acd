"""`datafactory release check`."""

import io
import json
import socket
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Self

import polars as pl
import pytest
import yaml
from click.testing import CliRunner
from obstore.store import LocalStore

from tests.release import folders
from tests.release.conftest import Write
from vbvrdatafactory.cli.main import cli
from vbvrdatafactory.core.contract import (
    FINAL_FRAME,
    METADATA,
    PROMPT,
    QUESTION_METADATA,
    VIDEO,
    required_files,
)
from vbvrdatafactory.driver import release_check, release_offline
from vbvrdatafactory.driver.release_check import Checked, check
from vbvrdatafactory.driver.release_export import write_tables
from vbvrdatafactory.driver.release_place import Place
from vbvrdatafactory.driver.release_table import column_problems, row_problems
from vbvrdatafactory.release.layout import MEMBERS, parquet_path
from vbvrdatafactory.release.manifest import Removed
from vbvrdatafactory.release.traps import Trap

FIRST = "data/train/train-00000.tar"
LAST = "data/test/test-00000.tar"

Look = Callable[..., Checked]


class Inline:
    """Calls in this process, which has the libraries already: a new one takes seconds for them."""

    def __init__(self, *_: object, **__: object) -> None:
        release_offline._stream.cache_clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(call(*arguments, **named))
        return done


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_network: None) -> Look:
    monkeypatch.setenv("CROISSANT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(release_check, "ProcessPoolExecutor", Inline)
    return check


def traps(checked: Checked) -> dict[Trap, str]:
    """The file of the first finding of each trap."""
    found: dict[Trap, str] = {}
    for each in checked.found.kept:
        found.setdefault(each.trap, each.file)
    return found


def repack(folder: Path, path: str, change: Callable[[str, bytes], Iterable[tuple[str, bytes]]]) -> None:
    """Write a shard again with other members, and its new size and SHA-256 into the manifest."""
    with tarfile.open(folder / path) as tar:
        members = [(entry.name, tar.extractfile(entry).read()) for entry in tar]  # type: ignore[union-attr]
    with tarfile.open(folder / path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in (pair for member in members for pair in change(*member)):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    data = (folder / path).read_bytes()
    manifest = json.loads((folder / "release.json").read_text())
    for shard in manifest["shards"]:
        if shard["path"] == path:
            shard.update(bytes=len(data), sha256=sha256(data).hexdigest())
    (folder / "release.json").write_text(json.dumps(manifest))


def edit_table(folder: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    path = folder / "metadata.parquet"
    change(pl.read_parquet(path)).write_parquet(path)


def edit_header(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "README.md"
    _, text, rest = path.read_text().split("---\n", 2)
    found = yaml.safe_load(text)
    change(found)
    path.write_text(f"---\n{yaml.safe_dump(found)}---\n{rest}")


def test_six_generators_with_clashing_metadata_are_read_offline(write: Write) -> None:
    """A good release is read whole by webdataset, datasets and mlcroissant in processes that can open no connection."""
    folder, _ = write()
    result = CliRunner().invoke(cli, ["release", "check", str(folder), "--workers", "1", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert (found["good"], found["samples"], found["found"]) == (True, 24, [])


def test_processes_that_read_can_open_no_connection() -> None:
    """What reads a release is refused any connection, and the other side sees none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        with ProcessPoolExecutor(
            1, mp_context=get_context("spawn"), initializer=release_offline.start
        ) as pool:
            refused = pool.submit(socket.create_connection, server.getsockname()).exception(30)
            unresolved = pool.submit(socket.getaddrinfo, "localhost", 80).exception(30)
            called = pool.submit(subprocess.run, ["git", "--version"]).exception(30)
        with pytest.raises(TimeoutError):
            server.accept()
    assert "without a network" in str(refused)
    assert "without a network" in str(unresolved)
    assert "without other programs" in str(called)


def rename(old: str, new: str) -> Callable[[str, bytes], Iterable[tuple[str, bytes]]]:
    return lambda name, data: [(name.replace(old, new), data)]


def drop(ending: str, key: str = "") -> Callable[[str, bytes], Iterable[tuple[str, bytes]]]:
    return lambda name, data: [] if name.endswith(ending) and name.startswith(key) else [(name, data)]


def replace(ending: str, other: bytes) -> Callable[[str, bytes], Iterable[tuple[str, bytes]]]:
    return lambda name, data: [(name, other if name.endswith(ending) else data)]


@pytest.mark.parametrize(
    ("trap", "change"),
    [
        (Trap.DOT_IN_KEY, rename("V-1_maze-", "V-1.5_maze-")),
        (Trap.NESTED_LAYOUT, rename("V-1_maze-", "V-1_maze/")),
        (Trap.UNKNOWN_FILE, rename(FINAL_FRAME, "last.jpg")),
        (Trap.MISSING_FINAL_FRAME, drop(FINAL_FRAME, "V-1")),
        (Trap.MISSING_VIDEO, drop(VIDEO)),
        (Trap.MISSING_FILE, drop(PROMPT, "V-2")),
        (Trap.NO_JSON, replace(METADATA, b'{"size": ')),
        (Trap.NO_JSON, replace(METADATA, b'{"size": "\\ud800"}')),
        (Trap.NO_JSON, replace(METADATA, b'{"size": 123456789012345678901}')),
        (Trap.NO_TEXT, replace(PROMPT, b"\xff\xfe")),
        (Trap.OTHER_CONTENT, replace(FINAL_FRAME, folders.png(200))),
        (Trap.KEY_TWICE, lambda name, data: [(name, data), (name, data)]),
        (Trap.NOT_IN_TABLE, rename("V-1_maze-", "V-1_other-")),
        (Trap.NOT_IN_SHARD, drop("", "V-1_maze-000000")),
    ],
)
def test_trap_in_a_shard_is_named(write: Write, look: Look, trap: Trap, change: Any) -> None:
    """What is wrong in a shard is named, with the shard and the next move, although the shard has the manifest's hash."""
    folder, _ = write()
    repack(folder, FIRST, change)
    checked = look(folder)
    assert traps(checked)[trap] == FIRST
    assert Trap.SHARD_HASH not in traps(checked)
    assert all("; " in str(each) and each.file in str(each) for each in checked.found.kept)


def test_files_of_a_sample_that_lie_apart_are_named(write: Write, look: Look) -> None:
    """A sample whose files are not next to each other is two samples to its readers."""
    folder, _ = write()
    late: list[tuple[str, bytes]] = []

    def move(name: str, data: bytes) -> Iterable[tuple[str, bytes]]:
        if name.endswith(VIDEO) and not late:
            late.append((name, data))
            return []
        return (
            [*late, (name, data)]
            if name.startswith("O_48_sudoku_data_generator-000000.p")
            else [(name, data)]
        )

    repack(folder, FIRST, move)
    assert traps(look(folder))[Trap.SCATTERED_SAMPLE] == FIRST


def test_one_changed_byte_is_found(write: Write, look: Look) -> None:
    """A shard that has another byte has another hash, and its sample another digest."""
    folder, _ = write()
    data = bytearray((folder / LAST).read_bytes())
    data[600] ^= 1
    (folder / LAST).write_bytes(data)
    found = traps(look(folder))
    assert found[Trap.SHARD_HASH] == LAST
    assert found[Trap.OTHER_CONTENT] == LAST


def test_shard_that_ends_early_is_found(write: Write, look: Look) -> None:
    """A shard that was cut off has another hash and lacks samples."""
    folder, _ = write()
    data = (folder / LAST).read_bytes()
    (folder / LAST).write_bytes(data[: len(data) // 2 + 100])
    assert {Trap.SHARD_HASH, Trap.NOT_IN_SHARD} <= traps(look(folder)).keys()


def double(table: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([table, table.head(1)])


def mix_groups(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(
        pl.when(pl.col("index").is_in([0, 3])).then(pl.lit("same")).otherwise("group").alias("group")
    )


def forget_fps(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(pl.when(pl.col("generator") != "V-1_maze").then("fps").alias("fps"))


@pytest.mark.parametrize(
    ("trap", "change", "file"),
    [
        (Trap.MISSING_COLUMN, lambda table: table.drop("group"), "metadata.parquet"),
        (Trap.KEY_TWICE, double, "metadata.parquet"),
        (Trap.GROUP_IN_TWO_SPLITS, mix_groups, "metadata.parquet"),
        (Trap.FPS_MISSING, forget_fps, "metadata.parquet"),
        (Trap.WRONG_COUNT, lambda table: table.tail(20), "metadata.parquet"),
        (Trap.WRONG_OFFSET, lambda table: table.with_columns(offset=pl.col("offset") + 512), LAST),
        (Trap.WRONG_SPLIT, lambda table: table.with_columns(split=pl.lit("validation")), LAST),
    ],
)
def test_trap_in_the_table_is_named(write: Write, look: Look, trap: Trap, change: Any, file: str) -> None:
    """What is wrong with the rows is named, with its file."""
    folder, _ = write()
    edit_table(folder, change)
    assert traps(look(folder))[trap] == file


def test_inferred_types_of_metadata_are_refused(write: Write, look: Look) -> None:
    """Metadata whose types clash, under a header that has none for it, is named as that, with the field that clashes."""
    folder, _ = write()

    def infer(header: dict[str, Any]) -> None:
        features = header["dataset_info"][0]["features"]
        header["dataset_info"][0]["features"] = [each for each in features if each["name"] != METADATA]

    edit_header(folder, infer)
    (finding,) = [each for each in look(folder).found.kept if each.trap == Trap.CLASHING_METADATA]
    assert finding.file == "README.md"
    assert "'size'" in finding.what


def test_header_that_lacks_a_column_or_a_split_is_refused(write: Write, look: Look) -> None:
    """A header without a column, or whose configuration lacks a split, is named."""
    folder, _ = write()

    def forget(header: dict[str, Any]) -> None:
        features = header["dataset_info"][0]["features"]
        header["dataset_info"][0]["features"] = [each for each in features if each["name"] != VIDEO]
        del header["configs"][0]["data_files"][1]

    edit_header(folder, forget)
    found = traps(look(folder))
    assert (found[Trap.MISSING_COLUMN], found[Trap.CARD]) == ("README.md", "README.md")


def test_shards_are_those_of_the_manifest(write: Write, look: Look) -> None:
    """A shard that is missing, one too many, and one that would lie elsewhere are named; nothing else is read."""
    folder, release = write()
    (folder / LAST).rename(folder / "data/train/train-00009.tar")
    away = release.shards[0].model_copy(update={"path": "../train-00000.tar"})
    changed = release.model_copy(update={"shards": (away, *release.shards[1:])})
    (folder / "release.json").write_text(changed.model_dump_json())
    found = [(each.trap, each.file) for each in look(folder).found.kept]
    assert (Trap.MISSING_SHARD, LAST) in found
    assert (Trap.STRAY_SHARD, "data/train/train-00009.tar") in found
    assert (Trap.MISSING_SHARD, "../train-00000.tar") in found


def test_croissant_of_another_table_is_refused(write: Write, look: Look) -> None:
    """A description whose checksums are not those of the files is named."""
    folder, _ = write()
    edit_table(folder, lambda table: table.reverse())
    assert traps(look(folder))[Trap.CROISSANT] == "croissant.json"


@pytest.mark.parametrize(
    ("column", "told"), [("digest", "the content 'd'"), ("param_hash", "V-1_maze with param_hash p")]
)
def test_equal_puzzles_in_two_splits_are_named(write: Write, look: Look, column: str, told: str) -> None:
    """By content or by what their generator says, whatever groups the rows say they are of."""
    folder, _ = write()
    value = pl.when(pl.col("generator") == "V-1_maze").then(pl.lit(column[0])).otherwise(column)
    edit_table(folder, lambda table: table.with_columns(value.cast(pl.String).alias(column)))
    found = [each.what for each in look(folder).found.kept if each.trap == Trap.GROUP_IN_TWO_SPLITS]
    assert found == [f"{told} is in 2 splits"]


def test_one_content_in_several_groups_is_named(write: Write, look: Look) -> None:
    """It would count as several puzzles of a generator, that look different and are not."""
    folder, _ = write()
    same = pl.when(pl.col("key").is_in(["V-1_maze-000001", "V-1_maze-000002"])).then(pl.lit("same"))
    edit_table(folder, lambda table: table.with_columns(same.otherwise("digest").alias("digest")))
    found = [each.what for each in look(folder).found.kept if each.trap == Trap.WRONG_COUNT]
    assert found == ["the content 'same' is in 2 groups, and counts as so many puzzles"]


def test_what_the_manifest_says_of_its_rows_is_compared_with_them(write: Write, look: Look) -> None:
    """How many puzzles a generator has, and what was left out for a benchmark."""
    folder, release = write()
    share = release.generators[0].model_copy(update={"distinct": 3})
    removed = Removed(key="V-2_draw-000001", by="digest", against="bench/a")
    changed = {"generators": [share, *release.generators[1:]], "decontaminated": [removed]}
    (folder / "release.json").write_text(release.model_copy(update=changed).model_dump_json())
    found = [each.what for each in look(folder).found.kept if each.trap == Trap.WRONG_COUNT]
    assert found == [
        f"its rows of {share.generator!r} are of 4 groups, not 3",
        "'V-2_draw-000001' is there, and was left out for a benchmark, as release.json says",
    ]


def test_metadata_under_its_other_name_is_the_same(write: Write, look: Look) -> None:
    """A generator that calls its metadata question_metadata.json has it as metadata.json in a release, with its digest."""
    folder, _ = write(folders.samples({"V-1_maze": {}}))
    digest = folders.metadata_digest({QUESTION_METADATA: folders.FileContent.of(b'{"index": 0}')})
    at_zero = pl.when(pl.col("index") == 0).then(pl.lit(digest)).otherwise("metadata_digest")
    edit_table(folder, lambda table: table.with_columns(metadata_digest=at_zero))
    assert Trap.OTHER_CONTENT not in traps(look(folder))


def test_a_generator_without_videos_is_no_error(write: Write, look: Look) -> None:
    """Files that the dataset does not require may be missing from all samples of a generator."""
    given = [
        sample._replace(
            files={name: data for name, data in sample.files.items() if name not in (VIDEO, METADATA)}
        )
        if sample.generator == "V-2_draw"
        else sample
        for sample in folders.samples()
    ]
    folder, _ = write(given, require=[FINAL_FRAME])
    checked = look(folder)
    assert checked.is_good, checked.found.kept


def test_exported_tables_have_the_shards_bytes(write: Write, look: Look) -> None:
    """A table with the files of a shard in it is compared with the shard; one of other bytes, and one that is none, are named."""
    folder, release = write()
    write_tables(Place(folder), release)
    assert look(folder).is_good
    first, second, third = (folder / parquet_path(shard.path) for shard in release.shards)
    table = pl.read_parquet(first)
    table.with_columns(table["video"].shift(1).alias("video")).write_parquet(first)
    second.write_bytes(b"no table")
    found = look(folder).found
    assert [each.file for each in found.kept if each.trap == Trap.EXPORT] == [
        str(path.relative_to(folder)) for path in sorted((first, second))
    ]
    assert third.exists()


def test_a_folder_that_is_no_release_is_refused(tmp_path: Path) -> None:
    """A folder without a manifest is refused with the next move."""
    result = CliRunner().invoke(cli, ["release", "check", str(tmp_path)])
    assert result.exit_code == 1
    assert "datafactory release build" in result.output


def test_findings_are_shown_with_a_tally(write: Write, look: Look) -> None:
    """The command names what is wrong, says how often, and fails; what a stranger named so is escaped."""
    folder, _ = write()
    repack(folder, FIRST, rename("V-1_maze-000000", "V-1\x1b[31m.maze-000000"))
    result = CliRunner().invoke(cli, ["release", "check", str(folder)])
    assert result.exit_code == 1
    assert f"dot-in-key: {FIRST}:" in result.output
    assert f"{len(MEMBERS)} dot-in-key" in result.output
    assert "\x1b" not in result.output


def lie(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((folder / "release.json").read_text())
    change(manifest)
    (folder / "release.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("trap", "change"),
    [
        (Trap.WRONG_SPLIT, lambda found: found["splits"].pop("test")),
        (Trap.WRONG_COUNT, lambda found: found["generators"][0].update(samples=10**6)),
        (Trap.WRONG_COUNT, lambda found: found["generators"].pop()),
    ],
)
def test_a_manifest_that_lies_is_found(write: Write, trap: Trap, change: Any) -> None:
    """About its splits, and about what each generator has."""
    folder, _ = write()
    lie(folder, change)
    release = release_check.read_release(LocalStore(folder))
    found = [*release_check._file_problems(folder, release), *row_problems(folder, release)]
    assert trap in {each.trap for each in found}


def test_requirements_that_are_none_end_no_check(write: Write) -> None:
    """The files that every sample has are required then."""
    folder, _ = write()
    lie(folder, lambda found: found["spec"].update(require=5))
    assert release_check._required(release_check.read_release(LocalStore(folder))) == required_files()


@pytest.mark.parametrize("column", ["digest", "offset", "fps", "frames", "group", "split"])
def test_a_column_of_another_type_is_named(write: Write, column: str) -> None:
    """In one line, as one that lacks."""
    folder, _ = write()
    other = pl.lit("x") if column in ("offset", "fps", "frames") else pl.lit(7)
    edit_table(folder, lambda table: table.with_columns(other.alias(column)))
    (found,) = column_problems(folder)
    assert (found.trap, repr(column) in found.what) == (Trap.MISSING_COLUMN, True)


def test_rows_without_a_digest_are_named(write: Write, look: Look) -> None:
    """And the samples are compared with what is left."""
    folder, _ = write()
    edit_table(folder, lambda table: table.with_columns(pl.lit(None, pl.String).alias("digest")))
    assert {Trap.MISSING_COLUMN, Trap.OTHER_CONTENT} <= traps(look(folder)).keys()
