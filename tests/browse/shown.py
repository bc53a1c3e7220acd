"""A dataset in memory with real pictures and videos, and a server that shows it."""

import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import av
import obstore
from av.video.frame import VideoFrame
from obstore.store import MemoryStore

from tests.recorded import put_recorded
from vbvrdatafactory.cli.browse import make_server
from vbvrdatafactory.cli.serving import Server
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.core.records import FailureRecord, Picture
from vbvrdatafactory.driver.browse import Look
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.plan import DatasetSpec, Plan
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.tallies import Tally
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.specs import write_spec

MAZE, TAR = "G-3_maze_data-generator", "O-1_tar_data-generator"
MARKUP = '<img src=x onerror="document.title=1"><script>document.title="owned"</script> & "text"'


def encoded(kind: str, codec: str, frames: int, pixels: str) -> bytes:
    """A file with that many frames of 64 x 64 pixels."""
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=16)
        stream.width = stream.height = 64
        stream.pix_fmt = pixels
        for number in range(frames):
            frame = VideoFrame(64, 64, "rgb24")
            frame.planes[0].update(bytes([40 + number * 4, 120, 200]) * (64 * 64))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


PNG = encoded("image2pipe", "png", 1, "rgb24")
VIDEO = encoded("mp4", "libx264", 32, "yuv420p")
FILES = {
    "first_frame.png": PNG,
    "final_frame.png": PNG,
    "prompt.txt": MARKUP.encode(),
    "ground_truth.mp4": VIDEO,
    "metadata.json": b'{"level": 3}',
}


def look_at(folder: Path) -> Look:
    """Ten samples, all as recorded but two: one replaced by hand, one torn; the last two alike. And three in an archive."""
    bucket = MemoryStore()
    digests = {index: f"{index:064x}" for index in range(9)} | {9: f"{8:064x}"}
    put_recorded(bucket, MAZE, range(10), files=FILES, digests=digests)
    root = f"questions/{MAZE}/t_task/t_"
    obstore.put(bucket, f"{root}0003/metadata.json", b"by hand")
    obstore.delete(bucket, f"{root}0004/first_frame.png")
    obstore.put(bucket, keys.archive(keys.Archive(TAR, IndexRange(0, 3))), _archive(range(3)))
    message = TaskMessage(type=MAZE, num_samples=2, start_index=10)
    record = FailureRecord(
        message=message,
        seed=7,
        cause=Cause.WRONG_GROUND_TRUTH,
        detail="the video is another",
        stderr_tail="Traceback: <b>bold</b>",
        pictures=(Picture(sample_index=10, shows="first frame", jpeg="AAAA"),),
        attempt=1,
        failed_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    key = keys.FailureKey(MAZE, message.indices, 0, 1, record.cause)
    records.write(bucket, keys.failure(key), record)
    run = f"{keys.runs('dataset')}20260101T000000Z-abc/report"
    tally = Tally(generator=MAZE, expected=12, whole=9, torn=1)
    report = Report(dataset="dataset", at=datetime(2026, 1, 1, tzinfo=UTC), generators=[tally])
    records.write(bucket, f"{run}.json", report)
    obstore.put(bucket, f"{run}.html", b"<script>report</script>")
    spec = DatasetSpec(generators=(MAZE, TAR), samples=12, require=("final_frame.png",))
    write_spec(bucket, spec)
    services: Services = SimpleNamespace(bucket=bucket, samples=lambda _: bucket, log=None)  # type: ignore[assignment]
    look = Look(services, Plan(spec), folder)
    look.take()
    return look


def _archive(indices: range) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for index in indices:
            for name, data in FILES.items():
                member = tarfile.TarInfo(f"{TAR}/t_task/t_{index:04d}/{name}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


@contextmanager
def serving(look: Look) -> Iterator[Server]:
    """A server of the look, in a thread."""
    with make_server(look, "bucket-of-test", per_generator=4, seed=0, port=0) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()
