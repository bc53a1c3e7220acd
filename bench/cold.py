"""What a cold start of the worker costs: importing its handler beside `import boto3`, and its first batch beside its second.

    python -m bench.cold [--rounds 7]

Every reading is a fresh interpreter, the sides alternate, and medians are compared. The generator makes one sample of
1 x 1 pixel, so that what is left is the worker's own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.tables import print_table

_GENERATOR = r"""
import argparse, struct, zlib
from pathlib import Path
parser = argparse.ArgumentParser()
parser.add_argument("--num-samples", type=int); parser.add_argument("--seed", type=int); parser.add_argument("--output")
options = parser.parse_args()
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
png += chunk(b"IDAT", zlib.compress(b"\0\1\2\3")) + chunk(b"IEND", b"")
for index in range(options.num_samples):
    folder = Path(options.output) / "cold_task" / f"cold_{index:08d}"
    folder.mkdir(parents=True)
    (folder / "first_frame.png").write_bytes(png)
    (folder / "prompt.txt").write_text(f"{options.seed} {index}")
"""
_IMPORT = "import time; began = time.perf_counter(); import {module}; print(time.perf_counter() - began)"
_BATCHES = """
import json, time
from lambda_worker.handler import handler
class Context:
    aws_request_id = "cold"
    def get_remaining_time_in_millis(self): return 60_000
for start in range({first}, {first} + 3):
    began = time.perf_counter()
    handler(dict(type="cold", num_samples=1, seed=7, start_index=start), Context())
    print(time.perf_counter() - began)
"""


def run(code: str, environment: dict[str, str]) -> list[float]:
    """The seconds that `code` prints, a line each, in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return [float(line) for line in done.stdout.split()]


@contextmanager
def fake_s3(folder: Path) -> Iterator[str]:
    """A loopback S3; gives its address."""
    command = [sys.executable, "-m", "bench.fake_aws", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        if server.stdout is None or server.stdin is None:
            raise RuntimeError("the fake S3 has no pipes")
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        server.stdin.close()


def measure(rounds: int) -> dict[str, list[float]]:
    """Seconds of each import and of each batch in a fresh interpreter, by round."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        program = folder / "generators" / "cold" / "examples" / "generate.py"
        program.parent.mkdir(parents=True)
        program.write_text(_GENERATOR)
        stored = folder / "s3"
        stored.mkdir()
        with fake_s3(stored) as url:
            environment = {
                **os.environ,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",  # a key that no account has
                "AWS_ENDPOINT_URL": url,
                "GENERATORS_PATH": str(folder / "generators"),
                "OUTPUT_BUCKET": "cold",
            }
            # No batch is made twice: one whose receipt is there is not made.
            for number in range(rounds):
                for module in ("boto3", "lambda_worker.handler"):
                    found.setdefault(module, []).extend(run(_IMPORT.format(module=module), environment))
                for name, seconds in zip(
                    ("first batch", "second batch", "third batch"),
                    run(_BATCHES.format(first=3 * number), environment),
                    strict=True,
                ):
                    found.setdefault(name, []).append(seconds)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="Print the readings as JSON.")
    options = parser.parse_args()
    found = measure(options.rounds)
    if options.json:
        print(json.dumps(found))
        return
    imported, batch = median(found["boto3"]), median(found["second batch"])
    beside = {"boto3": imported, "lambda_worker.handler": imported}
    rows = [
        [name, f"{median(seconds):.3f} s", f"{median(seconds) / beside.get(name, batch):.2f}"]
        for name, seconds in found.items()
    ]
    print_table(["what", "median", "ratio"], rows)


if __name__ == "__main__":
    main()
