"""Publishing to the Hub, to a stand-in of it on loopback."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.release import folders
from tests.release.conftest import Write
from vbvrdatafactory.cli.main import cli
from vbvrdatafactory.driver import release_hub, release_targets
from vbvrdatafactory.driver.release_hub import HubRepository
from vbvrdatafactory.testing.hub import TOKEN, Fault, LoopbackHub, Stored

NAME = "an-org/a-dataset"

Publish = Callable[..., Result]


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub().serving() as serving:
        yield serving


@pytest.fixture
def publish(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Publish:
    """`datafactory release publish FOLDER --to hf:…` in this process, where waiting takes no time."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(
        release_targets,
        "HubRepository",
        lambda name, *, private: HubRepository(name, private=private, endpoint=hub.endpoint),
    )

    def run(folder: Path, *options: str, to: str = f"hf:{NAME}") -> Result:
        return CliRunner().invoke(
            cli, ["release", "publish", str(folder), "--to", to, "--no-check", *options]
        )

    return run


def files_of(folder: Path) -> dict[str, bytes]:
    """What is to arrive: every file, with the repository's name in what describes the release."""
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    for name in ("README.md", "croissant.json"):
        found[name] = found[name].replace(b"ORG/NAME", NAME.encode())
    return found


def listed(hub: LoopbackHub) -> dict[str, bytes]:
    return {path: each.data for path, each in hub.repositories[NAME].items()}


def test_all_arrives_and_again_nothing_is_sent(write: Write, hub: LoopbackHub, publish: Publish) -> None:
    """Every file arrives with its bytes, the card last and with the repository's name; a second call sends nothing."""
    folder, _ = write()
    result = publish(folder)
    assert result.exit_code == 0, result.output
    assert "19 files" in result.output
    assert "19 sent" in result.output
    assert listed(hub) == files_of(folder)
    assert f'load_dataset("{NAME}"' in listed(hub)["README.md"].decode()
    done = len(hub.received), len(hub.commits)
    again = publish(folder)
    assert "0 sent, 0 deleted" in again.output
    assert (len(hub.received), len(hub.commits)) == done


def test_errors_of_the_hub_are_sat_out(write: Write, hub: LoopbackHub, publish: Publish) -> None:
    """Errors 503, slow answers and cut connections, wherever they come, cost nothing but tries."""
    seen: Counter[tuple[str, str]] = Counter()

    def fail_twice(method: str, path: str) -> Fault | None:
        seen[method, path] += 1
        if seen[method, path] == 1:
            return (
                Fault(status=503) if len(seen) % 2 else Fault(cut=method != "POST", status=503, seconds=0.01)
            )
        return Fault(seconds=0.01)

    hub.faults = fail_twice
    folder, _ = write()
    result = publish(folder)
    assert result.exit_code == 0, result.output
    assert listed(hub) == files_of(folder)
    assert max(Counter(hub.received).values()) == 1


def test_each_kind_of_request_may_fail(write: Write, hub: LoopbackHub, publish: Publish) -> None:
    """Where the Hub fails once at every address, of a first call and of one that finds a release there, both go on."""
    folder, _ = write()
    for _ in range(2):
        seen: set[tuple[str, str]] = set()

        def fail_once(method: str, path: str, seen: set[tuple[str, str]] = seen) -> Fault | None:
            is_new = (method, path) not in seen
            seen.add((method, path))
            return Fault(status=503) if is_new else None

        hub.faults = fail_once
        result = publish(folder)
        assert result.exit_code == 0, result.output
        assert listed(hub) == files_of(folder)


def test_a_hub_that_is_down_is_given_up_with_what_it_says(
    write: Write, hub: LoopbackHub, publish: Publish
) -> None:
    """A Hub that only fails is tried some times, then the command fails with its name and status."""
    hub.faults = lambda _method, _path: Fault(status=503)
    result = publish(write()[0])
    assert result.exit_code == 1
    assert f"hf:{NAME} answers 503" in result.output
    assert result.output.count("trying again") == 5


