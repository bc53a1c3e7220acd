"""A build of a release that is killed, by the command, on the embedded AWS."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.local import EmbeddedAws
from tests.release.planted import files_of, plant
from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.planning.plan import make_spec
from vbvrdatafactory.s3.specs import write_spec

pytestmark = [pytest.mark.soak, pytest.mark.aws]

GENERATORS, SAMPLES = [f"G-{number}_x" for number in range(4)], 1000
# Beside what follows from the dataset and the seed, these say when the release was built.
_TIMED = {"release.json", "CHANGELOG.md", "README.md", "croissant.json"}


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Where a command finds a bucket with a complete dataset of 4,000 small samples."""
    (tmp_path / "generators").mkdir()
    with EmbeddedAws(tmp_path / "state", tmp_path / "generators").running() as info:
        config = Config(env_file=info.env_file)
        store = aws.bucket(config)
        for number, name in enumerate(GENERATORS):
            made = {i: files_of(name, 50 * number + i % 50, {"n": i}) for i in range(SAMPLES)}
            plant(store, name, made)
        write_spec(store, make_spec(dataset="d", generators=GENERATORS, samples=SAMPLES, batch_size=10))
        yield {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AWS_ENDPOINT_URL": str(config.aws_endpoint_url),
            "OUTPUT_BUCKET": config.output_bucket,
        }


def start(environment: dict[str, str], out: Path, workers: int) -> "subprocess.Popen[str]":
    command = Path(sys.executable).with_name("datafactory")
    options = ["--out", out, "--shard-mb", "1", "--split", "test=0.1", "--workers", str(workers)]
    return subprocess.Popen(
        [command, "release", "build", "d", *options], env=environment, stdout=subprocess.PIPE, text=True
    )


def held(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in _TIMED)
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in files if "pictures" not in path.parts
    }


def test_killed_at_half_it_builds_the_rest(environment: dict[str, str], tmp_path: Path) -> None:
    """The same bytes as one that nobody killed, with another number of processes; shards that were whole are not read again."""
    undisturbed = start(environment, tmp_path / "whole", 1)
    assert undisturbed.communicate()[0]
    shards = len([*(tmp_path / "whole").rglob("*.tar")])
    assert shards > 10

    killed, out = start(environment, tmp_path / "killed", 2), tmp_path / "killed"
    while len([*out.glob("_build/*/*.json")]) < shards // 2:
        assert killed.poll() is None, "it was over before it was killed"
        time.sleep(0.02)
    children = psutil.Process(killed.pid).children(recursive=True)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert not alive, "its processes end with it"
    assert gone
    assert not (out / "release.json").exists()
    there = {path: path.stat().st_mtime_ns for path in out.glob("data/*/*.tar")}
    assert len(there) >= shards // 2

    told, _ = start(environment, out, 2).communicate()
    built = int(told.split("; ")[-1].split(" ")[0])
    assert shards // 4 < built <= shards - shards // 2
    kept = [path for path, at in there.items() if path.stat().st_mtime_ns == at]
    assert len(kept) >= shards - built
    assert held(out) == held(tmp_path / "whole")
