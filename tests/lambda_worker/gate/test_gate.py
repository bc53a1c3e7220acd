"""What the gate refuses, by real pictures and videos; and that it accuses nothing else."""

import base64
import io
import shutil
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from lambda_worker.failure import BatchFailed
from lambda_worker.gate import process
from lambda_worker.gate.gate import Gate, Verdict
from lambda_worker.generator import run
from lambda_worker.generator.limits import Limits
from lambda_worker.samples.collect import Sample
from tests.lambda_worker.gate.conftest import SIDE, draw, path_of, write_png, write_video
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.records import Band

Make = Callable[[int], list[Sample]]


def judge(samples: list[Sample], band: Band | None = None, limits: Limits | None = None) -> Verdict:
    with Gate(limits or Limits(), 60, threading.Event(), band) as gate:
        return gate.judge(samples)


def video_of(sample: Sample) -> Path:
    return sample.folder / "ground_truth.mp4"


def swap(one: Sample, other: Sample) -> None:
    kept = video_of(one).read_bytes()
    shutil.copyfile(video_of(other), video_of(one))
    video_of(other).write_bytes(kept)


PLANTED: dict[str, tuple[Callable[[Sample], object], str]] = {
    "another sample's video": (
        lambda one: write_video(video_of(one), [draw(place) for place in path_of(99)]),
        "does not look as if it begins with first_frame.png",
    ),
    "an empty video": (lambda one: video_of(one).write_bytes(b"\0\0\0\x08free"), "can't be decoded"),
    "a video cut short": (
        lambda one: video_of(one).write_bytes(video_of(one).read_bytes()[:-300]),
        "can't be decoded",
    ),
    "frames that are gone": (lambda one: blank(video_of(one)), ""),
    "one frame": (lambda one: write_video(video_of(one), [draw(path_of(3)[0])]), "its video has one frame"),
    "one frame, again and again": (
        lambda one: write_video(video_of(one), [draw(path_of(3)[0])] * 10),
        "its video shows one picture in all its 10 frames",
    ),
    "a black video": (
        lambda one: write_video(video_of(one), [black() for _ in range(10)]),
        "its video is black",
    ),
    "another size": (
        lambda one: write_video(video_of(one), [draw((4 * at, 0), 64) for at in range(10)]),
        "other sizes: 64 x 64 and 96 x 96",
    ),
    "a picture that is none": (
        lambda one: (one.folder / "final_frame.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40)),
        "final_frame.png can't be decoded",
    ),
    "a picture whose data end early": (
        lambda one: repack(one.folder / "final_frame.png", lambda data: data[: len(data) * 9 // 10]),
        "final_frame.png can't be decoded: final_frame.png holds",
    ),
    "a picture without its lower half": (
        lambda one: repack(one.folder / "final_frame.png", half),
        "final_frame.png can't be decoded: final_frame.png holds 13,872 of 27,744 bytes",
    ),
    "a picture whose data are none": (
        lambda one: repack(one.folder / "final_frame.png", lambda data: b"x" * len(data)),
        "final_frame.png can't be decoded: Error -3 while decompressing",
    ),
    "a picture of billions of pixels": (
        lambda one: (one.folder / "first_frame.png").write_bytes(huge(one.folder / "first_frame.png")),
        "first_frame.png can't be decoded: first_frame.png has 4,294,836,225 pixels",
    ),
}


def black() -> av.VideoFrame:
    frame = av.VideoFrame(SIDE, SIDE, "rgb24")
    frame.planes[0].update(bytes(frame.planes[0].buffer_size))
    return frame


def blank(path: Path) -> None:
    """Overwrite the middle of the video's data with zeros."""
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat") + 4
    length = int.from_bytes(data[at - 8 : at - 4], "big") - 8
    data[at + length // 3 : at + length] = bytes(length - length // 3)
    path.write_bytes(data)


def repack(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change the data of a picture; its parts have the right checksums all the same."""
    data, parts, at = path.read_bytes(), [], 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        parts.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    pixels = change(b"".join(body for kind, body in parts if kind == b"IDAT"))
    written = [data[:8]]
    for kind, body in (parts[0], (b"IDAT", pixels), (b"IEND", b"")):
        written += [len(body).to_bytes(4, "big"), kind, body, zlib.crc32(kind + body).to_bytes(4, "big")]
    path.write_bytes(b"".join(written))


def half(data: bytes) -> bytes:
    pixels = zlib.decompress(data)
    return zlib.compress(pixels[: len(pixels) // 2])


def huge(path: Path) -> bytes:
    data = bytearray(path.read_bytes())
    data[16:24] = b"\0\0\xff\xff" * 2
    return bytes(data)


def test_good_samples_pass_and_show_their_band(make: Make) -> None:
    """None is refused; the first batch of a generator shows what is usual, and the profile of its videos."""
    verdict = judge(make(12))
    assert (verdict.refused, len(verdict.passed)) == ({}, 12)
    assert verdict.band
    assert verdict.band.start
    assert verdict.band.end
    assert (verdict.band.start.is_held, verdict.band.end.is_held, verdict.band.samples) == (True, True, 12)
    assert {tuple(profile) for profile in verdict.profiles.values()} == {(10.0, 10, SIDE, SIDE)}


@pytest.mark.parametrize("is_known", [False, True], ids=["first batch", "known band"])
@pytest.mark.parametrize("what", PLANTED)
def test_what_is_planted_is_refused_and_nothing_else(make: Make, what: str, is_known: bool) -> None:
    """Whether the generator's band is known, or shown by the very batch."""
    plant, says = PLANTED[what]
    samples = make(12)
    band = judge(samples).band if is_known else None
    plant(samples[3])
    verdict = judge(samples, band)
    assert [*verdict.refused] == [3], verdict.refused
    assert says in verdict.refused[3]
    assert [sample.index for sample in verdict.passed] == [0, 1, 2, *range(4, 12)]


def test_swapped_videos_are_both_refused(make: Make) -> None:
    """And small pictures of what each one shows come with it."""
    samples = make(12)
    swap(samples[4], samples[7])
    verdict = judge(samples)
    assert [*verdict.refused] == [4, 7]
    shown = {(one.sample_index, one.shows) for one in verdict.pictures}
    assert {(4, "first_frame.png"), (4, "first frame of the video"), (7, "last frame of the video")} <= shown
    for one in verdict.pictures:
        with av.open(io.BytesIO(base64.b64decode(one.jpeg)), format="mjpeg") as container:
            (frame,) = container.decode(video=0)
        assert max(frame.width, frame.height) == 128
        assert len(one.jpeg) < 20_000


def test_videos_that_end_elsewhere_are_not_held_to_their_end(make: Make) -> None:
    """A generator whose videos do not end on the final frame is not accused of it; its beginnings are held still."""
    samples = make(16)
    for sample in samples:
        write_png(sample.folder / "final_frame.png", draw(path_of(50 + sample.index)[-1]))
    swap(samples[4], samples[7])
    verdict = judge(samples)
    assert verdict.band
    assert verdict.band.end
    assert verdict.band.end.is_held is False
    assert [*verdict.refused] == [4, 7]


@pytest.mark.parametrize("side", [96, 400], ids=lambda side: f"{side} pixels")
@pytest.mark.parametrize("colour", [(255, 165, 0), (255, 0, 0), (0, 128, 0)], ids=str)
def test_a_colour_that_the_first_batch_had_not_is_no_fault(
    make: Make, side: int, colour: tuple[int, int, int]
) -> None:
    """Codecs hold colours at half the size, so edges of an orange square are brown: a dataset would have no orange ones."""
    samples, width = make(17), side // 3
    for sample in samples:
        at = sample.index * side // 40
        drawn = bytes(colour) if sample.index == 16 else b"\x60" * 3
        frames = [draw((at, step * side // 20), side, width, drawn) for step in range(5)]
        write_png(sample.folder / "first_frame.png", frames[0])
        write_png(sample.folder / "final_frame.png", frames[-1])
        write_video(video_of(sample), frames)
    band = judge(samples[:16]).band
    assert judge(samples, band).refused == {}
    swap(samples[15], samples[16])
    assert [*judge(samples, band).refused] == [15, 16]


def test_a_few_samples_show_no_band(make: Make) -> None:
    """They are held to what needs none."""
    samples = make(3)
    swap(samples[0], samples[1])
    video_of(samples[2]).write_bytes(b"no video")
    verdict = judge(samples)
    assert (verdict.band, [*verdict.refused]) == (None, [2])


def test_a_few_samples_file_no_band_that_does_not_hold_them(make: Make) -> None:
    """They are judged by what they show, and the next batch shows it anew."""
    samples = make(8)
    for sample in samples:
        write_png(sample.folder / "final_frame.png", draw(path_of(50 + sample.index)[-1]))
    swap(samples[4], samples[7])
    verdict = judge(samples)
    assert (verdict.band, [*verdict.refused]) == (None, [4, 7])


@pytest.mark.parametrize("side", [SIDE, 288], ids=["as it is", "made small"])
def test_a_damaged_video_is_refused_however_it_is_decoded(make: Make, side: int) -> None:
    """Four of its bytes are others: its length and its number of frames stay, and its beginning is as it was."""
    samples = make(6)
    for sample in samples:
        write_video(video_of(sample), [draw(place, side) for place in path_of(sample.index)])
    data = bytearray(video_of(samples[3]).read_bytes())
    at = data.index(b"mdat") + 4
    length = int.from_bytes(data[at - 8 : at - 4], "big") - 8
    for place in range(at + length // 2, at + length // 2 + 4):
        data[place] ^= 0x5A
    video_of(samples[3]).write_bytes(data)
    verdict = judge(samples)
    assert [*verdict.refused] == [3]
    assert "ground_truth.mp4 can't be decoded" in verdict.refused[3]


def test_videos_that_return_to_their_beginning_pass(make: Make) -> None:
    """They end as they begin, and are not still; nor is a still video wrong where nothing is to move."""
    samples = make(16)
    for sample in samples[:15]:
        there = [draw(place) for place in path_of(sample.index)]
        write_video(video_of(sample), [*there, *there[::-1]])
    (samples[15].folder / "final_frame.png").write_bytes(
        (samples[15].folder / "first_frame.png").read_bytes()
    )
    write_video(video_of(samples[15]), [draw(path_of(15)[0])] * 10)
    assert judge(samples).refused == {}


def test_samples_without_videos_pass(make: Make) -> None:
    """There is nothing to compare, and no band."""
    samples = make(5)
    for sample in samples:
        video_of(sample).unlink()
    verdict = judge(samples)
    assert (verdict.refused, verdict.band, verdict.profiles) == ({}, None, {})


def test_samples_pass_while_others_are_made(make: Make) -> None:
    """With a known band each passes as soon as it is measured; one that changes afterwards is measured again."""
    samples = make(8)
    band = judge(samples).band
    with Gate(Limits(), 60, threading.Event(), band) as gate:
        for sample in samples:
            gate.offer(sample)
        early: list[Sample] = []
        while len(early) < len(samples):
            early += gate.passed()
        swap(samples[1], samples[2])
        verdict = gate.judge(samples)
    assert sorted(sample.index for sample in early) == [*range(8)]
    assert [*verdict.refused] == [1, 2]


@pytest.fixture
def fatal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A decoder that a picture of the name fatal kills."""
    script = tmp_path / "gate" / "measure.py"
    script.parent.mkdir()
    text = Path(process.__file__).with_name("measure.py").read_text()
    killed = "    if (path.parent / 'fatal').exists():\n        import os; os.kill(os.getpid(), 11)\n"
    head = '    """A PNG; None where there is none."""\n'
    assert head in text
    script.write_text(text.replace(head, head + killed))
    monkeypatch.setattr(process, "_SCRIPT", script)


@pytest.mark.usefixtures("fatal")
def test_a_sample_that_kills_the_decoder_is_refused_alone(make: Make) -> None:
    """The process is started again for the samples after it."""
    samples = make(6)
    for index in (1, 4):
        (samples[index].folder / "fatal").touch()
    verdict = judge(samples)
    assert [*verdict.refused] == [1, 4]
    assert "the decoder ended with -11" in verdict.refused[1]


def test_a_worker_that_can_not_check_says_so(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without PyAV no sample is accused: it is the worker's fault, and named."""
    script = tmp_path / "gate" / "measure.py"
    script.parent.mkdir()
    script.write_text("import av_that_is_not_here")
    monkeypatch.setattr(process, "_SCRIPT", script)
    with pytest.raises(BatchFailed) as failed:
        judge(make(2))
    assert failed.value.cause is Cause.NO_ENVIRONMENT
    assert "No module named 'av_that_is_not_here'" in failed.value.detail


def test_a_process_that_is_killed_once_accuses_no_sample(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A host that is short of memory kills any process: the sample that it was at is measured again."""
    script = tmp_path / "gate" / "measure.py"
    script.parent.mkdir()
    head = '    """A PNG; None where there is none."""\n'
    text = Path(process.__file__).with_name("measure.py").read_text()
    assert head in text
    kill = "    if not (mark := path.parent / 'killed').exists():\n        mark.touch()\n        os.kill(os.getpid(), 9)\n"
    script.write_text(text.replace(head, head + kill))
    monkeypatch.setattr(process, "_SCRIPT", script)
    monkeypatch.setattr(run, "_LANDLOCK", None)
    verdict = judge(make(4))
    assert (verdict.refused, len(verdict.passed)) == ({}, 4)
    assert all((sample.folder / "killed").exists() for sample in verdict.passed)
