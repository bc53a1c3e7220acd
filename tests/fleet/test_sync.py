"""Repositories are strangers' code: fetched to exactly a commit, nothing of them run, the rest goes on."""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fleet.conftest import Repository, git, write_generator
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.fleet.digests import tree_digest
from vbvrdatafactory.fleet.git import Git
from vbvrdatafactory.fleet.sources import Source, choose, parse_list, source_of
from vbvrdatafactory.fleet.sync import Sync, SyncReport, left_sources, locked_sources
from vbvrdatafactory.lockfile import read_lock

Make = Callable[..., Repository]


def sync(fleet: Path, *sources: Source, update: bool = False, most_mb: int = 100) -> SyncReport:
    return Sync(fleet, Git(seconds=60), update=update, most_mb=most_mb).run(sources)


def of(*repositories: Repository) -> list[Source]:
    return [source_of(one.url) for one in repositories]


def again(fleet: Path) -> SyncReport:
    """A sync of exactly the lock."""
    lock = read_lock(fleet)
    assert lock
    return sync(fleet, *locked_sources(lock.generators))


def test_what_is_fetched_is_locked(fleet: Path, repository: Make) -> None:
    """A generator has its files without Git's own, and the lock its address, commit and digests; again, nothing is done."""
    made = repository("O-1_one_data-generator")
    assert sync(fleet, *of(made)).fetched == ["O-1_one_data-generator"]
    place = fleet / "O-1_one_data-generator"
    assert (place / "examples" / "generate.py").is_file()
    assert not (place / ".git").exists()
    locked = read_lock(fleet).generators["O-1_one_data-generator"]
    assert (locked.url, locked.commit, locked.tree) == (
        made.url,
        git(made.work, "rev-parse", "HEAD"),
        tree_digest(place),
    )
    assert again(fleet).unchanged == 1
    assert {path.name for path in fleet.iterdir()} == {"O-1_one_data-generator", "generators.lock.toml"}


def test_the_lock_decides(fleet: Path, repository: Make, tmp_path: Path) -> None:
    """On another machine exactly the locked commit is fetched, though the repository went on; --update moves it."""
    made = repository("O-1_one")
    first = git(made.work, "rev-parse", "HEAD")
    sync(fleet, *of(made))
    write_generator(made.work, "import math")
    second = made.commit()
    other = tmp_path / "other"
    other.mkdir()
    (other / "generators.lock.toml").write_bytes((fleet / "generators.lock.toml").read_bytes())
    assert again(other).fetched == ["O-1_one"]
    assert "import math" not in (other / "O-1_one" / "examples" / "generate.py").read_text()
    assert sync(fleet, *of(made), update=True).updated == {"O-1_one": (first, second)}
    assert "import math" in (fleet / "O-1_one" / "examples" / "generate.py").read_text()
    assert read_lock(fleet).generators["O-1_one"].commit == second


def test_what_cannot_be_used_is_reported_and_the_rest_goes_on(
    fleet: Path, repository: Make, tmp_path: Path
) -> None:
    """Vanished, empty, without a script, with one deeper down, too large, with a taken or an odd name: each has its reason."""
    good = repository("O_46_shape_sorter_data-generatornerator")
    empty = repository("empty", content=False)
    bare = repository("bare", content=False)
    (bare.work / "README.md").write_text("x")
    bare.commit()
    nested = repository("nested", content=False)
    write_generator(nested.work / "code" / "generator")
    nested.commit()
    huge = repository("huge")
    (huge.work / "assets.bin").write_bytes(os.urandom(3_000_000))
    huge.commit()
    write_generator(fleet / "V-1_ours")
    ours = repository("V-1_ours")
    odd = repository("an odd (name)")
    gone = Source("gone", str(tmp_path / "nowhere.git"))
    large = Source("large", "https://example.com/large.git", mb=10_000)
    report = sync(fleet, *of(good, empty, bare, nested, huge, ours, odd), gone, large, most_mb=2)
    assert report.fetched == [good.work.name]
    said = report.left_out
    assert said["empty"] == "the repository is empty"
    assert said["bare"] == "it has no examples/generate.py"
    assert "there is one in 'code/generator'" in said["nested"]
    assert "it has 2 MB of files; at most 2 MB" in said["huge"]
    assert "its name is taken by a folder of your own" in said["V-1_ours"]
    assert "name can't be a generator's" in said["an odd (name)"]
    assert "can't be reached" in said["gone"]
    assert "10,000 MB" in said["large"]
    assert {path.name for path in fleet.iterdir() if path.is_dir()} == {good.work.name, "V-1_ours"}


