"""The installation that `make .venv/.ready` makes, whole, from the index that the machine has."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from infra import paths

pytestmark = pytest.mark.soak

HOSTILE = {
    "PIP_USER": "1",
    "PIP_TARGET": "/nonexistent/target",
    "PIP_REQUIRE_HASHES": "1",
    "PIP_NO_DEPS": "1",
    "UV_REQUIRE_HASHES": "1",
    "UV_NO_DEPS": "1",
    "UV_PYTHON": "3.7",
    "UV_EXCLUDE_NEWER": "2020-01-01",
    "UV_LINK_MODE": "nonsense",
    "UV_NO_BUILD": "1",
    "PYTHONHOME": "/nonexistent",
    "PYTHONPATH": "/nonexistent",
    "PYTHONWARNINGS": "error",
    "VIRTUAL_ENV": "/nonexistent/other",
    "TMPDIR": "/nonexistent/tmp",
    "CDPATH": "/tmp",
}


def test_an_installation_whatever_the_shell_says(tmp_path: Path) -> None:
    """With settings that each stop pip, uv or Python: all of it is made, that of the generators too; and works when moved."""
    here = tmp_path / "it's $HOME"
    shutil.copytree(paths.CHECKOUT, here, ignore=shutil.ignore_patterns(".*", "tests", "docs"))
    done = subprocess.run(
        ["make", ".venv/.ready"], cwd=here, env={**os.environ, **HOSTILE}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    moved = tmp_path / "moved `echo`"
    here.rename(moved)
    quiet = subprocess.run(["make", ".venv/.ready"], cwd=moved, capture_output=True, text=True)
    assert "up to date" in quiet.stdout
    code = "import infra, flows; print(infra.__file__)"
    shown = subprocess.run(["sh", "-c", '. .venv/bin/activate; python -c "$1"; datafactory local --help; pip --version', "sh", code], cwd=moved, capture_output=True, text=True)  # fmt: skip
    assert shown.stdout.splitlines()[0] == str(moved / "infra" / "__init__.py"), shown.stderr
    assert "The embedded AWS" in shown.stdout
    assert str(moved) in shown.stdout.splitlines()[-1]
    (python,) = moved.glob("generators/.environments/*/bin/python")
    assert subprocess.run([python, "-c", "import numpy, PIL, av"]).returncode == 0
