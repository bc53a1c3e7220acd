"""Which files make a sample whole, by their bytes."""

import json
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_worker.samples.check import defects, file_defect
from vbvrdatafactory.core.contract import ALL_FIVE, KNOWN_FILES, required_files
from vbvrdatafactory.core.errors import SpecError


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


PNG = (
    b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 0, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(b"\0\1\2\0\3\4"))
    + chunk(b"IEND", b"")
)
FTYP, MOOV, MDAT = box(b"ftyp", b"isom\0\0\2\0isom"), box(b"moov", b"\0" * 40), box(b"mdat", b"\7" * 60)
MP4 = FTYP + MOOV + MDAT
FILES = {
    "first_frame.png": PNG,
    "prompt.txt": b"Draw the way out.",
    "final_frame.png": PNG,
    "ground_truth.mp4": MP4,
    "metadata.json": json.dumps({"seed": 1}).encode(),
}


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """The folder of a sample with all five files."""
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_a_whole_sample_has_no_defects(sample: Path) -> None:
    """Real bytes in every file pass, whatever is required."""
    assert defects(sample, ALL_FIVE) == []


def test_a_missing_file_is_a_defect_only_where_it_is_required(sample: Path) -> None:
    """Optional files may be absent."""
    (sample / "final_frame.png").unlink()
    assert defects(sample) == []
    assert defects(sample, ALL_FIVE) == ["final_frame.png: missing"]


@pytest.mark.parametrize("name", FILES)
def test_an_empty_file_is_a_defect_even_where_it_is_optional(sample: Path, name: str) -> None:
    """A frame, video or record of zero bytes is never what a generator meant: its write failed."""
    (sample / name).write_bytes(b"")
    assert defects(sample) == [f"{name}: empty"]


@pytest.mark.parametrize(
    "name", [".done", "_SUCCESS", ".gitkeep", "log.json", "mask.png", "x.mp4", "notes.txt"]
)
def test_an_empty_file_of_another_name_changes_nothing(sample: Path, name: str) -> None:
    """A marker that a generator leaves beside a sample makes it neither whole nor torn."""
    (sample / name).touch()
    assert defects(sample, ALL_FIVE) == []
    (sample / "prompt.txt").unlink()
    assert defects(sample) == ["prompt.txt: missing"]


def test_a_damaged_file_of_another_name_is_a_defect(sample: Path) -> None:
    """Every PNG, MP4 and JSON that has bytes is read before it is stored."""
    (sample / "mask.png").write_bytes(PNG[:20])
    assert defects(sample) == ["mask.png: a PNG cut short"]


@pytest.mark.parametrize("name", ["first_frame.png", "ground_truth.mp4", "metadata.json"])
def test_a_file_cut_anywhere_is_found(sample: Path, name: str) -> None:
    """Whichever byte a write stopped at, the file is no longer whole."""
    path, data = sample / name, FILES[name]
    for length in range(len(data)):
        path.write_bytes(data[:length])
        assert file_defect(path), f"{name} cut to {length} of {len(data)} bytes"


@pytest.mark.parametrize("bit", range(8))
def test_one_wrong_bit_makes_a_damaged_png(sample: Path, bit: int) -> None:
    """Every chunk carries a checksum; a bit flipped on the way is found wherever it is."""
    for at in range(len(PNG)):
        damaged = PNG[:at] + bytes([PNG[at] ^ 1 << bit]) + PNG[at + 1 :]
        (sample / "first_frame.png").write_bytes(damaged)
        assert file_defect(sample / "first_frame.png"), f"bit {bit} of byte {at}"


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("first_frame.png", b"GIF89a" + PNG, "not a PNG"),
        ("first_frame.png", PNG[:-12], "a PNG cut short"),
        ("first_frame.png", PNG[:-2], "a PNG cut short"),
        ("first_frame.png", PNG.replace(b"IDAT", b"IDOT"), "a damaged PNG"),
        ("ground_truth.mp4", b"\0\0\0\0", "not an MP4"),
        ("ground_truth.mp4", b"RIFF....AVI LIST" * 9, "not an MP4"),
        ("ground_truth.mp4", MOOV + MDAT, "not an MP4"),
        ("ground_truth.mp4", FTYP + MDAT, "an MP4 cut short"),
        ("ground_truth.mp4", FTYP + MOOV, "an MP4 cut short"),
        ("ground_truth.mp4", MP4[:-1], "an MP4 cut short"),
        ("ground_truth.mp4", MP4 + b"\0", "an MP4 cut short"),
        ("metadata.json", b'{"seed": ', "not JSON"),
        ("metadata.json", b"\xff\xfe", "not JSON"),
        ("prompt.txt", b" \n\t", "blank"),
        ("prompt.txt", b"Move \x1b[31mthe ball.", "not text: it has '\\x1b'"),
        ("prompt.txt", b"Move\0", "not text: it has '\\x00'"),
        ("prompt.txt", "Move\x85".encode(), "not text: it has '\\x85'"),
    ],
)
def test_a_defect_says_what_is_wrong(sample: Path, name: str, data: bytes, what: str) -> None:
    """The file's name and what is wrong with it, for the failure record."""
    (sample / name).write_bytes(data)
    assert defects(sample, ALL_FIVE) == [f"{name}: {what}"]


