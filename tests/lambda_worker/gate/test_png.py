"""How many bytes the data of a PNG have to be."""

import io
import zlib
from fractions import Fraction

import av
import pytest
from av.codec.context import Flags
from PIL import Image

from lambda_worker.gate.measure import inflated_bytes, picture_bytes


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (7, 8), (8, 7), (64, 33), (513, 2)])
def test_a_whole_picture_holds_them(mode: str, size: tuple[int, int]) -> None:
    """Of every kind of colour, and of odd sizes."""
    file = io.BytesIO()
    Image.new(mode, size).save(file, "PNG")
    assert inflated_bytes(file.getvalue()) == picture_bytes(file.getvalue())


@pytest.mark.parametrize(("size", "expected"), [((1, 1), 4), ((8, 8), 207), ((5, 3), 52)])
def test_an_interlaced_picture_has_seven_passes(size: tuple[int, int], expected: int) -> None:
    """By hand: three bytes a pixel, and one for each line, such as 7 of 5 x 3; passes without pixels have no line."""
    header = b"".join(side.to_bytes(4, "big") for side in size) + bytes([8, 2, 0, 0, 1])
    assert picture_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + header) == expected


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (64, 33)])
def test_a_whole_interlaced_picture_holds_them(size: tuple[int, int]) -> None:
    """As FFmpeg writes one."""
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt, encoder.time_base, encoder.flags = "rgb24", Fraction(1, 25), Flags.interlaced_dct
    frame = av.VideoFrame(*size, "rgb24")
    png = b"".join(bytes(one) for one in (*encoder.encode(frame), *encoder.encode(None)))
    assert png[28] == 1
    assert inflated_bytes(png) == picture_bytes(png)


def test_one_that_inflates_to_more_is_not_read_to_its_end() -> None:
    """A gigabyte in a picture of one pixel: a megabyte is enough to know."""
    packer = zlib.compressobj()
    data = b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(1024)), packer.flush()])
    header = (1).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    png = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", header), (b"IDAT", data)):
        png += len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
    assert inflated_bytes(png) == 1 << 20