def test_one_name_is_one_generator(fleet: Path, repository: Make, tmp_path: Path) -> None:
    """Of two repositories of one name, or of names that differ by case alone, the first is taken and the other said."""
    first = repository("O-1_one")
    other = Source("o-1_ONE", str(tmp_path / "elsewhere" / "o-1_ONE.git"))
    report = sync(fleet, *of(first), other)
    assert report.fetched == ["O-1_one"]
    assert report.left_out == {other.url: f"{first.url} has the same name and came first"}


def test_nothing_of_a_repository_runs(fleet: Path, repository: Make, tmp_path: Path, monkeypatch) -> None:
    """Neither its hooks, filters, submodules nor the user's own hooks and templates run or are fetched."""
    trap = tmp_path / "trap"
    program = f"#!/bin/sh\ntouch {trap}\ncat\n"
    made = repository("hostile")
    (made.work / ".gitattributes").write_text("* filter=evil\n*.bin filter=lfs\n")
    (made.work / "x.bin").write_text("version https://git-lfs.github.com/spec/v1\n")
    (made.work / ".gitmodules").write_text(f'[submodule "s"]\n path = s\n url = {tmp_path}/trap.git\n')
    made.commit()
    home = tmp_path / "home"
    (home / "templates" / "hooks").mkdir(parents=True)
    (home / ".gitconfig").write_text(
        f"[init]\n templateDir = {home}/templates\n[core]\n hooksPath = {home}/templates/hooks\n"
        f'[filter "evil"]\n smudge = touch {trap} && cat\n[filter "lfs"]\n smudge = touch {trap} && cat\n'
    )
    for hooks in (home / "templates" / "hooks", made.bare / "hooks"):
        for name in ("post-checkout", "post-merge", "reference-transaction", "pre-auto-gc"):
            (hooks / name).write_text(program)
            (hooks / name).chmod(0o755)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_SSH_COMMAND", f"touch {trap}")
    assert sync(fleet, *of(made)).fetched == ["hostile"]
    assert not trap.exists()
    assert (fleet / "hostile" / "x.bin").read_text().startswith("version")


@pytest.mark.parametrize("url", ["ext::sh -c 'touch TRAP'", "--upload-pack=touch TRAP", "fd::17/x"])
def test_an_address_is_no_command(fleet: Path, tmp_path: Path, url: str) -> None:
    """An address that would have Git run a program, or is an option, is not fetched."""
    url = url.replace("TRAP", str(tmp_path / "trap"))
    assert "x" in sync(fleet, Source("x", url)).left_out
    assert not (tmp_path / "trap").exists()


def test_a_link_that_leads_out_is_refused(fleet: Path, repository: Make) -> None:
    """A link to a file of the machine is not taken into the folder; one within the repository is."""
    made = repository("links")
    (made.work / "inside").symlink_to("examples/generate.py")
    made.commit()
    assert sync(fleet, *of(made)).fetched == ["links"]
    (made.work / "outside").symlink_to("/etc/passwd")
    made.commit()
    assert "its link 'outside' leads out" in sync(fleet, *of(made), update=True).left_out["links"]
    assert not (fleet / "links" / "outside").exists()


def test_what_somebody_changed_is_kept(fleet: Path, repository: Make) -> None:
    """A fetched folder with changes is never overwritten, not by --update either."""
    made = repository("O-1_one")
    sync(fleet, *of(made))
    script = fleet / "O-1_one" / "examples" / "generate.py"
    script.write_text("mine")
    write_generator(made.work, "import math")
    made.commit()
    for update in (False, True):
        assert "differ from what was fetched" in sync(fleet, *of(made), update=update).left_out["O-1_one"]
    assert script.read_text() == "mine"


