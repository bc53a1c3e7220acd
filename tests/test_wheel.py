"""The wheel, installed alone: what `pip install vbvrdatafactory` gives."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

CHECKOUT = Path(__file__).parents[1]
USE = """
from vbvrdatafactory.core.config import config
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.sqs.submitter import TaskSubmitter
from vbvrdatafactory.testing import in_memory_aws
import lambda_worker.handler
with in_memory_aws() as cloud:
    TaskSubmitter().submit_tasks(["maze"], total_samples=50, batch_size=25, seed=7)
    print([str(message.indices) for message in cloud.messages()])
"""
TYPED = """
from vbvrdatafactory.core.models import TaskMessage
message = TaskMessage(type="maze", num_samples=4)
reveal_type(message.seed)
message.nothing
"""


def needed_by(name: str, seen: set[str]) -> Iterator[Distribution]:
    """The distributions that one needs without any extra, itself left out."""
    for line in distribution(name).requires or ():
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        if requirement.name.lower() not in seen:
            seen.add(requirement.name.lower())
            yield distribution(requirement.name)
            yield from needed_by(requirement.name, seen)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel and what it needs, in the versions of the lock, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    python = Path(sys.executable)
    build = [python, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    uv = python.with_name("uv")
    subprocess.run([uv, "venv", "-q", "--python", python, folder / "venv"], check=True)
    where = folder / "venv" / "bin" / "python"
    subprocess.run(
        [uv, "pip", "install", "-q", "--offline", "--no-deps", "--python", where, wheel], check=True
    )
    (there,) = (folder / "venv" / "lib").glob("python*/site-packages")
    for one in needed_by("vbvrdatafactory", set()):
        for top in {file.parts[0] for file in one.files or () if file.parts[0] != ".."}:
            if not (there / top).exists() and top != "__pycache__":
                (there / top).symlink_to(Path(str(one.locate_file(top))))
    return folder / "venv" / "bin"


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_the_library_and_the_handler_work(installed: Path, tmp_path: Path) -> None:
    """The documented imports, a submission to AWS in memory, and the Lambda's module."""
    done = run(installed / "python", "-c", USE, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("['0-24', '25-49']\n", "")


@pytest.mark.parametrize("command", ["--help", "submit --help", "worker --help", "--version"])
def test_the_command_works(installed: Path, tmp_path: Path, command: str) -> None:
    """Help of the root, of a command of the library and of the worker's."""
    done = run(installed / "datafactory", *command.split(), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_new_generator_comes_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    """The template for authors is in it; what needs an extra says which, in one line."""
    (tmp_path / "generators").mkdir()
    program = "import sys; from pathlib import Path; from vbvrdatafactory.fleet.new import new_generator as new; new(Path(sys.argv[1]), 'O-1_x')"
    done = run(installed / "python", "-c", program, tmp_path / "generators", cwd=tmp_path)
    assert done.stderr == ""
    assert (tmp_path / "generators" / "O-1_x" / "examples" / "generate.py").is_file()
    listed = run(installed / "datafactory", "generators", "list", cwd=tmp_path)
    assert (listed.returncode, "1 generator under" in listed.stdout) == (0, True), listed.stderr
    for command in (("lock",), ("sync", "--list", "/dev/null"), ("check", "O-1_x")):
        done = run(installed / "datafactory", "generators", *command, cwd=tmp_path)
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
        assert "vbvrdatafactory[fleet]" in done.stderr


@pytest.mark.parametrize("command", ["local", "ui"])
def test_a_command_of_the_checkout_says_where_it_is(installed: Path, tmp_path: Path, command: str) -> None:
    """In one line, with the next move."""
    done = run(installed / "datafactory", command, "up", cwd=tmp_path)
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert "checkout" in done.stderr


def test_neither_prefect_nor_cdk_comes_with_it(installed: Path, tmp_path: Path) -> None:
    """Those are extras."""
    for module in (
        "prefect",
        "aws_cdk",
        "ministack",
        "datasets",
        "huggingface_hub",
        "pyarrow",
        "flows",
        "infra",
    ):
        assert (
            "ModuleNotFoundError" in run(installed / "python", "-c", f"import {module}", cwd=tmp_path).stderr
        )


def test_its_types_are_seen(installed: Path, tmp_path: Path) -> None:
    """A user's type checker reads the annotations."""
    script = tmp_path / "script.py"
    script.write_text(TYPED)
    mypy = Path(sys.executable).with_name("mypy")
    options = ["--config-file=", "--cache-dir", tmp_path / "cache", "--follow-imports=silent"]
    done = run(mypy, *options, "--python-executable", installed / "python", script, cwd=tmp_path)
    assert 'Revealed type is "int | None"' in done.stdout or "Union[builtins.int, None]" in done.stdout
    assert '"TaskMessage" has no attribute "nothing"' in done.stdout
    assert "py.typed" not in done.stdout