def test_a_revision_replaces_and_deletes_in_one_commit(
    write: Write, hub: LoopbackHub, publish: Publish
) -> None:
    """Of a later revision only what differs is sent, what it lacks is deleted, and others' files stay; nobody sees a half."""
    folder, _ = write()
    publish(folder)
    hub.repositories[NAME]["LICENSE.txt"] = Stored(b"theirs", is_large=False)
    commits, received = len(hub.commits), len(hub.received)
    given = [
        sample for sample in folders.samples() if sample.split == "train" or sample.generator != "V-2_draw"
    ]
    later, _ = write(
        [sample for sample in given if sample.key != "V-2_draw-000002"], into="later", revision=2
    )
    (later / "CHANGELOG.md").write_text("Revision 2")
    result = publish(later)
    assert result.exit_code == 0, result.output
    assert listed(hub) == {**files_of(later), "LICENSE.txt": b"theirs"}
    assert len(hub.commits) == commits + 1
    # The first shard of train is as it was.
    assert len(hub.received) == received + 3


def test_shards_that_a_revision_lacks_are_deleted(write: Write, hub: LoopbackHub, publish: Publish) -> None:
    """A shard that no longer belongs to the release would be read by the card's patterns, and is deleted."""
    publish(write()[0])
    later, _ = write(folders.samples(each=2), into="later", revision=2)
    result = publish(later)
    assert result.exit_code == 0, result.output
    assert "1 deleted" in result.output
    assert listed(hub) == files_of(later)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "Another"}, "holds the release 'Reasoning, small'"),
        ({"revision": 1}, "has revision 2 of it"),
    ],
)
def test_what_another_release_holds_stays(
    write: Write, hub: LoopbackHub, publish: Publish, changed: dict[str, object], said: str
) -> None:
    """A repository with another release, or a later revision of this one, is refused and stays as it is."""
    publish(write(revision=2)[0])
    before = listed(hub)
    result = publish(write(into="other", **{"revision": 2, **changed})[0])
    assert result.exit_code == 1
    assert said in result.output
    assert listed(hub) == before


def test_shards_of_somebody_else_are_refused(write: Write, hub: LoopbackHub, publish: Publish) -> None:
    """A repository with data that no release put there is refused, and the file is named."""
    hub.repositories[NAME] = {"data/train/mine.tar": Stored(b"mine", is_large=True)}
    result = publish(write()[0])
    assert result.exit_code == 1
    assert "data/train/mine.tar" in result.output
    assert listed(hub) == {"data/train/mine.tar": b"mine"}


def test_a_file_that_was_changed_is_not_published(write: Write, hub: LoopbackHub, publish: Publish) -> None:
    """A shard with the manifest's size and other bytes is named, and no commit has it."""
    folder, release = write()
    path = folder / release.shards[0].path
    data = bytearray(path.read_bytes())
    data[700] ^= 1
    path.write_bytes(data)
    result = publish(folder)
    assert result.exit_code == 1
    assert f"{release.shards[0].path} has SHA-256" in result.output
    assert hub.commits == []


