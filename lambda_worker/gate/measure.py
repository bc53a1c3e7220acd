"""Decodes pictures and videos, and writes what it measured: a script that runs in the sandbox, in a process of its own.

It uses the standard library and PyAV only. It reads jobs from a file that grows, a JSON line each, until a line says
null, and writes a JSON line for each. Decoders read a stranger's bytes here: whatever happens, happens to this process.
"""

import base64
import json
import os
import struct
import sys
import time
import zlib
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache, partial
from operator import sub
from pathlib import Path
from typing import Any, NamedTuple

import av
from av.codec.codec import UnknownCodecError
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, VideoReformatter

# Pictures are compared as squares of so many pixels a side: what is smaller than one of them is noise of the codec.
_SIDE = 32
# Of all differences between two of these the greatest count, as what moves is small.
_SHARE = 0.02
# Videos hold colour at half their size, and it bleeds: an orange edge is brown. Brightness is as sharp as in the picture.
_COLOUR = 1 / 3
# A codec that makes frames small makes them an eighth of their size.
_SHRUNK = 8
_MOST_PIXELS = 64_000_000
# Other samples whose videos each one is compared with.
_OTHERS = 3
_SHOWN_SIDE = 128
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIECE = 1024 * 1024
# Of a PNG: values a pixel, by its kind of colour; and the first pixel and the steps of each pass, where it is interlaced.
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
# Codecs that FFmpeg decodes at less than their size.
_SCALABLE = {"mpeg4", "mpeg1video", "mpeg2video", "mjpeg", "h263"}
_POLL_SECONDS = 0.005
# Up to this brightness a picture is black; 16 is none at all, as videos have it.
_BLACK = 26
# Looks that differ less, of 255, are of one picture: codecs write it anew every dozen frames, up to 4 another time.
_SAME = 6
# Pictures that differ more are two, whatever the codec did to them.
_OTHER = 12

_ERRORS = (
    FFmpegError,
    UnknownCodecError,
    zlib.error,
    struct.error,
    OSError,
    ValueError,
    LookupError,
    StopIteration,
    MemoryError,
)


class Look(NamedTuple):
    """A frame or a picture, made small: its brightness and, at half the side, its two planes of colour, as videos have them."""

    planes: tuple[bytes, ...]
    size: tuple[int, int]
    frame: VideoFrame

    @property
    def is_black(self) -> bool:
        return max(self.planes[0]) <= _BLACK


class Video(NamedTuple):
    """A video's first and last frame, its rate a second, and its frames: those decoded, and those that its header has.

    `is_still` says that all frames show the same.
    """

    first: Look
    last: Look
    fps: float
    frames: int
    header: int
    is_still: bool


class Sample(NamedTuple):
    """What a sample's folder holds; None for what it does not have."""

    first: Look | None
    final: Look | None
    video: Video | None


def distance(one: Look, other: Look) -> float:
    """How different two looks are, 0 to 255: in brightness, or by a third of what they are in colour."""
    brightness, *colours = map(_difference, one.planes, other.planes)
    return max(brightness, *(_COLOUR * colour for colour in colours))


