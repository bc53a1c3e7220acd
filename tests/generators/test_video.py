"""The ground truth video, as a player and a training job read it."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class Decoded:
    frames: list[NDArray[np.uint8]]
    keyframes: list[int]
    codec: str
    pixels: str | None
    rate: Fraction | None


@cache
def decode(path: Path) -> Decoded:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        return Decoded(
            [np.asarray(frame.to_image()) for frame in frames],
            [number for number, frame in enumerate(frames) if frame.key_frame],
            stream.codec_context.name,
            stream.codec_context.pix_fmt,
            stream.average_rate,
        )


def difference(frame: NDArray[np.uint8], picture: Path) -> float:
    return float(np.abs(frame.astype(int) - np.asarray(Image.open(picture)).astype(int)).mean())


@pytest.fixture
def videos(samples: list[Path]) -> list[tuple[Path, Decoded]]:
    return [(sample, decode(sample / "ground_truth.mp4")) for sample in samples[:2]]


def test_it_is_what_browsers_play(videos: list[tuple[Path, Decoded]]) -> None:
    """Videos are H.264 in yuv420p, 16 frames a second, two to four seconds long."""
    for _, video in videos:
        assert (video.codec, video.pixels, video.rate) == ("h264", "yuv420p", 16)
        assert 32 <= len(video.frames) <= 64


def test_it_begins_and_ends_with_the_pictures(videos: list[tuple[Path, Decoded]]) -> None:
    """First and last frame are the two PNGs within 3 of 255, and each is held for at least a quarter second."""
    for sample, video in videos:
        for number in (0, 3):
            assert difference(video.frames[number], sample / "first_frame.png") < 3
            assert difference(video.frames[-1 - number], sample / "final_frame.png") < 3


def test_it_moves_in_small_steps(videos: list[tuple[Path, Decoded]]) -> None:
    """Between two frames no more changes than a part of the picture, and in between something does move."""
    for _, video in videos:
        frames = np.stack([frame[::2, ::2] for frame in video.frames]).astype(np.int16)
        changed = (np.abs(np.diff(frames, axis=0)).max(axis=3) > 40).mean(axis=(1, 2))
        assert changed.max() < 0.12
        assert (changed > 0).sum() >= len(changed) // 2


def test_it_can_be_entered_anywhere(videos: list[tuple[Path, Decoded]]) -> None:
    """There is a keyframe every eight frames, and seeking to the middle lands on one at most eight frames before."""
    for sample, video in videos:
        assert video.keyframes == list(range(0, len(video.frames), 8))
        middle = len(video.frames) // 2
        with av.open(str(sample / "ground_truth.mp4")) as container:
            stream = container.streams.video[0]
            container.seek(int(middle / 16 * 1_000_000))
            landed = next(container.decode(stream))
        number = round((landed.time or 0) * 16)
        assert middle - 8 < number <= middle
        assert np.array_equal(np.asarray(landed.to_image()), video.frames[number])


def test_it_starts_before_it_is_loaded(samples: list[Path]) -> None:
    """The index (moov) stands before the pictures (mdat), so a browser plays while it loads."""
    for sample in samples:
        data = (sample / "ground_truth.mp4").read_bytes()
        assert 0 < data.find(b"moov") < data.find(b"mdat")
