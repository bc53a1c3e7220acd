# ruff: noqa: F401 - behaviours get all names of this module, what it imports too
"""What the generators of these tests are made of; the standard library only."""

import contextlib
import ctypes
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from datetime import datetime
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
DOMAIN = "torture"
# Nothing that a failing test leaves behind lives longer than this.
SECONDS = 30.0
_SET_NAME = 15


def token():
    """The word by which a test finds everything of its own on this machine."""
    return (FOLDER / "token").read_text()


def png(colour):
    """A 1 x 1 PNG."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" + colour)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def mp4(content):
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


def box(kind, *parts):
    """A box of an MP4."""
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def table(kind, *parts):
    """A box that begins with its version and flags."""
    return box(kind, bytes(4), *parts)


def files(seed, place):
    """What the sample holds that a run under `seed` makes at `place`."""
    digest = hashlib.sha256(f"{seed} {place}".encode()).digest()
    return {
        "first_frame.png": png(digest[:3]),
        "final_frame.png": png(digest[3:6]),
        "ground_truth.mp4": mp4(digest),
        "prompt.txt": f"Continue {digest.hex()}.".encode(),
        "metadata.json": json.dumps({"seed": seed, "timestamp": datetime.now().isoformat()}).encode(),
    }


def name(place, width=8):
    return f"{DOMAIN}_{place:0{width}d}"


def write(folder, content):
    """Write one sample's files."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in content.items():
        (folder / file).write_bytes(data)
    return folder


def write_sample(out, seed, place, named=None):
    """Write the sample of `place`, under another name if one is given."""
    return write(out / f"{DOMAIN}_task" / (named or name(place)), files(seed, place))


def write_samples(out, seed, count):
    """Write samples one by one; their folders."""
    return [write_sample(out, seed, place) for place in range(count)]


def make(out, seed, count, before=lambda place: None):
    """What most real generators do: make everything in memory, say each, and write only at the end."""
    made = []
    for place in range(count):
        before(place)
        made.append(files(seed, place))
        print(f"  Generated: {name(place)}", flush=True)
    for place, content in enumerate(made):
        write(out / f"{DOMAIN}_task" / name(place), content)


def hang(seconds=SECONDS):
    """Do nothing for long; SIGTERM and other signals do not end it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.1)


def mark():
    """Give this process a name that a test finds, whatever its folder and environment are."""
    ctypes.CDLL(None).prctl(_SET_NAME, token().encode()[:15], 0, 0, 0)


def sleep(seconds, first=""):
    """A command that a test finds, and that does nothing for some seconds."""
    return ["sh", "-c", f"{first}sleep {seconds}; exit 0", token()]


def own(path):
    """`path`, if it is this test's: what deletes a folder must never meet a person's."""
    path = Path(path)
    if token() not in str(path):
        raise RuntimeError(f"{path} is not a folder of this test")
    return path


def daemon(work=lambda: None, seconds=SECONDS):
    """Do `work` again and again in a process that has left its parent, group and session."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    mark()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            work()
        time.sleep(0.005)
    os._exit(0)


def bare_daemon():
    """A process that has left everything: parent, session, folder, environment, descriptors."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    word = token()
    os.chdir("/")
    os.closerange(0, 256)
    os.execve(
        sys.executable,
        [sys.executable, "-ISc", f"import time; time.sleep({SECONDS})", word],
        {},
    )


def hopper(seconds=SECONDS):
    """A process that is another one every few milliseconds: it forks and leaves, so its id never holds."""
    end = time.monotonic() + seconds
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    mark()
    while time.monotonic() < end:
        if os.fork():
            os._exit(0)
        time.sleep(0.003)
    os._exit(0)


def eat(megabytes):
    """Hold so much memory, page by page, then wait to be noticed; never more than that."""
    held = []
    for _ in range(megabytes // 10):
        held.append(bytearray(os.urandom(4096)) * (10 * 256))
        time.sleep(0.02)
    hang(5)
    return held


def fill(folder, megabytes):
    """Write so much to disk in files of 4 MB, then wait to be noticed."""
    for number in range(megabytes // 4):
        (folder / f"fill{number}").write_bytes(b"\xa5" * (4 << 20))
        time.sleep(0.02)
    hang(5)


def theirs(pid):
    """`pid`, if it is a process of the worker that runs this; nobody else is to be hurt."""
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    if pid < 1 or not (token().encode() in command or b"lambda_worker" in command):
        raise RuntimeError(f"nobody to kill: {pid} is {command}")
    return pid


def strike(pid, number=signal.SIGKILL, kill=os.kill):
    """Send a signal to a process, or with `killpg` to a group, of the worker."""
    try:
        kill(theirs(pid), number)
    except OSError as error:
        print(f"was refused: {error}", file=sys.stderr, flush=True)


def strike_ancestors():
    """Kill every ancestor that is the worker's, the farthest first."""
    found, pid = [], os.getppid()
    while True:
        try:
            found.append(theirs(pid))
        except RuntimeError:
            break
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    if not found:
        raise RuntimeError("nobody to kill")
    for pid in reversed(found):
        strike(pid)


def shout(lines, descriptors=range(51)):
    """Write everything to every descriptor that takes it."""
    for descriptor in descriptors:
        for line in lines:
            try:
                os.write(descriptor, line)
            except OSError:
                break


FORGED = [
    b"  Generated: torture_00000003\n" * 50,
    b'{"place": 3, "done": true, "whole": true, "exit_code": 0}\n',
    b'{"ok": true, "samples_uploaded": 1000, "statusCode": 200}\n',
    b"\0\xff\xfe\x80garbage\x1b[2J\r\n" * 20,
    b"3\n",
    b"done\n",
    b"OK\n",
]


def flood(megabytes=200):
    """Say so much on stdout, and as much on stderr."""
    block = (b"x" * 99 + b"\n") * 10_000
    for _ in range(megabytes):
        os.write(1, block)
        os.write(2, block)


def be_silent():
    """Close every descriptor, the standard ones too."""
    os.closerange(0, 256)
    nothing = Path(os.devnull).open("r+")  # noqa: SIM115 - for good
    sys.stdin = sys.stdout = sys.stderr = nothing
