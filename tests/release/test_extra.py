"""What works without the extra `release`."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.release.conftest import Write

PACKAGES = ("datasets", "huggingface_hub", "imagehash", "mlcroissant", "PIL", "pyarrow", "webdataset", "yaml")

WITHOUT = f"""
import sys
sys.modules.update(dict.fromkeys({PACKAGES}))  # as if none was installed
from vbvrdatafactory.cli.main import cli
cli(sys.argv[1:])
"""


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("command", [("check",), ("publish", "--no-check", "--to", "hf:an-org/name")])
def test_a_command_names_the_extra_that_is_missing(write: Write, command: tuple[str, ...]) -> None:
    """Without the extra a command ends in one line that names it."""
    folder, _ = write()
    done = run("release", command[0], str(folder), *command[1:])
    assert done.returncode == 1
    assert "pip install 'vbvrdatafactory[release]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_other_commands_need_nothing_of_it(tmp_path: Path) -> None:
    """The command's help, and commands of other kinds, work without the extra."""
    done = run("download", "--help")
    assert done.returncode == 0, done.stderr