@pytest.mark.parametrize(
    "data",
    [
        FTYP + MDAT + MOOV,
        FTYP + box(b"free", b"") + MOOV + MDAT,
        FTYP + MOOV + b"\0\0\0\1mdat" + struct.pack(">Q", 20) + b"\7" * 4,
        FTYP + MOOV + b"\0\0\0\0mdat" + b"\7" * 50,
    ],
)
def test_the_layouts_encoders_write_are_whole(sample: Path, data: bytes) -> None:
    """Index last, padding, 64-bit sizes and a last box up to the end of the file are all fine."""
    (sample / "ground_truth.mp4").write_bytes(data)
    assert defects(sample, ALL_FIVE) == []


def test_a_link_is_not_a_file(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A generator cannot make the worker upload a file from elsewhere."""
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.png"
    secret.write_bytes(PNG)
    (sample / "first_frame.png").unlink()
    (sample / "first_frame.png").symlink_to(secret)
    assert defects(sample) == ["first_frame.png: missing"]


def test_a_folder_in_a_files_place_is_missing(sample: Path) -> None:
    """Only a regular file counts."""
    (sample / "prompt.txt").unlink()
    (sample / "prompt.txt").mkdir()
    assert defects(sample) == ["prompt.txt: missing"]


def test_all_defects_are_told_at_once(sample: Path) -> None:
    """Missing files first, then the files that are wrong."""
    (sample / "prompt.txt").unlink()
    (sample / "metadata.json").write_text("{")
    (sample / "first_frame.png").write_text("")
    assert defects(sample) == ["prompt.txt: missing", "first_frame.png: empty", "metadata.json: not JSON"]


@given(st.sets(st.sampled_from(KNOWN_FILES)))
def test_the_contracts_two_files_are_always_required(extra: set[str]) -> None:
    """A dataset can ask for more, never for less; the order does not depend on how it asks."""
    assert required_files(sorted(extra)) == required_files(sorted(extra, reverse=True))
    assert set(required_files(extra)) == {"first_frame.png", "prompt.txt"} | extra


def test_a_file_no_sample_has_cannot_be_required() -> None:
    """A misspelt requirement would make every sample torn for ever."""
    with pytest.raises(SpecError, match=r"no sample has a file 'video\.mp4'; .*ground_truth\.mp4"):
        required_files(["video.mp4"])


@pytest.mark.parametrize("name", ["metadata.json", "prompt.txt"])
def test_text_that_no_person_wrote_is_not_read(sample: Path, name: str) -> None:
    """A prompt or metadata of many megabytes is a defect, told without reading it."""
    with (sample / name).open("wb") as file:
        file.truncate(17 << 20)
    assert file_defect(sample / name) == "larger than 16 MB"


def test_a_length_that_no_file_has_is_no_reason_to_read_on(sample: Path) -> None:
    """A PNG whose chunk claims gigabytes is one cut short."""
    path = sample / "first_frame.png"
    data = bytearray(path.read_bytes())
    data[8:12] = b"\xff\xff\xff\xff"
    path.write_bytes(bytes(data))
    assert file_defect(path) == "a PNG cut short"
