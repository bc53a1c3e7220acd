"""What `make run` does, on an embedded AWS of its own with the first-party generators."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.aws, pytest.mark.prefect, pytest.mark.slow]

CHECKOUT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
REQUIRED = ("final_frame.png", "ground_truth.mp4", "metadata.json")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state folder that the runs of this module share."""
    folder = tmp_path_factory.mktemp("first-run") / "state"
    yield folder
    assert not processes_naming(folder), "something was left running"


@pytest.fixture
def make_run(state: Path, prefect_server: str) -> Callable[..., subprocess.Popen[str]]:
    """Starts what `make run` starts, with a Prefect server that is there already."""

    def start(samples: int, server: str = prefect_server) -> subprocess.Popen[str]:
        requires = [part for name in REQUIRED for part in ("--require", name)]
        return subprocess.Popen(
            [
                *(BIN / "datafactory", "local", "exec", "--state-dir", state, "--"),
                *(BIN / "python", "-m", "flows", "--dataset", "demo", "-n", str(samples), "-b", "2"),
                *(*requires, "--report-folder", state.parent / "report"),
            ],
            cwd=CHECKOUT,
            env={**os.environ, "PREFECT_API_URL": server},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    return start


def result(run: subprocess.Popen[str]) -> str:
    output, _ = run.communicate(timeout=240)
    return output.splitlines()[-1]


def processes_naming(folder: Path) -> list[str]:
    """Processes whose command line or environment names `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in text:
            found.append(process.name)
    return found


def sample_folders(state: Path) -> list[Path]:
    return sorted(state.glob("s3/*/vbvr-datafactory/questions/V-*/*_task/*"))


def test_the_first_run_makes_a_complete_dataset(make_run, state: Path) -> None:
    """One command makes every sample of the three generators, a report, and ends with exit code 0."""
    run = make_run(4)
    assert result(run) == "RESULT expected=12 whole=12 torn=0 missing=0 messages=6 other_seed=0 right=12"
    assert run.returncode == 0
    assert len(sample_folders(state)) == 12
    assert "is complete" in (state.parent / "report" / "report.html").read_text()


def test_the_second_run_sends_nothing(make_run, state: Path) -> None:
    """The same command again finds nothing missing, asks no Prefect server, and keeps the report of the real run."""
    page = state.parent / "report" / "report.html"
    before = page.read_bytes()
    run = make_run(4, server="http://127.0.0.1:9/api")  # nobody is there
    assert result(run) == "RESULT expected=12 whole=12 torn=0 missing=0 messages=0 other_seed=0 right=12"
    assert run.returncode == 0
    assert page.read_bytes() == before
    assert len(list((state.parent / "report" / "runs").iterdir())) == 1


def test_a_deleted_sample_comes_back(make_run, state: Path) -> None:
    """Deleting one sample's folder costs one message, and the sample is there again."""
    victim = sample_folders(state)[5]
    shutil.rmtree(victim)
    assert (
        result(make_run(4)) == "RESULT expected=12 whole=12 torn=0 missing=0 messages=1 other_seed=0 right=12"
    )
    # The emulator keeps a file of its own beside each object.
    assert len([path for path in victim.iterdir() if not path.name.endswith(".meta.json")]) == 5


def test_ctrl_c_leaves_nothing_running(make_run, state: Path) -> None:
    """Interrupted in the middle, the run stops the emulator, its workers and their generators; the next completes."""
    run = make_run(40)
    deadline = time.monotonic() + 120
    while len(sample_folders(state)) < 16 and time.monotonic() < deadline:
        time.sleep(0.2)
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    assert run.returncode != 0
    assert not processes_naming(state)


def test_ctrl_c_in_a_terminal_ends_at_once(state: Path) -> None:
    """Ctrl-C, which a terminal sends to all, ends a run with a server of its own in seconds, and says how to go on."""
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    log = state.parent / "ctrl-c.log"
    with log.open("wb") as output:
        run = subprocess.Popen(
            [
                *(BIN / "datafactory", "local", "exec", "--state-dir", state, "--"),
                *(BIN / "python", "-m", "flows", "-n", "60", "-b", "2"),
            ],
            cwd=CHECKOUT,
            env={**environment, "PREFECT_HOME": str(state.parent / "prefect")},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + 120
    while "/wait'" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.2)
    began = time.monotonic()
    os.killpg(run.pid, signal.SIGINT)
    run.wait(timeout=60)
    assert time.monotonic() - began < 30
    assert "run the same again" in log.read_text()
    assert not processes_naming(state)


def test_what_cannot_be_planned_is_refused_at_once(state: Path) -> None:
    """A wrong wish is one line, before any Prefect server is started for it; the embedded AWS says that it starts."""
    command = [
        BIN / "datafactory",
        "local",
        "exec",
        "--state-dir",
        state,
        "--",
        BIN / "python",
        "-m",
        "flows",
    ]
    run = subprocess.run([*command, "-g", "V-9_nobody"], cwd=CHECKOUT, capture_output=True, text=True)
    assert run.returncode == 1
    (refusal,) = (line for line in run.stderr.splitlines() if not line.startswith("Starting the embedded"))
    assert refusal.startswith("Error: unknown generator 'V-9_nobody'; known: V-1")
