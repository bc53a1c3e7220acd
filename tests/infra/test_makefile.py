"""What make hands on: names of folders and values as they are, and nothing of the shell that is for other work."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra import paths

# Stands for the command: it shows what it was called with.
STAND_IN = f"""#!{sys.executable}
import json, os, sys
print(json.dumps({{"arguments": sys.argv[1:], "environment": dict(os.environ)}}))
"""


def checkout(folder: Path) -> Path:
    """A folder with our Makefile and a stand-in for the command."""
    commands = folder / ".venv" / "bin"
    commands.mkdir(parents=True)
    shutil.copy(paths.CHECKOUT / "Makefile", folder)
    for name in ("requirements.lock", "pyproject.toml"):
        (folder / name).touch()
    (commands / "datafactory").write_text(STAND_IN)
    (commands / "datafactory").chmod(0o755)
    (folder / ".venv" / ".ready").touch()
    return folder


def make(folder: Path, *arguments: str, **outer: str) -> dict:
    """What the stand-in was called with."""
    environment = {"PATH": os.environ["PATH"], **outer}
    command = ["make", "-C", str(folder), "--no-print-directory", "run", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "said": done.stderr}


@pytest.mark.parametrize(
    "name",
    [
        "my data (v2)",
        "it's",
        "100% #1",
        "a$HOME b",
        "a$(HOME) b",
        "tick`echo RUN`",
        'q"uote',
        "b\\ack",
        "semi;colon & *",
    ],
)
def test_the_checkout_may_have_any_name(tmp_path: Path, name: str) -> None:
    """Prefect's home is the checkout's own, whatever a shell would read in the folder's name."""
    folder = checkout(tmp_path / name)
    assert make(folder)["environment"]["PREFECT_HOME"] == str(folder / ".datafactory" / "prefect")


ODD = ["it's", 'a"b', "$HOME", "$(echo RUN)", "`echo RUN`", "a b", "a;b", "#1", "-x", "50%", "$$"]


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("DATASET", "--dataset"),
        ("SAMPLES", "-n"),
        ("BATCH", "-b"),
        ("SEED", "-s"),
        ("FORMAT", "--output-format"),
    ],
)
def test_a_value_arrives_as_it_was_given(tmp_path: Path, name: str, option: str, value: str) -> None:
    """No shell and no make reads a value: what is odd in it is for the command to refuse."""
    arguments = make(checkout(tmp_path), f"{name}={value}")["arguments"]
    assert arguments[arguments.index(option) + 1] == value


@pytest.mark.parametrize(("name", "option"), [("GENERATORS", "-g"), ("REQUIRE", "--require")])
def test_a_list_arrives_word_by_word(tmp_path: Path, name: str, option: str) -> None:
    """Patterns are for the command: the shell finds no files for them."""
    (tmp_path / "V-file").touch()
    arguments = make(checkout(tmp_path), f"{name}=V-* it's `echo` $HOME")["arguments"]
    given = [arguments[at + 1] for at, argument in enumerate(arguments) if argument == option]
    assert given == ["V-*", "it's", "`echo`", "$HOME"]


def test_a_value_of_the_shell_is_told(tmp_path: Path) -> None:
    """A SEED that the shell has for other work is taken, as ever, but not in silence."""
    made = make(checkout(tmp_path), "SAMPLES=3", SEED="it's 7", SAMPLES="9")
    assert made["said"] == "SEED=it's 7 is taken from the environment\n"
    assert made["arguments"][made["arguments"].index("-s") + 1] == "it's 7"


@pytest.mark.parametrize(
    "name",
    ["PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS", "PYTHONOPTIMIZE", "PYTHONINSPECT", "PYTHONSAFEPATH"],
)
def test_what_changes_python_stays_out(tmp_path: Path, name: str) -> None:
    """Set in the shell for other work, each of them ends or changes a run."""
    folder = checkout(tmp_path)
    (folder / ".venv" / "bin" / "datafactory").write_text(
        '#!/bin/sh\nprintf \'{"set": "%s"}\' "$' + name + '"\n'
    )
    assert make(folder, **{name: "1"})["set"] == ""


@pytest.mark.parametrize("flags", ["-j4", "-k", "-s", "-r", "w"])
def test_flags_of_the_shell_change_nothing(tmp_path: Path, flags: str) -> None:
    """MAKEFLAGS may be set for other work."""
    assert make(checkout(tmp_path), "--no-print-directory", MAKEFLAGS=flags)["arguments"][:2] == [
        "local",
        "exec",
    ]


def test_a_run_has_a_prefect_of_its_own(tmp_path: Path) -> None:
    """Make says so to the command, which keeps the shell's settings of Prefect out."""
    arguments = make(checkout(tmp_path))["arguments"]
    assert "--own-prefect" in arguments[: arguments.index("--")]


def test_a_python_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    """Its name may have spaces; what to do is said."""
    folder = checkout(tmp_path)
    shutil.rmtree(folder / ".venv")
    done = subprocess.run(
        ["make", "-C", str(folder), ".venv/.ready", "PYTHON=/no where/python3"],
        capture_output=True,
        text=True,
    )
    assert "there is no '/no where/python3'; Python 3.11 or newer is needed" in done.stderr


def test_help_lists_every_target() -> None:
    """What can be made is what make help shows."""
    text = (paths.CHECKOUT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=paths.CHECKOUT, capture_output=True, text=True
    ).stdout
    assert {line.split()[0] for line in shown.splitlines()} == targets


def test_git_does_not_ignore_a_generator_of_ones_own(tmp_path: Path) -> None:
    """Whatever it is called and whatever folders it has, following the template's README."""
    shutil.copy(paths.CHECKOUT / ".gitignore", tmp_path)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    names = ("My_data-generator", "V-4_my_task_data-generator", "O-99_x_data-generator")
    files = [
        str(Path("generators", name, *file.relative_to(template).parts))
        for name in names
        for template in [paths.CHECKOUT / "generators" / "template"]
        for file in template.rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    ]
    files += [
        f"generators/{name}/{folder}/x.txt"
        for name in names
        for folder in ("data", "results", "build", "dist")
    ]
    ignored = subprocess.run(["git", "-C", tmp_path, "check-ignore", *files], capture_output=True, text=True)
    assert ignored.stdout == ""
    assert ignored.returncode == 1


def test_nobody_is_told_to_install_a_generators_requirements_into_the_factory() -> None:
    """It replaces the factory's own packages, after which the command cannot be loaded."""
    texts = [*paths.CHECKOUT.glob("*.md"), *paths.CHECKOUT.glob("docs/*.md"), paths.GENERATORS / "README.md"]
    texts += [
        file
        for room in ("vbvrdatafactory", "lambda_worker", "tasks", "flows", "infra")
        for file in (paths.CHECKOUT / room).rglob("*.py")
    ]
    told = [str(text) for text in texts if re.search(r"pip install -r \S*generators/", text.read_text())]
    assert told == []