def test_what_arrived_is_compared(
    write: Write, hub: LoopbackHub, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Hub that lists another content than was sent is told with the file."""

    def damage(repository: str, lines: object) -> str:
        said = LoopbackHub.commit(hub, repository, lines)  # type: ignore[arg-type]
        files = hub.repositories[repository]
        files.update({name: Stored(b"else", is_large=False) for name in files if name == "README.md"})
        return said

    monkeypatch.setattr(hub, "commit", damage)
    result = publish(write()[0])
    assert result.exit_code == 1
    assert "README.md" in result.output
    assert "4 bytes" in result.output


def test_limits_are_checked_before_anything_is_sent(
    write: Write, hub: LoopbackHub, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the Hub would not take is refused before the first request; more than it grants needs a word."""
    folder, _ = write()
    small = release_hub.HUB._replace(bytes_granted=1000)
    monkeypatch.setattr(release_hub, "HUB", small)
    assert "--has-grant" in publish(folder).output
    monkeypatch.setattr(release_hub, "HUB", small._replace(bytes_of_a_file=50_000))
    refused = publish(folder, "--has-grant")
    assert "data/train/train-00000.tar has 61 kB" in refused.output
    assert hub.repositories == {}
    monkeypatch.setattr(release_hub, "HUB", small)
    assert publish(folder, "--has-grant").exit_code == 0


def test_dry_run_sends_nothing(write: Write, hub: LoopbackHub, publish: Publish) -> None:
    """A dry run says how much is left, and changes nothing."""
    folder, _ = write()
    assert "19 would be sent" in publish(folder, "--dry-run").output
    assert hub.repositories == {}
    publish(folder)
    assert "0 would be sent" in publish(folder, "--dry-run").output


@pytest.mark.parametrize(
    ("token", "fault", "said"),
    [
        ("", None, "set HF_TOKEN"),
        ("hf_a_secret_that_is_wrong", None, "does not accept the token"),
        ("hf_a_secret\x01that_is_none", None, "does not accept the token"),
        (TOKEN, Fault(status=403), "may not write"),
        (TOKEN, Fault(status=500), "answers 500"),
        (TOKEN, Fault(status=422, said=f"not with {TOKEN}"), "refuses it (422)"),
    ],
)
def test_the_token_is_never_shown(
    write: Write,
    hub: LoopbackHub,
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    token: str,
    fault: Fault | None,
    said: str,
) -> None:
    """Whatever fails, no output has the token, with a traceback either; and the message says what to do."""
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    monkeypatch.setattr("huggingface_hub.constants.HF_STORED_TOKENS_PATH", str(tmp_path / "none"))
    hub.faults = lambda _method, _path: fault
    folder, _ = write()
    arguments = ["-v", "release", "publish", str(folder), "--to", f"hf:{NAME}", "--no-check"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 1
    assert said in result.output
    assert not token or token not in result.output
    assert "secret" not in result.output


def test_what_fails_on_the_way_is_tried_again(
    write: Write, hub: LoopbackHub, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload that fails without an answer of the Hub, as Xet's client has it, is tried again, with what was left."""
    upload, failures = (
        HubRepository._upload,
        iter([RuntimeError("data processing error"), TimeoutError("slow")]),
    )

    def fail_twice(self: HubRepository, *arguments: object) -> object:
        for failure in failures:
            raise failure
        return upload(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(HubRepository, "_upload", fail_twice)
    folder, _ = write()
    result = publish(folder)
    assert result.exit_code == 0, result.output
    assert result.output.count("trying again") == 2
    assert listed(hub) == files_of(folder)


@pytest.mark.parametrize(
    "to", ["my-org/name", "hf:name", "hf:../x", "s3://bucket", "s3://bucket/../x", "http://e.org/a/b"]
)
def test_a_place_that_is_none_is_refused(write: Write, publish: Publish, to: str) -> None:
    """What is no repository and no prefix of a bucket is refused, with what one looks like."""
    result = publish(write()[0], to=to)
    assert result.exit_code == 1
    assert to in result.output or "prefix" in result.output


def test_a_release_that_is_wrong_is_not_published(
    write: Write, hub: LoopbackHub, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What check finds wrong is not sent, unless that is asked for."""
    from tests.release.test_check import Inline
    from vbvrdatafactory.driver import release_check

    monkeypatch.setattr(release_check, "ProcessPoolExecutor", Inline)
    folder, _ = write()
    (folder / "data/train/train-00007.tar").write_bytes(b"")
    result = CliRunner().invoke(cli, ["release", "publish", str(folder), "--to", f"hf:{NAME}"])
    assert result.exit_code == 1
    assert "stray-shard" in result.output
    assert hub.repositories == {}


def start(folder: Path, hub: LoopbackHub, home: Path) -> "subprocess.Popen[str]":
    """The command in a process of its own."""
    command = [str(Path(sys.executable).with_name("datafactory")), "release", "publish", str(folder)]
    return subprocess.Popen(
        [*command, "--to", f"hf:{NAME}", "--no-check"],
        env={**os.environ, **hub.environment, "HF_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_killed_call_is_continued_with_the_rest(write: Write, hub: LoopbackHub, tmp_path: Path) -> None:
    """SIGKILL at half of the uploads: the same call again sends only what had not arrived, and the result has the same bytes."""
    folder, _ = write(per_shard=1)
    wanted, killed = 24 // 2, threading.Event()

    def half(method: str, _path: str) -> Fault | None:
        if method != "PUT" or len(hub.received) < wanted or killed.is_set():
            return None
        killed.wait()
        return Fault(cut=True)

    hub.faults = half
    process = start(folder, hub, tmp_path / "home")
    while len(hub.received) < wanted and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed.set()
    assert wanted <= len(hub.received) < 24
    assert "README.md" not in hub.repositories[NAME]
    time.sleep(0.3)  # what was on its way
    before = set(hub.received)
    again = start(folder, hub, tmp_path / "home")
    said, _ = again.communicate(timeout=60)
    assert again.returncode == 0, said
    assert listed(hub) == files_of(folder)
    sent = hub.received[len(before) :]
    assert not before & set(sent)
    assert len(hub.received) == len(set(hub.received))
