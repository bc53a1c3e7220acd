"""The commands of `datafactory generators`, on a planted organisation behind a stand-in of GitHub's API."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.fleet.conftest import write_generator
from tests.fleet.planted import ENVIRONMENTS, plant
from tests.fleet.test_github import Stand, stand
from vbvrdatafactory.cli.main import cli
from vbvrdatafactory.fleet.digests import tree_digest
from vbvrdatafactory.lockfile import read_lock

__all__ = ["stand"]  # a fixture
Run = Callable[..., Result]


@pytest.fixture
def run(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `datafactory generators …` on this test's folder."""
    monkeypatch.setenv("GENERATORS_PATH", str(fleet))
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    return lambda *arguments: CliRunner().invoke(cli, ["generators", *arguments])


def test_from_an_organisation_to_a_check(
    run: Run, fleet: Path, repository, stand: Stand, index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Listed over pages, fetched, locked into the fewest environments, installed, listed, explained and checked."""
    planted = plant(repository, 27, tmp_path / "trap")

    def answer(path: str, _: dict[str, str]):
        if "page=2" in path:
            return 200, planted.listed[10:], {}
        return 200, planted.listed[:10], {"Link": f'<{stand.url}/orgs/o/repos?page=2>; rel="next"'}

    stand.answer = answer
    monkeypatch.setenv("GITHUB_API_URL", stand.url)
    synced = run("sync", "--org", "o", "--max-mb", "2")
    assert synced.exit_code == 0, synced.output
    assert "21 fetched, 0 updated, 0 unchanged, 6 left out." in synced.stdout
    assert not (tmp_path / "trap").exists()
    assert f"21 generators in {ENVIRONMENTS} environments" in synced.stdout
    assert "opencv-python-headless is added" in synced.stdout
    rows = json.loads(run("list", "--json").stdout)
    assert {row["state"] for row in rows} == {"ready"}
    assert {row["family"] for row in rows} == set("OGVM")
    assert all(len(row["commit"]) == 40 and row["url"] for row in rows)
    assert run("list").stdout.endswith(f"21 generators under {fleet}.\n")
    before = tree_digest(fleet)
    asked = len(stand.asked)
    again = run("sync")
    assert "0 fetched, 0 updated, 21 unchanged, 0 left out." in again.stdout
    assert (len(stand.asked), tree_digest(fleet)) == (asked, before)
    name = planted.good[0].work.name
    assert f"{name}: ready" in run("why", name).stdout
    checked = run("check", name)
    assert (checked.exit_code, f"{name} keeps the contract" in checked.stdout) == (0, True)
    installed = run("install")
    assert f"{ENVIRONMENTS} environments installed" in installed.stdout
    assert "0 environments" in run("install", "--prune").stdout


def test_an_update_says_what_moved(run: Run, fleet: Path, repository, index, tmp_path: Path) -> None:
    """--update shows commits before and now, and new requirements their new environment."""
    made = repository("O-1_x", "import numpy", "numpy==1.26.4\n")
    (tmp_path / "list.txt").write_text(f"{made.url}\n")
    assert run("sync", "--list", str(tmp_path / "list.txt")).exit_code == 0
    before = read_lock(fleet).generators["O-1_x"]
    write_generator(made.work, "import numpy", "numpy==2.0.0\n")
    now = made.commit()
    moved = run("sync", "--update")
    assert f"O-1_x: {before.commit[:12]} → {now[:12]}" in moved.stdout
    assert read_lock(fleet).generators["O-1_x"].environment != before.environment
    assert "1 unchanged" in run("sync").stdout


def test_a_path_is_checked_anywhere(run: Run, index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is in no lock gets an environment of its own, in the user's cache; JSON and the exit code tell."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_generator(tmp_path / "elsewhere" / "mine", "import cv2", "numpy==1.26.4\n")
    found = run("check", str(folder), "--json")
    report = json.loads(found.stdout)
    assert found.exit_code == 0, found.output
    assert [(one["rule"], one["severity"]) for one in report["findings"]] == [
        ("requirements", "warning"),
        ("videos", "warning"),
    ]
    write_generator(folder, "raise SystemExit(3)")
    assert run("check", str(folder)).exit_code == 1
    assert not [
        path for path in folder.rglob("*") if path.name not in {"examples", "generate.py", "requirements.txt"}
    ]


def test_a_generator_is_new(run: Run, fleet: Path) -> None:
    """A new one is the template with a workflow that checks it; a name that is taken or none is refused."""
    made = run("new", "O-1_mine_data-generator")
    assert made.exit_code == 0
    place = fleet / "O-1_mine_data-generator"
    assert (place / "examples" / "generate.py").is_file()
    workflow = (place / ".github" / "workflows" / "check.yml").read_text()
    assert "datafactory generators check O-1_mine_data-generator" in workflow
    assert "is there already" in run("new", "O-1_mine_data-generator").output
    for name in ("../x", "template", "a/b"):
        assert "can't be a generator's name" in run("new", name).output


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("why", "x"), "has no lock yet; run 'datafactory generators lock'"),
        (("install",), "has no lock yet"),
        (("check", "nowhere"), "there is no generator 'nowhere'"),
        (("sync", "--list", "/dev/null", "--only", "x"), "there is no repository 'x' among the 0"),
        (("sync", "--list", "/dev/null", "--match", "("), "is no regular expression"),
    ],
)
def test_what_cannot_be_done_is_one_line(run: Run, command: tuple[str, ...], says: str) -> None:
    """An error shows the value and the next move, in one line."""
    result = run(*command)
    assert (result.exit_code, says in result.output) == (1, True), result.output
    assert "Traceback" not in result.output


def test_an_unknown_name_is_said(run: Run, fleet: Path, index) -> None:
    """A generator that the lock does not have is named by why and install."""
    write_generator(fleet / "O-1_x")
    run("lock")
    for command in ("why", "install"):
        assert "'O-2_y'" in run(command, "O-2_y").output
