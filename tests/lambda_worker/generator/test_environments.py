"""Each generator runs with the interpreter that the generators' lock names, and its receipt says which."""

import json
import os
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from lambda_worker.batch import Worker
from lambda_worker.failure import BatchFailed, RunsElsewhere
from lambda_worker.generator.environments import Environments
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.generators_lock import (
    INSTALLED,
    MARK,
    GeneratorsLock,
    LockedEnvironment,
    LockedGenerator,
    environment_id,
)
from vbvrdatafactory.core.records import Receipt
from vbvrdatafactory.files import code_digest
from vbvrdatafactory.fleet.lock_writer import write_lock
from vbvrdatafactory.s3 import records

NAME = "T-1_tiny_data-generator"
DIGESTS = {letter: letter * 64 for letter in "abcd"}


def add_environment(generators: Path, letter: str, variable: str = "") -> LockedEnvironment:
    """An installed environment without packages; a module `which` in it says which one it is."""
    digest = DIGESTS[letter]
    place = generators / INSTALLED / environment_id(digest)
    venv.create(place, with_pip=False, symlinks=True)
    (site,) = place.glob("lib/python*/site-packages")
    (site / "which.py").write_text(f"name = {letter!r}\n{variable}")
    (place / MARK).write_text(json.dumps({"digest": digest}))
    return LockedEnvironment(digest=digest, libraries={"which": letter})


def lock(generators: Path, environments: dict[str, LockedEnvironment], **generator: object) -> None:
    """A lock in which each generator has the environment of that letter."""
    write_lock(
        generators,
        GeneratorsLock(
            generators={
                name: LockedGenerator(environment=environment_id(one.digest), **generator)  # type: ignore[arg-type]
                for name, one in environments.items()
            },
            environments={environment_id(one.digest): one for one in environments.values()},
        ),
    )


def say_which(generators: Path, name: str) -> None:
    """Have the generator's prompts name the environment that it runs in."""
    script = generators / name / "examples" / "generate.py"
    text = script.read_text().replace('f"Continue {digest.hex()}."', "__import__('which').name")
    script.write_text(text)


def receipt(store: MemoryStore, deliver: Callable[..., object], name: str) -> Receipt:
    deliver(type=name)
    (key,) = [key for batch in store.list(prefix=keys.receipts_of(name)) for key in batch]
    return records.read(store, key["path"], Receipt)


def test_each_runs_in_its_own(tiny, generators: Path, store: MemoryStore, deliver) -> None:
    """Two generators in one worker import what their own environments have, and their receipts say so."""
    environments = {
        name: add_environment(generators, letter) for name, letter in (("T-a", "a"), ("T-b", "b"))
    }
    lock(generators, environments)
    for name in environments:
        tiny(name)
        say_which(generators, name)
        deliver(type=name)
    prompts = {
        path: bytes(store.get(path).bytes())
        for batch in store.list(prefix="questions/")
        for path in [item["path"] for item in batch]
        if path.endswith("prompt.txt")
    }
    assert {path.split("/")[1]: text for path, text in prompts.items()} == {"T-a": b"a", "T-b": b"b"}


def test_the_receipt_says_what_made_it(tiny, generators: Path, store: MemoryStore, deliver) -> None:
    """Commit, tree, environment and libraries are the lock's where the code is; of changed code only what is true."""
    tiny(NAME)
    code = code_digest(generators / NAME)
    lock(
        generators,
        {NAME: add_environment(generators, "a")},
        url="x",
        commit="c0ffee",
        tree="7" * 64,
        code=code,
    )
    deliver(type=NAME)
    made_by = _receipt(store).made_by
    assert (made_by.commit, made_by.tree, made_by.environment) == ("c0ffee", "7" * 64, DIGESTS["a"])
    assert (made_by.libraries, made_by.python) == ({"which": "a"}, "3.11")
    script = generators / NAME / "examples" / "generate.py"
    script.write_text(f"{script.read_text()}\n# mine")
    deliver(type=NAME, start_index=4)
    made_by = _receipt(store, 4).made_by
    assert (made_by.commit, made_by.tree, made_by.environment) == ("", "", DIGESTS["a"])


def _receipt(store: MemoryStore, start: int = 0) -> Receipt:
    listed = [item["path"] for batch in store.list(prefix="_datafactory/receipts/") for item in batch]
    (path,) = [path for path in listed if f"/{start:05d}-" in path or f"{start}-" in path.rpartition("/")[2]]
    return records.read(store, path, Receipt)


def test_without_a_lock_the_workers_own_python_runs_it(tiny, generators: Path) -> None:
    """A folder of generators of before runs as it did."""
    tiny(NAME)
    assert Environments(generators).of(NAME).interpreter == Path(sys.executable)


def test_what_is_not_here_runs_elsewhere(tiny, generators: Path) -> None:
    """An environment that is not installed, an interpreter of another host, code that was not fetched: not here."""
    tiny(NAME)
    missing = LockedEnvironment(digest=DIGESTS["c"])
    named = LockedEnvironment(digest=DIGESTS["d"], interpreter="/nowhere/python")
    lock(generators, {NAME: missing, "T-away": missing})
    for name in (NAME, "T-away"):
        with pytest.raises(RunsElsewhere):
            Environments(generators).of(name)
    lock(generators, {NAME: named})
    with pytest.raises(RunsElsewhere, match="/nowhere/python"):
        Environments(generators).of(NAME)


def test_what_no_worker_can_run_fails_with_its_reason(tiny, generators: Path, deliver) -> None:
    """A generator that the lock does not have, or that it calls broken, is a failed batch that says what to do."""
    tiny(NAME)
    lock(generators, {})
    with pytest.raises(BatchFailed, match="generators lock") as failed:
        deliver(type=NAME)
    assert failed.value.cause is Cause.NO_ENVIRONMENT
    lock(generators, {NAME: LockedEnvironment(digest=DIGESTS["a"])}, problem="requirements.txt:1 is odd")
    with pytest.raises(BatchFailed, match="requirements.txt:1 is odd"):
        deliver(type=NAME)


def test_a_lock_that_changes_is_read_again(tiny, generators: Path) -> None:
    """A worker that lives on takes up a new lock without being restarted."""
    tiny(NAME)
    environments = Environments(generators)
    lock(generators, {NAME: add_environment(generators, "a")})
    first = environments.of(NAME).interpreter
    lock(generators, {NAME: add_environment(generators, "b")})
    assert environments.of(NAME).interpreter != first


def test_a_relative_folder_will_do(tiny, generators: Path, store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter is found though the generator's process starts in another folder."""
    tiny(NAME)
    lock(generators, {NAME: add_environment(generators, "a")})
    monkeypatch.chdir(generators.parent)
    worker = Worker(Path("generators"), lambda *_: store)
    assert os.access(worker.environments.of(NAME).interpreter, os.X_OK)
