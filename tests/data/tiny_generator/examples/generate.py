"""A generator in a few milliseconds: real PNG and MP4 boxes, no package needed, and any misbehaviour on request.

`behaviour.json` beside `examples/` says what goes wrong, when: see `misbehave`.
"""

import argparse
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent


def png(colour: bytes) -> bytes:
    """A 1 x 1 PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" + colour)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def mp4(content: bytes) -> bytes:
    """A real MP4 of two 1 x 1 frames, with the colours that `content` begins with; the whole of it is in a box that nobody reads."""
    padded = content + bytes(6)
    frames = [png(padded[:3]), png(padded[3:6])]
    start = box(b"ftyp", b"isom\0\0\2\0isom")
    entry = box(
        b"png ",
        bytes(6),
        b"\0\1",
        bytes(16),
        struct.pack(">HH", 1, 1),
        b"\0\x48\0\0" * 2,
        bytes(4),
        b"\0\1",
        bytes(32),
        b"\0\x18\xff\xff",
    )
    sizes = struct.pack(">II", 0, len(frames)) + b"".join(struct.pack(">I", len(frame)) for frame in frames)
    tables = [
        table(b"stsd", struct.pack(">I", 1), entry),
        table(b"stts", struct.pack(">III", 1, len(frames), 1)),
        table(b"stsc", struct.pack(">IIII", 1, 1, len(frames), 1)),
        table(b"stsz", sizes),
        table(b"stco", struct.pack(">II", 1, len(start) + 8)),
    ]
    data = box(b"dinf", table(b"dref", struct.pack(">I", 1), box(b"url ", b"\0\0\0\1")))
    media = box(b"minf", box(b"vmhd", b"\0\0\0\1", bytes(8)), data, box(b"stbl", *tables))
    matrix = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    track = box(
        b"trak",
        box(
            b"tkhd",
            b"\0\0\0\3",
            struct.pack(">5I", 0, 0, 1, 0, 2),
            bytes(16),
            matrix,
            struct.pack(">II", 0x10000, 0x10000),
        ),
        box(
            b"mdia",
            table(b"mdhd", struct.pack(">4I", 0, 0, 8, 2), bytes(4)),
            table(b"hdlr", bytes(4), b"vide", bytes(13)),
            media,
        ),
    )
    head = table(
        b"mvhd", struct.pack(">4I", 0, 0, 8, 2), b"\0\1\0\0\1\0", bytes(10), matrix, bytes(24), b"\0\0\0\2"
    )
    return start + box(b"mdat", *frames) + box(b"free", content) + box(b"moov", head, track)


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of an MP4."""
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def table(kind: bytes, *parts: bytes) -> bytes:
    """A box that begins with its version and flags."""
    return box(kind, bytes(4), *parts)


def misbehave(behaviour: dict, seed: int, count: int) -> int:
    """Do what `behaviour` asks for under its seeds (all, where none are named); the count to write."""
    if "seeds" in behaviour and seed not in behaviour["seeds"]:
        return count
    while "held" in behaviour and not Path(behaviour["held"]).exists():
        time.sleep(0.02)
    if "hang" in behaviour:
        time.sleep(behaviour["hang"])
    if "slow" in behaviour:
        time.sleep(behaviour["slow"])
    if "crash" in behaviour:
        raise ValueError(behaviour["crash"])
    if "exit" in behaviour:
        print("about to leave", file=sys.stderr)
        os._exit(behaviour["exit"])
    return count - behaviour.get("fewer", 0)


def write_sample(folder: Path, seed: int, place: int, behaviour: dict) -> None:
    # Some public generators seed from hash(str) and nothing else.
    origin = hash(folder.name) if "hash_seeded" in behaviour else f"{seed} {place}"
    digest = hashlib.sha256(str(origin).encode()).digest()
    if "random" in behaviour:
        # One that does not repeat itself.
        digest = os.urandom(32)
    if "counted" in behaviour:
        digest = hashlib.sha256(f"{seed} {place} {behaviour['count']}".encode()).digest()
    if "states" in behaviour:
        # One that can make few distinct samples.
        digest = hashlib.sha256(str(int.from_bytes(digest) % behaviour["states"]).encode()).digest()
    folder.mkdir(parents=True)
    (folder / "first_frame.png").write_bytes(png(digest[:3]))
    (folder / "final_frame.png").write_bytes(png(digest[3:6]))
    if "no_video" not in behaviour:
        video = mp4(digest)
        if "wrong_video" in behaviour:
            # Its boxes are those of a video, its frames are none.
            video = video.replace(b"IDAT", b"none")
        (folder / "ground_truth.mp4").write_bytes(video)
    (folder / "prompt.txt").write_text(f"Continue {digest.hex()}.")
    (folder / "metadata.json").write_text(json.dumps({"seed": seed, "place": place}))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--num-samples", type=int, required=True)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()
    file = HERE / "behaviour.json"
    behaviour = json.loads(file.read_text()) if file.exists() else {}
    count = misbehave(behaviour, arguments.seed, arguments.num_samples)
    behaviour["count"] = count
    kept = []
    if "process" in behaviour:
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    for place in range(count):
        time.sleep(behaviour.get("each", 0))
        burnt = time.process_time() + behaviour.get("burn", 0)
        while time.process_time() < burnt:
            pass
        # What it keeps in memory, and leaves in its temporary folder: megabytes for each sample.
        kept.append(b"x" * (behaviour.get("fat", 0) * 1_000_000))
        if "left" in behaviour:
            Path(tempfile.gettempdir(), f"left_{place}").write_bytes(b"x" * (behaviour["left"] * 1_000_000))
        write_sample(
            Path(arguments.output) / "tiny_task" / f"tiny_{place:08d}", arguments.seed, place, behaviour
        )
        print(f"  Generated: tiny_{place:08d}", flush=True)
    for place in behaviour.get("torn", ()):
        (Path(arguments.output) / "tiny_task" / f"tiny_{place:08d}" / "first_frame.png").write_bytes(
            png(b"red")[:30]
        )


if __name__ == "__main__":
    main()