def test_a_commit_with_other_files_is_refused(fleet: Path, repository: Make) -> None:
    """Files other than those that were locked under a commit are not installed."""
    made = repository("O-1_one")
    sync(fleet, *of(made))
    path = fleet / "generators.lock.toml"
    tree = read_lock(fleet).generators["O-1_one"].tree
    path.write_text(path.read_text().replace(tree, "0" * 64))
    subprocess.run(["rm", "-r", fleet / "O-1_one"], check=True)
    assert "has other files than the lock says" in again(fleet).left_out["O-1_one"]


def test_one_at_a_time(fleet: Path, repository: Make) -> None:
    """Two syncs of one folder do not mix: the second is refused."""
    made = repository("O-1_one")
    with pytest.raises(DataFactoryError, match="another sync or lock is at work"):
        Sync(fleet, Git()).run(of(made), lambda _: sync(fleet, *of(made)) and None)


def test_what_a_killed_sync_had_begun_to_start_holds_nobody_up(fleet: Path, repository: Make) -> None:
    """Until it runs Git, such a process has the folder still; the next sync waits for that."""
    made = repository("O-1_one")
    handle = os.open(fleet, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    started = subprocess.Popen(["sleep", "1"], pass_fds=[handle])
    os.close(handle)
    sync(fleet, *of(made))
    assert started.wait() == 0
    assert [*read_lock(fleet).generators] == ["O-1_one"]


KILLED = """
import sys
from pathlib import Path
from vbvrdatafactory.fleet.git import Git
from vbvrdatafactory.fleet.sources import source_of
from vbvrdatafactory.fleet.sync import Sync
Sync(Path(sys.argv[1]), Git()).run([source_of(url) for url in sys.argv[2:]])
"""


def test_killed_and_run_again_it_ends_the_same(fleet: Path, repository: Make, tmp_path: Path) -> None:
    """Killed at any moment, a sync knows what it was about, and run again ends as one that was never killed."""
    made = [repository(f"O-{number}_x") for number in range(8)]
    whole = tmp_path / "whole"
    whole.mkdir()
    sync(whole, *of(*made))
    for moment in (0.15, 0.3, 0.45, 0.6, 0.8):
        command = [sys.executable, "-c", KILLED, str(fleet), *(one.url for one in made)]
        process = subprocess.Popen(command)
        time.sleep(moment)
        process.kill()
        process.wait()
        left = left_sources(fleet)
        assert left in ([], of(*made))
    sync(fleet, *of(*made))
    assert (fleet / "generators.lock.toml").read_bytes() == (whole / "generators.lock.toml").read_bytes()
    assert tree_digest(fleet) == tree_digest(whole)
    assert left_sources(fleet) == []


def test_a_list_names_repositories(tmp_path: Path) -> None:
    """A line is a Git URL or a path, with comments; one that is neither is named by its number."""
    text = "# ours\nhttps://example.com/O-1_a.git  # first\n\ngit@example.com:org/O-2_b.git\n"
    assert [one.name for one in parse_list(text, "list.txt")] == ["O-1_a", "O-2_b"]
    with pytest.raises(DataFactoryError, match="list.txt:1: '--x' is no Git URL"):
        [*parse_list("--x", "list.txt")]


def test_choosing(tmp_path: Path) -> None:
    """A regular expression and names choose; what is wrong with either is said."""
    found = [Source("O-1", "a"), Source("O-2", "b"), Source("G-1", "c")]
    assert [one.name for one in choose(found, "^O")] == ["O-1", "O-2"]
    assert [one.name for one in choose(found, "^O", ["O-2"])] == ["O-2"]
    with pytest.raises(DataFactoryError, match="no repository 'X'"):
        choose(found, only=["X"])
    with pytest.raises(DataFactoryError, match="no regular expression"):
        choose(found, "(")
