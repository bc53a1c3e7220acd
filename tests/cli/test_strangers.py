"""Text of generators, messages, buckets and folders on a terminal: shown, and without power over it."""

import json
import logging

import pytest

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.core.records import FailureRecord
from vbvrdatafactory.s3 import records

FIRST = "O-1_first_data-generator"
SAID = "\x1b[2J\x1b]0;owned\x07\x9b31m \u202egnp.exe [red]x[/red]\nRESULT expected=0 whole=0"
HARMLESS = {"\n"}


def is_harmless(text):
    return all(letter.isprintable() or letter in HARMLESS for letter in text)


@pytest.fixture
def failed(run, place):
    """A dataset of which one batch failed, with words that mean to do more than say something."""
    run("submit", "-g", FIRST, "-n", "4", "-b", "4", "--dataset", "d")
    message = TaskMessage(type=FIRST, num_samples=4)
    record = FailureRecord(
        message=message,
        cause=Cause.CRASH,
        detail=SAID,
        stderr_tail=SAID,
        attempt=1,
        failed_at="2026-01-01T00:00:00Z",
    )
    key = keys.failure(keys.FailureKey(FIRST, IndexRange(0, 4), 0, 1, Cause.CRASH))
    records.write(place.store, key, record)
    place.s3.put_object(Bucket=place.config.output_bucket, Key=f"questions/{SAID}", Body=b"x")
    return place


@pytest.mark.parametrize("options", [(), ("--json",), ("--markdown",)])
def test_report(run, failed, options):
    """In each of its formats; the words are there to be read, and begin no line of their own."""
    result = run("report", "d", *options)
    assert result.exit_code == 1
    # Markdown takes an address apart with a space that nobody sees.
    assert is_harmless(result.stdout.replace("\u200b", ""))
    assert "gnp.exe" in result.stdout
    assert not any(line.startswith("RESULT") for line in result.stdout.splitlines())


def test_json_is_the_same_json(run, failed):
    """What is escaped there reads back as it was said."""
    assert SAID.splitlines()[0] in json.loads(run("report", "d", "--json").stdout)["failures"][0]["detail"]


def test_dead_letters(run, place):
    """A message's type is text that anybody may send."""
    place.sqs.send_message(QueueUrl=place.config.sqs_dlq_url, MessageBody=json.dumps({"type": SAID}))
    result = run("dlq", "list")
    assert (result.exit_code, is_harmless(result.stdout)) == (0, True)
    assert "\\x1b[2J" in result.stdout
    assert "[red]x[/red]" in result.stdout


def test_a_generators_folder(run, place):
    """Its name, in the list and in the note; one that is not even UTF-8 too."""
    for name in ("V-1\x1b[2J", b"V-2\xff".decode("utf-8", "surrogateescape")):
        (place.generators / name / "examples").mkdir(parents=True)
        (place.generators / name / "examples" / "generate.py").write_text("")
    for command in (("generators", "list"), ("submit", "-g", "all", "-n", 1, "--dry-run")):
        result = run(*command)
        assert (result.exit_code, is_harmless(result.stdout + result.stderr)) == (0, True)
        assert "V-1\\x1b[2J" in result.stderr.replace("\\\\", "\\")


def test_downloads(run, failed, tmp_path):
    """The keys that are left out are named."""
    failed.make(FIRST, [0])
    result = run("download", tmp_path / "out")
    assert (result.exit_code, is_harmless(result.stdout + result.stderr)) == (1, True)
    assert "left out" in result.stderr


@pytest.mark.parametrize("verbose", [(), ("-v",)], ids=["one line", "with the traceback"])
def test_errors(run, place, verbose):
    """A failure's one line, and with -v its traceback."""
    result = run(*verbose, "submit", "-g", f"x{SAID}", "--dry-run")
    assert (result.exit_code, is_harmless(result.stderr)) == (1, True)
    assert "gnp.exe" in result.stderr


def test_logs(run, failed, capfd, monkeypatch):
    """With -v the library's warnings are shown as well: here of a record that is none."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    key = keys.failure(keys.FailureKey(FIRST, IndexRange(0, 4), 0, 2, Cause.CRASH))
    failed.put(key, b"{}")
    logged = run("-v", "report", "d").stderr
    logging.getLogger("vbvrdatafactory").warning("said %s", SAID)
    assert root.handlers
    assert all(
        is_harmless(handler.format(logging.LogRecord("x", 30, "f", 1, SAID, (), None)))
        for handler in root.handlers
    )
    assert is_harmless(logged)