def _difference(one: bytes, other: bytes) -> float:
    """How different two planes are: the mean of the greatest differences.

    A difference that is the same everywhere is left out: codecs shift the range of colours.
    """
    found = sorted(map(sub, one, other))
    middle, most = found[len(found) // 2], max(1, int(len(found) * _SHARE))
    low, high, total = 0, len(found) - 1, 0
    for _ in range(most):
        if middle - found[low] > found[high] - middle:
            total += middle - found[low]
            low += 1
        else:
            total += found[high] - middle
            high -= 1
    return total / most


@lru_cache(maxsize=8)
def _scaler(pixels: str, width: int, height: int) -> VideoReformatter:
    """What makes frames of one kind small: preparing it takes longer than using it."""
    del pixels, width, height
    return VideoReformatter()


def look(frame: VideoFrame, size: tuple[int, int] | None = None) -> Look:
    """A frame, made small; `size` is what it has in its file, where it was decoded at another.

    What was not decoded at an eighth is made as small as that first: edges lie where they lie in frames that were.
    """
    here = frame.width, frame.height
    size = size or here
    small = frame
    if here == size and _shrinks(size):
        small = _resized(frame, *(-(-side // _SHRUNK) for side in size))
    small = _resized(small, _SIDE, _SIDE)
    return Look(tuple(map(_rows, small.planes)), size, frame)


def _shrinks(size: tuple[int, int]) -> bool:
    """Whether there is enough left of a frame at an eighth of its size."""
    return min(size) >= _SHRUNK * _SIDE


def _resized(frame: VideoFrame, width: int, height: int) -> VideoFrame:
    """A frame of another size, as videos have it: pictures have a wider range of brightness."""
    scaler = _scaler(frame.format.name, frame.width, frame.height)
    return scaler.reformat(
        frame, width, height, format="yuv420p", interpolation="AREA", dst_color_range=ColorRange.MPEG
    )


def read_picture(path: Path) -> Look | None:
    """A PNG; None where there is none."""
    if not path.is_file():
        return None
    data = path.read_bytes()
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    _check_pixels(path.name, width * height)
    if (there := inflated_bytes(data)) < (wanted := picture_bytes(data)):
        raise ValueError(f"{path.name} holds {there:,} of {wanted:,} bytes")
    decoder = av.CodecContext.create("png", "r")
    frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    if len(frames) != 1:
        raise ValueError(f"{path.name} holds {len(frames)} pictures")
    return look(frames[0])


def inflated_bytes(png: bytes) -> int:
    """How many bytes the data of a PNG inflate to: FFmpeg takes a picture without its lower half for whole.

    Raises:
        zlib.error: they can't be inflated.
    """
    inflater, count, at, most = zlib.decompressobj(), 0, len(_SIGNATURE), picture_bytes(png)
    while at + 8 <= len(png) and not inflater.eof:
        length, kind = int.from_bytes(png[at : at + 4], "big"), png[at + 4 : at + 8]
        left = png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        # What inflates to more is no picture, and may not end for hours.
        while left and not inflater.eof and count <= most:
            count += len(inflater.decompress(left, _PIECE))
            left = inflater.unconsumed_tail
        at += 12 + length
    return count if inflater.eof or count > most else min(count, most - 1)


def picture_bytes(png: bytes) -> int:
    """How many bytes they have to be: a byte for its filter, and its pixels, for each line of each pass."""
    width, height, depth, colours, _, _, is_interlaced = struct.unpack(">IIBBBBB", png[16:29])
    bits = depth * _CHANNELS[colours]
    passes = _ADAM7 if is_interlaced else ((0, 0, 1, 1),)
    sizes = ((-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes)
    return sum(lines * (1 + -(-pixels * bits // 8)) for pixels, lines in sizes if pixels > 0 and lines > 0)


def read_video(path: Path, *, small: bool = True) -> Video | None:
    """A video, decoded to its end; None where there is none.

    With `small`, a codec that can give every frame at an eighth of its size does: all of it is read, in less time.
    """
    if not path.is_file():
        return None
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise ValueError(f"{path.name} has no video stream")
        stream = container.streams.video[0]
        _check_pixels(path.name, stream.width * stream.height)
        stream.thread_type = "NONE"
        size = stream.width, stream.height
        # Without it nothing says that a frame is damaged where a codec makes it small.
        options = {"err_detect": "explode"}
        if small and _shrinks(size) and stream.codec_context.name in _SCALABLE:
            options["lowres"] = "3"
        stream.codec_context.options = options
        first: Look | None = None
        last, count = None, 0
        for frame in container.decode(stream):
            if frame.is_corrupt:
                raise ValueError(f"frame {count} of {path.name} is damaged")
            first = first or look(frame, size)
            last, count = frame, count + 1
        if first is None or last is None:
            raise ValueError(f"{path.name} has no frame")
        end = look(last, size)
        # Few videos end as they begin; only those are read once more.
        is_still = count == 1 or (_is_same(first, end) and _is_still(container, first))
        return Video(first, end, float(stream.average_rate or 0), count, stream.frames, is_still)


def _is_still(container: InputContainer, first: Look) -> bool:
    """Whether all frames of a video look like its first."""
    container.seek(0)
    return all(_is_same(first, look(frame)) for frame in container.decode(video=0))


def _is_same(one: Look, other: Look) -> bool:
    return distance(one, other) < _SAME


def read_sample(folder: Path, *, small: bool = True) -> tuple[Sample, str]:
    """What is in a folder, and what is wrong with it; empty where nothing is."""
    parts: list[Any] = []
    for name, read in (
        ("first_frame.png", read_picture),
        ("final_frame.png", read_picture),
        ("ground_truth.mp4", partial(read_video, small=small)),
    ):
        try:
            parts.append(read(folder / name))
        except _ERRORS as error:
            said = " ".join(str(error).split())[:200]
            return Sample(None, None, None), f"{name} can't be decoded: {said or type(error).__name__}"
    sample = Sample(*parts)
    return sample, _defect(sample)


def _defect(sample: Sample) -> str:
    """What is wrong with a sample, whatever others of its generator are."""
    video, pictures = sample.video, [one for one in (sample.first, sample.final) if one]
    if video is None:
        return ""
    if video.header and video.frames != video.header:
        return f"its video has {video.frames} frames, and its header says {video.header}"
    if video.first.is_black and video.last.is_black and not all(one.is_black for one in pictures):
        return "its video is black, and its pictures are not"
    if video.is_still and sample.first and sample.final:
        if video.frames == 1 and sample.first.planes != sample.final.planes:
            return "its video has one frame, and its pictures differ"
        if distance(sample.first, sample.final) > _OTHER:
            return f"its video shows one picture in all its {video.frames} frames, and its pictures differ"
    return ""


def measure(folder: Path, others: "deque[Sample]", *, compares: bool) -> dict[str, object]:
    """What is measured of one sample; `others` are ones before it, and it is added to them."""
    sample, problem = read_sample(folder)
    video = sample.video
    found: dict[str, object] = {"problem": problem}
    if problem or video is None:
        return found
    found |= {"fps": video.fps, "frames": video.frames, "size": video.first.size}
    for name, picture, frame in (("start", sample.first, video.first), ("end", sample.final, video.last)):
        if picture is None:
            continue
        found[name] = distance(picture, frame)
        found[f"{name}_size"] = picture.size
        if compares:
            videos = [one.video for one in others if one.video]
            theirs = [one.first if name == "start" else one.last for one in videos]
            found[f"{name}_others"] = [distance(picture, one) for one in theirs]
    if compares:
        others.append(sample)
    return found


def show(folder: Path) -> dict[str, str]:
    """Small JPEG pictures, base64: both pictures, and the video's first and last frame."""
    sample, _ = read_sample(folder, small=False)
    if sample.video is None:
        return {}
    looks = {
        "first_frame.png": sample.first,
        "first frame of the video": sample.video.first,
        "final_frame.png": sample.final,
        "last frame of the video": sample.video.last,
    }
    return {name: _jpeg(one.frame) for name, one in looks.items() if one}


def _jpeg(frame: VideoFrame) -> str:
    scale = _SHOWN_SIDE / max(frame.width, frame.height)
    width, height = (max(2, round(side * scale / 2) * 2) for side in (frame.width, frame.height))
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    small = frame.reformat(width=width, height=height, format="yuvj420p")
    small.pts = 0
    packets = [*encoder.encode(small), *encoder.encode(None)]
    return base64.b64encode(b"".join(bytes(one) for one in packets)).decode()


def _rows(plane: VideoPlane) -> bytes:
    """The values of a plane of bytes, without what pads its lines."""
    data, width = bytes(plane), plane.line_size
    return b"".join(data[row * width : row * width + plane.width] for row in range(plane.height))


def _check_pixels(name: str, pixels: int) -> None:
    if not 0 < pixels <= _MOST_PIXELS:
        raise ValueError(f"{name} has {pixels:,} pixels")


def _jobs(inbox: Path) -> Iterator[Any]:
    """Jobs as they are written, until there is a null."""
    with inbox.open() as file:
        line = ""
        while True:
            line += file.readline()
            if not line.endswith("\n"):
                time.sleep(_POLL_SECONDS)
                continue
            job = json.loads(line)
            if job is None:
                return
            yield job
            line = ""


def main(inbox: Path, out: Path) -> None:
    """Measure what `inbox` asks for, and write it to `out`."""
    others: deque[Sample] = deque(maxlen=_OTHERS)
    with out.open("a", buffering=1) as file:
        print(json.dumps({"ready": True}), file=file)
        for number, task, folder, compares in _jobs(inbox):
            path = Path(folder)
            found = show(path) if task == "show" else measure(path, others, compares=compares)
            print(json.dumps({"number": number, **found}), file=file)
    # Nothing is left to do; taking an interpreter down takes as long as a sample.
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
