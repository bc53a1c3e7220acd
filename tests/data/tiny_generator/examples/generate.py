"""A generator in a few milliseconds: real PNG and MP4 boxes, no package needed, and any misbehaviour on request.

`behaviour.json` beside `examples/` says what goes wrong, when: see `misbehave`.
"""

import argparse
import hashlib
import json
import os
import struct
import sys
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
    """The boxes of an MP4 around `content`."""
    boxes = ((b"ftyp", b"isom\0\0\2\0isom"), (b"moov", b"\0" * 8), (b"mdat", content))
    return b"".join(struct.pack(">I", 8 + len(body)) + kind + body for kind, body in boxes)


def misbehave(behaviour: dict, seed: int, count: int) -> int:
    """Do what `behaviour` asks for under its seeds (all, where none are named); the count to write."""
    if "seeds" in behaviour and seed not in behaviour["seeds"]:
        return count
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
    if "states" in behaviour:
        # One that can make few distinct samples.
        digest = hashlib.sha256(str(int.from_bytes(digest) % behaviour["states"]).encode()).digest()
    folder.mkdir(parents=True)
    (folder / "first_frame.png").write_bytes(png(digest[:3]))
    (folder / "final_frame.png").write_bytes(png(digest[3:6]))
    (folder / "ground_truth.mp4").write_bytes(mp4(digest))
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
    for place in range(count):
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
