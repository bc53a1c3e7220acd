import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from lambda_worker.generator.capture import KEPT_BYTES, Capture
from lambda_worker.generator.limits import Limits
from lambda_worker.generator.run import GeneratorRun, RunRequest, run_generator
from lambda_worker.generator.sandbox import Sandbox, sandbox
from vbvrdatafactory.core.causes import Cause

Tiny = Callable[..., str]

PRINT_ENVIRONMENT = """
import json, os, sys
out = sys.argv[sys.argv.index("--output") + 1]
open(out + "/environment.json", "w").write(json.dumps(dict(os.environ)))
"""


def run_alone(box: Sandbox, generator: Path, seconds: float) -> GeneratorRun:
    job = RunRequest(
        generator,
        num_samples=1,
        seed=0,
        python_hash_seed=12345,
        seconds=seconds,
        cancelled=threading.Event(),
    )
    return run_generator(box, job, Limits())


def test_no_secret_reaches_a_generator(tiny: Tiny, generators: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The generator's environment holds no credential, endpoint or Lambda variable: it is an allow-list."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do not tell")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("MY_TOKEN", "do not tell")
    folder = generators / tiny()
    (folder / "examples" / "generate.py").write_text(PRINT_ENVIRONMENT)
    with sandbox() as box:
        run = run_alone(box, folder, 20)
        seen = json.loads((box.output / "environment.json").read_text())
    assert run.exit_code == 0
    assert not [name for name in seen if name.startswith(("AWS", "LAMBDA", "MY_", "SQS", "OUTPUT"))]
    assert seen["PYTHONHASHSEED"] == "12345"


def test_nothing_is_left_behind(
    tiny: Tiny, generators: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Temp files, caches and unwritable folders of a generator are gone with its sandbox."""
    # In the machine's own, other tests have sandboxes at the same time.
    temp = tmp_path / "temp"
    temp.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temp))
    folder = generators / tiny()
    litter = (
        "import os, tempfile, pathlib\n"
        "d = tempfile.mkdtemp(); open(d + '/x', 'w').write('x'); os.chmod(d, 0o500)\n"
        "pathlib.Path.home().joinpath('.cache').mkdir()\n"
        "# '--output'\nprint('--output')\n"
    )
    (folder / "examples" / "generate.py").write_text(litter)
    with sandbox() as box:
        run = run_alone(box, folder, 20)
        assert list((box.root / "tmp").iterdir())
        assert box.root.parent == temp
    assert run.exit_code == 0
    assert not box.root.exists()
    assert [*temp.iterdir()] == []


def test_grandchildren_end_with_their_generator(tiny: Tiny, generators: Path) -> None:
    """A child process that a generator leaves behind is ended with it."""
    folder = generators / tiny()
    (folder / "examples" / "generate.py").write_text(
        "import subprocess, sys\n"
        "p = subprocess.Popen(['sleep', '60.0625'], start_new_session=True)\n"
        "print(p.poll(), file=sys.stderr); '--output'; print('--output')\n"
    )
    with sandbox() as box:
        run = run_alone(box, folder, 20)
    assert run.stderr_tail == "None"
    assert not [process for process in psutil.process_iter() if "60.0625" in command_of(process)]


def command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_generator_that_ignores_sigterm_ends(tiny: Tiny, generators: Path) -> None:
    """SIGTERM that is ignored is followed by SIGKILL soon after the deadline."""
    folder = generators / tiny()
    (folder / "examples" / "generate.py").write_text(
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('--output')\ntime.sleep(60)\n"
    )
    with sandbox() as box:
        run = run_alone(box, folder, 0.5)
    assert run.stopped
    assert run.stopped.cause == Cause.DEADLINE
    assert run.seconds < 10


def test_what_is_kept_of_a_flood_is_its_end(tmp_path: Path) -> None:
    """Of millions of lines the last are kept, and every finished sample among them is counted."""
    path = tmp_path / "stderr"
    path.write_text("  Generated: x_0\n" * 200_000 + "the end")
    with path.open("rb") as stream:
        capture = Capture(stream)
        capture.finish()
    assert capture.tail.endswith("the end")
    assert len(capture.tail) <= KEPT_BYTES
    assert capture.generated == 200_000


def test_the_worker_runs_without_prefect() -> None:
    """The worker imports with Prefect, CDK and the rooms built on the library absent."""
    absent = ("prefect", "prefect_aws", "aws_cdk", "tasks", "flows", "infra")
    code = f"import sys\nfor n in {absent}: sys.modules[n] = None\nimport lambda_worker.handler"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
