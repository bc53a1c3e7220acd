"""What a generator leaves in the temp folder outside of its sandbox."""

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lambda_worker import processor
from lambda_worker.generator import litter, namespaces, run
from lambda_worker.generator.limits import Limits
from lambda_worker.generator.run import RunRequest, run_generator
from lambda_worker.generator.sandbox import sandbox
from vbvrdatafactory.core.config import Config

# As it is on AWS Lambda: nothing keeps it from writing there.
LITTERER = """
import os, pathlib
tmp = pathlib.Path({tmp!r})
(tmp / "left").write_text("x")
(tmp / "before").write_text("changed")
(tmp / "folder" / "deep").mkdir(parents=True)
(tmp / "folder" / "deep" / "file").write_text("x")
os.chmod(tmp / "folder" / "deep", 0)
(tmp / "link").symlink_to({outside!r})
os.mkfifo(tmp / "fifo")
(tmp / "-rf\\n\\x1b[2J").write_text("x")
print('--output')
"""


@pytest.fixture
def tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temp folder of this test's own, for the worker and for programs that name /tmp."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    (folder / "before").write_text("x")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(litter, "_TMP", str(folder))
    monkeypatch.setattr(namespaces, "are_allowed", lambda: False)
    monkeypatch.setattr(run, "_LANDLOCK", None)
    return folder


@pytest.fixture
def batch(tmp: Path, tmp_path: Path, tiny: Callable[..., str], generators: Path) -> Callable[[], None]:
    """Runs a generator that litters the temp folder."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_text("x")
    folder = generators / tiny()
    text = LITTERER.format(tmp=str(tmp), outside=str(tmp_path / "outside"))
    (folder / "examples" / "generate.py").write_text(text)

    def once() -> None:
        with sandbox() as box:
            job = RunRequest(folder, 1, 0, 0, seconds=20, cancelled=threading.Event())
            done = run_generator(box, job, Limits())
            assert (done.exit_code, done.stderr_tail) == (0, "")
            assert (tmp / "left").exists()

    return once


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_it_goes_with_the_batch(tmp: Path, tmp_path: Path, batch: Callable[[], None], monkeypatch) -> None:
    """Files, folders nobody may enter, links and FIFOs go; what was there before and what a link points to stay."""
    monkeypatch.setattr(litter.temp_folders, "are_ours", True)
    for _ in range(2):
        batch()
        assert names(tmp) == {"before"}
    assert names(tmp_path / "outside") == {"kept"}


def test_on_a_shared_machine_nothing_is_touched(tmp: Path, batch: Callable[[], None], monkeypatch) -> None:
    """Where nobody said that the temp folder is the worker's all stays, whatever a Lambda's variables say."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "worker")
    monkeypatch.setattr(litter.temp_folders, "are_ours", False)
    batch()
    assert names(tmp) == {"before", "left", "folder", "link", "fifo", "-rf\n\x1b[2J"}


def test_what_runs_side_by_side_is_left_alone(tmp: Path, batch: Callable[[], None], monkeypatch) -> None:
    """While another batch runs nothing is swept: it may be that one's; its sandbox stays as well."""
    monkeypatch.setattr(litter.temp_folders, "are_ours", True)
    with sandbox() as other:
        batch()
        assert {"left", "folder"} < names(tmp)
        assert other.output.is_dir()
    assert names(tmp) == {"before"}


def test_what_another_user_made_stays(tmp: Path, batch: Callable[[], None], monkeypatch) -> None:
    """Only files of the generators' user are swept."""
    monkeypatch.setattr(litter.temp_folders, "are_ours", True)
    monkeypatch.setattr(litter.os, "geteuid", lambda: 12345)
    batch()
    assert "left" in names(tmp)


@pytest.mark.parametrize(("said", "ours"), [("1", True), ("", False), ("0", False)])
def test_the_setting_says_whose_it_is(monkeypatch: pytest.MonkeyPatch, said: str, ours: bool) -> None:
    """OWNS_TEMP_FOLDER=1 alone, which the worker's image sets."""
    monkeypatch.setattr(litter.temp_folders, "are_ours", None)
    monkeypatch.setattr(processor, "prepare_host", lambda: None)
    monkeypatch.setenv("OWNS_TEMP_FOLDER", said)
    processor.make_processor(Config(), 1)
    assert litter.temp_folders.are_ours is ours
    dockerfile = Path(processor.__file__).with_name("Dockerfile").read_text()
    assert "OWNS_TEMP_FOLDER=1" in dockerfile
