"""Samples with real pictures and videos, drawn with PyAV."""

import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.video.frame import VideoFrame

from lambda_worker.samples.collect import Sample

SIDE = 96
Square = tuple[int, int]


def draw(square: Square, side: int = SIDE, width: int = 12, colour: bytes = b"\x1e\x3c\xa0") -> VideoFrame:
    """A white frame with a square, dark blue and of 12 pixels a side."""
    frame = VideoFrame(side, side, "rgb24")
    rows = [bytearray(b"\xf8" * side * 3) for _ in range(side)]
    x, y = square
    for row in rows[y : y + width]:
        row[x * 3 : (x + width) * 3] = colour * width
    frame.planes[0].update(b"".join(bytes(row).ljust(frame.planes[0].line_size, b"\0") for row in rows))
    return frame


def write_png(path: Path, frame: VideoFrame) -> None:
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "rgb24"
    encoder.time_base = Fraction(1, 25)
    path.write_bytes(b"".join(bytes(one) for one in (*encoder.encode(frame), *encoder.encode(None))))


def write_video(path: Path, frames: Sequence[VideoFrame], fps: int = 10) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        for at, frame in enumerate(frames):
            frame.pts = at
            frame.time_base = Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def path_of(seed: int) -> list[Square]:
    """Where the square of a sample is, frame by frame."""
    draw_from = random.Random(seed)
    x, y, to_x, to_y = (draw_from.randrange(SIDE - 12) for _ in range(4))
    return [(x + (to_x - x) * at // 9, y + (to_y - y) * at // 9) for at in range(10)]


@pytest.fixture
def make(tmp_path: Path) -> Callable[[int], list[Sample]]:
    """Makes so many samples: a square that moves from its first to its final place."""

    def samples(count: int) -> list[Sample]:
        found = []
        for index in range(count):
            folder = tmp_path / "out" / f"move_{index:04d}"
            folder.mkdir(parents=True)
            places = path_of(index)
            write_png(folder / "first_frame.png", draw(places[0]))
            write_png(folder / "final_frame.png", draw(places[-1]))
            write_video(folder / "ground_truth.mp4", [draw(place) for place in places])
            (folder / "prompt.txt").write_text("Move the square.")
            found.append(Sample("move", index, folder))
        return found

    return samples
