"""Publishing to a prefix of a bucket."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import obstore
import pytest
from click.testing import CliRunner, Result
from obstore.exceptions import GenericError, PermissionDeniedError
from obstore.store import MemoryStore

from tests.release import folders
from tests.release.conftest import Write
from vbvrdatafactory.cli.main import cli
from vbvrdatafactory.driver import release_bucket
from vbvrdatafactory.driver.release_bucket import BucketPrefix
from vbvrdatafactory.driver.release_publish import TargetError
from vbvrdatafactory.driver.release_source import PublishError, Source
from vbvrdatafactory.release.manifest import Change
from vbvrdatafactory.release.publishing import Step
from vbvrdatafactory.testing import InMemoryAws

TARGET = "s3://releases/small/v1"


@pytest.fixture
def there(cloud: InMemoryAws) -> MemoryStore:
    """What lies below the prefix."""
    return cloud.bucket("releases/small/v1")


def publish(cloud: InMemoryAws, folder: Path, *options: str) -> Result:
    arguments = ["release", "publish", str(folder), "--to", TARGET, "--no-check", *options]
    return CliRunner().invoke(cli, arguments, env=cloud.environment)


def held(store: MemoryStore) -> dict[str, bytes]:
    paths = [each["path"] for page in obstore.list(store) for each in page]
    return {path: bytes(obstore.get(store, path).bytes()) for path in paths}


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_all_arrives_and_again_nothing_is_sent(cloud: InMemoryAws, there: MemoryStore, write: Write) -> None:
    """Every file arrives below the prefix with its bytes and content type; a second call sends nothing."""
    folder, _ = write()
    result = publish(cloud, folder)
    assert result.exit_code == 0, result.output
    assert held(there) == files_of(folder)
    assert obstore.get(there, "README.md").attributes["Content-Type"].startswith("text/markdown")
    assert "0 sent" in publish(cloud, folder).output


def test_a_shard_in_parts_arrives_whole(
    cloud: InMemoryAws, there: MemoryStore, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is larger than a part is put in parts, and holds the same bytes."""
    monkeypatch.setattr(release_bucket, "_PART", 10_000)
    folder, _ = write()
    assert publish(cloud, folder).exit_code == 0
    assert held(there) == files_of(folder)


def test_only_what_differs_goes_again(cloud: InMemoryAws, there: MemoryStore, write: Write) -> None:
    """What was lost or is another revision's is sent, what the revision lacks is deleted."""
    folder, _ = write()
    publish(cloud, folder)
    obstore.delete(there, "metadata.parquet")
    assert "1 sent, 0 deleted" in publish(cloud, folder).output
    later, _ = write(folders.samples(each=2), into="later", revision=2)
    assert publish(cloud, later).exit_code == 0
    assert held(there) == files_of(later)


def test_another_build_of_the_same_name_is_not_overwritten(
    cloud: InMemoryAws, there: MemoryStore, write: Write
) -> None:
    """Nor one that was changed otherwise, or later; unless that is asked for. The same one, and one that it became, are sent."""
    change = Change(revision=2, at=datetime(2026, 3, 1, tzinfo=UTC), why="x", samples=1)
    first = change.model_copy(update={"revision": 1, "why": "Built"})
    again = first.model_copy(update={"at": datetime(2026, 4, 1, tzinfo=UTC)})
    folder, _ = write(plan="a", changes=[first])
    assert publish(cloud, folder).exit_code == 0
    for number, (changes, plan, revision) in enumerate(
        [([first], "b", 1), ([again], "a", 1), ([first, change], "a", 2), ([first], "a", 1)]
    ):
        other, _ = write(into=f"other{number}", plan=plan, changes=changes, revision=revision)
        done = publish(cloud, other)
        assert (done.exit_code == 0) == (number in (1, 2)), done.output
        if number == 0:
            assert "holds another build of 'Reasoning, small', revision 1" in done.output
    otherwise, _ = write(
        into="otherwise", plan="a", changes=[first, change.model_copy(update={"why": "y"})], revision=2
    )
    assert "another build" in publish(cloud, otherwise).output
    assert held(there) != files_of(otherwise)
    assert publish(cloud, otherwise, "--replace").exit_code == 0
    assert held(there) == files_of(otherwise)


@pytest.mark.parametrize("path", ["metadata.parquet", "data/train/train-00000.tar"])
def test_files_of_others_under_names_of_ours_are_not_overwritten(
    cloud: InMemoryAws, there: MemoryStore, write: Write, path: str
) -> None:
    """Without a manifest nobody knows whose they are. The same bytes are no obstacle, nor is a card, which a new place may have."""
    folder, _ = write()
    obstore.put(there, "README.md", b"# New")
    obstore.put(there, path, b"mine")
    done = publish(cloud, folder)
    assert done.exit_code == 1
    assert f"another {path}, and no release.json that says whose it is" in done.output
    assert held(there) == {"README.md": b"# New", path: b"mine"}
    assert publish(cloud, folder, "--replace").exit_code == 0
    assert held(there) == files_of(folder)
    obstore.delete(there, "release.json")
    obstore.put(there, "README.md", b"# New")
    assert publish(cloud, folder).exit_code == 0
    assert held(there) == files_of(folder)


def test_an_interrupted_call_is_continued(
    cloud: InMemoryAws, there: MemoryStore, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that ended after some files is continued with the others, and the card was not there before."""
    folder, _ = write()
    sent: list[str] = []
    put = BucketPrefix._put

    def killed(self: BucketPrefix, file: object, *rest: object) -> None:
        if len(sent) == 8:
            raise KeyboardInterrupt
        sent.append(file.path)  # type: ignore[attr-defined]
        put(self, file, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(BucketPrefix, "_put", killed)
    publish(cloud, folder)
    assert "README.md" not in held(there)
    assert len(held(there)) == 8
    monkeypatch.setattr(BucketPrefix, "_put", put)
    assert "11 sent" in publish(cloud, folder).output
    assert held(there) == files_of(folder)


@pytest.mark.parametrize("part", [10_000, 10**6])
def test_bytes_that_s3_took_are_compared(
    there: MemoryStore, write: Write, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    """An ETag that is a digest of other bytes is an error; that of the parts or of the file is not."""
    folder, release = write()
    source = Source(folder, None)
    shard = next(file for file in source.files if file.path == release.shards[0].path)
    data = (folder / shard.path).read_bytes()
    parts = [hashlib.md5(data[at : at + part]).digest() for at in range(0, len(data), part)]
    right = (
        hashlib.md5(data).hexdigest()
        if len(parts) == 1
        else f"{hashlib.md5(b''.join(parts)).hexdigest()}-{len(parts)}"
    )
    tags = iter([right, right.replace(right[:4], "zzzz")])
    put = obstore.put

    def tagged(*arguments: object, **named: object) -> object:
        return {**put(*arguments, **named), "e_tag": f'"{next(tags)}"'}  # type: ignore[arg-type, dict-item]

    monkeypatch.setattr(release_bucket, "_PART", part)
    monkeypatch.setattr(obstore, "put", tagged)
    target = BucketPrefix(there, TARGET)
    target.send(Step([shard], ()), source, "", lambda _: None)
    with pytest.raises(TargetError, match="other bytes"):
        target.send(Step([shard], ()), source, "", lambda _: None)


@pytest.mark.parametrize(
    ("error", "said", "tries"),
    [
        (PermissionDeniedError("no"), "access denied", 1),
        (FileNotFoundError("no"), "there is no such bucket", 1),
        (GenericError("503"), "can't be listed: 503", 6),
    ],
)
def test_what_s3_refuses_is_told_at_once_and_other_errors_are_sat_out(
    cloud: InMemoryAws, write: Write, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str, tries: int
) -> None:
    """No permission and no bucket end the call; another error is tried again some times."""
    folder, _ = write()
    asked: list[object] = []

    def fail(*arguments: object) -> None:
        asked.append(arguments)
        raise error

    monkeypatch.setattr(obstore, "list", fail)
    monkeypatch.setattr("time.sleep", lambda _: None)
    result = publish(cloud, folder)
    assert result.exit_code == 1
    assert said in result.output
    assert len(asked) == tries


def test_empty_objects_of_others_are_no_obstacle(
    cloud: InMemoryAws, there: MemoryStore, write: Write
) -> None:
    """A prefix may hold what consoles put there for a folder."""
    obstore.put(there, "notes/empty", b"")
    folder, _ = write()
    assert publish(cloud, folder).exit_code == 0
    assert held(there) == {**files_of(folder), "notes/empty": b""}


def test_a_file_that_was_changed_is_not_left_there(
    cloud: InMemoryAws, there: MemoryStore, write: Write
) -> None:
    """A shard with the manifest's size and other bytes is named, and taken away again."""
    folder, release = write()
    path = folder / release.shards[0].path
    data = bytearray(path.read_bytes())
    data[700] ^= 1
    path.write_bytes(data)
    result = publish(cloud, folder)
    assert result.exit_code == 1
    assert release.shards[0].path in result.output
    assert release.shards[0].path not in held(there)


def test_a_folder_that_lacks_a_file_is_refused(write: Write) -> None:
    """What a release must have is asked for before anything is sent."""
    folder, release = write()
    (folder / "README.md").unlink()
    with pytest.raises(PublishError, match=r"README.md is missing"):
        Source(folder, None)
    (folder / release.shards[0].path).write_bytes(b"short")
    with pytest.raises(PublishError, match="another size"):
        Source(folder, None)


@pytest.mark.parametrize("path", ["pictures/x.png", "LICENSE", "exports/paths"])
def test_a_link_to_a_file_elsewhere_is_refused(write: Write, tmp_path: Path, path: str) -> None:
    """Who publishes a stranger's folder publishes no file of their own."""
    folder, _ = write()
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "secret").write_text("secret")
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).symlink_to(
        tmp_path / "own" if path.startswith("exports") else tmp_path / "own" / "secret"
    )
    with pytest.raises(PublishError, match="is a link to a file elsewhere"):
        Source(folder, None)


def test_half_a_change_is_not_published(write: Write) -> None:
    """Shards of two revisions may lie there."""
    folder, _ = write()
    (folder / "_build" / "next").mkdir(parents=True)
    (folder / "_build" / "next" / "release.json").write_bytes((folder / "release.json").read_bytes())
    with pytest.raises(PublishError, match="begun and not ended"):
        Source(folder, None)
