"""`datafactory download`: files counted on disk."""

import io
import os
import pty
import subprocess
import tarfile
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from vbvrdatafactory.s3 import reading
from vbvrdatafactory.s3.download import Download
from vbvrdatafactory.s3.folder import Folder, put, target, time_of
from vbvrdatafactory.s3.listing import sizes
from vbvrdatafactory.s3.odd_keys import Stored

MAZE, FIRST, SECOND = "G-3_maze_data-generator", "O-1_first_data-generator", "O-2_second_data-generator"
ARCHIVE = f"questions/{SECOND}_00000-00001.tar.gz"


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def archive(*members):
    """A tar.gz of (name, data); data None makes a link to /etc/passwd."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            if data is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            info.size = len(data or b"")
            tar.addfile(info, io.BytesIO(data or b""))
    return made.getvalue()


@pytest.fixture
def filled(place):
    """Two generators' samples as files, one's in an archive, and a record of our own."""
    place.make(MAZE, range(3))
    place.make(FIRST, range(2))
    place.put(ARCHIVE, archive(*((f"{SECOND}/t_task/t_000{i}/prompt.txt", b"p") for i in (0, 1))))
    place.put("_datafactory/datasets/dataset/spec.json", b"{}")
    return place


def test_everything(run, filled, tmp_path):
    """The folder gets what lies under questions/, byte for byte, and nothing else."""
    out = tmp_path / "deep" / "out"
    result = run("download", out)
    assert files(out) == [
        key.removeprefix("questions/") for key in filled.listed() if key.startswith("questions/")
    ]
    assert (out / MAZE / "t_task" / "t_0002" / "prompt.txt").read_bytes() == b"prompt"
    assert "Downloaded 11 files" in result.stdout
    assert result.exit_code == 0


def test_file_modes(run, filled, tmp_path):
    """Files are as readable as any file that the user makes."""
    run("download", tmp_path / "out")
    (tmp_path / "mine").touch()
    path = tmp_path / "out" / MAZE / "t_task" / "t_0000" / "prompt.txt"
    assert path.stat().st_mode == (tmp_path / "mine").stat().st_mode


def test_second_run_fetches_nothing(run, filled, tmp_path):
    """Files that are there are not fetched again; one of another size is."""
    out = tmp_path / "out"
    run("download", out)
    torn = out / MAZE / "t_task" / "t_0001" / "prompt.txt"
    torn.write_bytes(b"pro")
    lost = out / MAZE / "t_task" / "t_0002" / "prompt.txt"
    lost.unlink()
    assert "Downloaded 2 files (12 bytes)" in run("download", out).stdout
    assert (torn.read_bytes(), lost.read_bytes()) == (b"prompt", b"prompt")
    assert "Downloaded 0 files (0 bytes)" in run("download", out).stdout


def test_pattern(run, filled, tmp_path):
    """`-g` brings one generator's files and archives alone."""
    run("download", tmp_path / "maze", "-g", MAZE)
    assert {name.split("/")[0] for name in files(tmp_path / "maze")} == {MAZE}
    run("download", tmp_path / "o", "-g", "O-*")
    assert {name.split("/")[0] for name in files(tmp_path / "o")} == {
        FIRST,
        ARCHIVE.removeprefix("questions/"),
    }


def test_unknown_pattern(run, filled, tmp_path):
    """A generator that the bucket does not hold is refused with a near name."""
    result = run("download", tmp_path / "out", "-g", "O-1_first")
    assert f"did you mean '{FIRST}'" in result.stderr
    assert (result.exit_code, (tmp_path / "out").exists()) == (1, False)


def test_extract(run, filled, tmp_path):
    """`--extract` puts an archive's samples where they would lie as files, and keeps the archive."""
    out = tmp_path / "out"
    assert "2 files unpacked" in run("download", out, "--extract").stdout
    assert (out / SECOND / "t_task" / "t_0001" / "prompt.txt").read_bytes() == b"p"
    assert (out / ARCHIVE.removeprefix("questions/")).is_file()
    assert "; 11 already existed; 0 files unpacked" in run("download", out, "--extract").stdout


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([(f"{SECOND}/a.txt", b"a"), ("../evil.txt", b"evil")], "would leave the folder"),
        ([("/evil.txt", b"evil")], "would leave the folder"),
        ([(f"{SECOND}/../../evil.txt", b"evil")], "would leave the folder"),
        ([(f"{SECOND}/link", None)], "no plain file"),
        ([(f"{MAZE}/t_task/t_0000/prompt.txt", b"evil")], "not of"),
    ],
)
def test_hostile_archive(run, filled, tmp_path, members, said):
    """An archive that would write elsewhere is not unpacked at all; the rest arrives, and the command fails."""
    filled.put(ARCHIVE, archive(*members))
    out = tmp_path / "deep" / "er" / "out"
    result = run("download", out, "--extract")
    assert said in result.stderr
    assert result.exit_code == 1
    assert len(files(out)) == 11
    assert list(tmp_path.rglob("*evil*")) == []
    assert b"evil" not in (out / MAZE / "t_task" / "t_0000" / "prompt.txt").read_bytes()


@pytest.mark.parametrize("kept", [0, -20], ids=["no archive at all", "cut short"])
def test_damaged_archive(run, filled, tmp_path, kept):
    """An archive that is damaged is named, and nothing of it is unpacked."""
    filled.put(ARCHIVE, archive((f"{SECOND}/a", b"a" * 5000))[:kept] or b"no archive at all")
    result = run("download", tmp_path / "out", "--extract")
    assert f"the first is '{ARCHIVE}': it cannot be unpacked" in result.stderr
    assert (result.exit_code, (tmp_path / "out" / SECOND).exists()) == (1, False)


@pytest.mark.parametrize(
    "key", ["questions/../evil.txt", f"questions/{MAZE}/../../evil.txt", "questions//evil.txt"]
)
def test_hostile_key_in_the_bucket(run, filled, tmp_path, key):
    """A key that climbs out of the folder is named and left out; everything else arrives, the command fails."""
    bucket = filled.config.output_bucket
    filled.s3.put_object(Bucket=bucket, Key=key, Body=b"evil")
    result = run("download", tmp_path / "deep" / "out")
    assert f"1 refused; the first is {key!r}: no file can have that name" in result.stderr
    assert (result.exit_code, list(tmp_path.rglob("*evil*"))) == (1, [])
    assert len(files(tmp_path / "deep" / "out")) == 11


@pytest.mark.parametrize(
    "key",
    [
        "questions/../x",
        "questions/a/../../x",
        "questions//x",
        "questions/./x",
        "questions/",
        "questions/a\\..\\x",
        "questions/C:/x",
        "questions/a\0b",
        "elsewhere/x",
    ],
)
def test_no_key_leaves_the_folder(tmp_path, key):
    """Every spelling that could leave the folder on some system has no place in it."""
    with pytest.raises(ValueError, match="would leave the folder"):
        target(tmp_path, key)


def test_refused_key_stops_nothing_else(run, filled, tmp_path):
    """A key that is refused is counted and named; everything else arrives."""
    filled.put(f"questions/{MAZE}/a\\b")
    result = run("download", tmp_path / "out")
    assert "everything is there but 1 refused" in result.stderr
    assert (result.exit_code, len(files(tmp_path / "out"))) == (1, 11)


def test_file_where_a_folder_must_be(run, filled, tmp_path):
    """A key that is a file and a folder at once costs those files, not the rest."""
    filled.put(f"questions/{MAZE}/t_task/t_0000/prompt.txt/deeper.txt")
    result = run("download", tmp_path / "out")
    assert "everything is there but 1 refused" in result.stderr
    assert len(files(tmp_path / "out")) == 11


def test_folder_markers_are_left_out(run, filled, tmp_path):
    """The empty objects that consoles make for folders do not become files."""
    for key in (f"questions/{MAZE}/", f"questions/{MAZE}/t_task/", "questions/empty/"):
        filled.s3.put_object(Bucket=filled.config.output_bucket, Key=key)
    result = run("download", tmp_path / "out")
    assert (result.exit_code, len(files(tmp_path / "out"))) == (0, 11)


def test_odd_names_arrive(run, filled, tmp_path):
    """Spaces, percent signs and letters beyond ASCII in a key are the same in the file's name."""
    filled.put(f"questions/{MAZE}/a b%20ü#?.txt", b"odd")
    run("download", tmp_path / "out")
    assert (tmp_path / "out" / MAZE / "a b%20ü#?.txt").read_bytes() == b"odd"


def test_interrupted_download_leaves_whole_files(filled, tmp_path):
    """An interrupted download leaves whole files and no other, and the next one brings the rest."""
    filled.put(f"questions/{MAZE}/big.bin", os.urandom(20_000_000))
    calls = iter(range(3))

    def interrupt(_):
        if next(calls, None) is None:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        Download(filled.store, out, on_bytes=interrupt).run()
    whole = {key.removeprefix("questions/"): size for key, size in sizes(filled.store, "questions")}
    assert all((out / name).stat().st_size == whole[name] for name in files(out))
    assert len(files(out)) < len(whole)
    assert list(out.glob(".*")) == []
    done = Download(filled.store, out).run()
    assert done.fetched + done.already_there == 12
    assert (out / MAZE / "big.bin").stat().st_size == 20_000_000


def test_empty_bucket(run, place, tmp_path):
    """A bucket without samples is said to be so, and the folder is not made."""
    result = run("download", tmp_path / "out")
    assert "has no sample under questions/ yet" in result.stderr
    assert (result.exit_code, (tmp_path / "out").exists()) == (1, False)


def test_progress_on_a_terminal(filled, installed, tmp_path):
    """On a terminal a bar is drawn on stderr; stdout has the one line alone."""
    ours, theirs = pty.openpty()
    out = subprocess.run(
        [installed, "download", tmp_path / "out"], stdout=subprocess.PIPE, stderr=theirs, check=True
    )
    os.close(theirs)
    assert b"downloading" in os.read(ours, 65536)
    os.close(ours)
    (line,) = out.stdout.decode().splitlines()
    assert line.startswith("Downloaded 11 files")


class Cut:
    """A GET whose body ends too soon, for the first `times` of one key."""

    def __init__(self, monkeypatch, key, times, body):
        self._get, self._key, self._left, self._body = reading.obstore.get, key, times, body
        monkeypatch.setattr(reading.obstore, "get", self.get)

    def get(self, store, key):
        got = self._get(store, key)
        if key != self._key or self._left == 0:
            return got
        self._left -= 1
        return SimpleNamespace(meta=got.meta, stream=lambda **_: iter([self._body]))


@pytest.mark.parametrize("key", [f"questions/{MAZE}/t_task/t_0001/prompt.txt", ARCHIVE])
@pytest.mark.parametrize("body", [b"", b"pro", b"PROMPT"], ids=["nothing", "cut", "other bytes"])
def test_a_cut_download_is_no_file(run, filled, tmp_path, monkeypatch, key, body):
    """What does not come whole twice is named with what was expected, nothing of it is kept, the rest arrives."""
    Cut(monkeypatch, key, 2, body)
    out = tmp_path / "out"
    result = run("download", out, "--extract")
    assert f"left out {key!r}: {key!r} was not received whole: " in result.stderr
    assert result.exit_code == 1
    assert not (out / key.removeprefix("questions/")).exists()
    assert len(files(out)) == (10 if key == ARCHIVE else 12)
    assert "Downloaded 1 file " in run("download", out).stdout


def test_a_cut_download_is_tried_once_more(run, filled, tmp_path, monkeypatch):
    """The second try brings it, and nothing of the first is in it."""
    key = f"questions/{MAZE}/t_task/t_0001/prompt.txt"
    Cut(monkeypatch, key, 1, b"promp")
    result = run("download", tmp_path / "out")
    assert (tmp_path / "out" / key.removeprefix("questions/")).read_bytes() == b"prompt"
    assert (result.exit_code, "Downloaded 11 files" in result.stdout) == (0, True)


@pytest.fixture
def prompt(filled, tmp_path, run):
    """One file of a dataset that has been downloaded."""
    run("download", tmp_path / "out")
    return tmp_path / "out" / MAZE / "t_task" / "t_0000" / "prompt.txt"


@pytest.mark.parametrize("age", [-3600, 0, 3600], ids=["older", "now", "newer"])
def test_a_file_with_other_bytes_is_fetched(run, prompt, tmp_path, age):
    """Another sample's file of the same size, whenever it was written, is not taken for the object's."""
    prompt.write_bytes(b"PROMPT")
    os.utime(prompt, (time.time() + age, time.time() + age))
    assert "Downloaded 1 file " in run("download", tmp_path / "out").stdout
    assert prompt.read_bytes() == b"prompt"


def test_a_file_that_was_only_touched_stays(run, prompt, tmp_path):
    """Its bytes are compared once; then it has the object's time again, to the second, and is not read any more."""
    os.utime(prompt, (0, 0))
    assert "Downloaded 0 files" in run("download", tmp_path / "out").stdout
    assert time.time() - prompt.stat().st_mtime < 3600


def test_another_version_of_the_same_second(filled, tmp_path):
    """Two seeds' objects of one size and one second are told apart without reading the file."""
    folder, at = Folder(tmp_path), datetime(2026, 1, 15, tzinfo=UTC)
    one, two = (Stored("questions/A/a", 6, e_tag, at) for e_tag in ('"token-1"', '"token-2"'))
    (tmp_path / "A").mkdir()
    (tmp_path / "new").write_bytes(b"prompt")
    put(tmp_path / "new", tmp_path / "A" / "a", time_of(one))
    assert (folder.has(one), folder.has(two)) == (True, False)
    assert int((tmp_path / "A" / "a").stat().st_mtime) == int(at.timestamp())


def test_a_folder_filled_from_another_bucket(run, filled, tmp_path):
    """Objects that another run made under the same names and sizes replace what is there."""
    run("download", tmp_path / "out")
    for key in filled.listed():
        if key.endswith("prompt.txt"):
            filled.put(key, b"PROMPT")
    assert "Downloaded 5 files" in run("download", tmp_path / "out").stdout
    run("download", tmp_path / "fresh")
    assert [(tmp_path / "out" / name).read_bytes() for name in files(tmp_path / "out")] == [
        (tmp_path / "fresh" / name).read_bytes() for name in files(tmp_path / "fresh")
    ]


def test_an_archive_that_changed(run, filled, tmp_path):
    """What was unpacked of an archive before gives way to what the bucket's holds now, also of the same size."""
    out = tmp_path / "out"
    run("download", out, "--extract")
    filled.put(ARCHIVE, archive(*((f"{SECOND}/t_task/t_000{i}/prompt.txt", b"q") for i in (0, 1))))
    assert "2 files unpacked" in run("download", out, "--extract").stdout
    assert (out / SECOND / "t_task" / "t_0001" / "prompt.txt").read_bytes() == b"q"
    (out / SECOND / "t_task" / "t_0001" / "prompt.txt").write_bytes(b"z")
    assert "1 file unpacked" in run("download", out, "--extract").stdout
    assert "0 files unpacked" in run("download", out, "--extract").stdout


@pytest.mark.parametrize("at", [-1, -5, -8, 30])
def test_a_bit_of_an_archive_is_wrong(run, filled, tmp_path, at):
    """A checksum that differs, in the last bytes too, is damage: nothing is unpacked."""
    made = bytearray(archive((f"{SECOND}/t_task/t_0000/prompt.txt", os.urandom(500))))
    made[at] ^= 1
    filled.put(ARCHIVE, bytes(made))
    result = run("download", tmp_path / "out", "--extract")
    assert "it cannot be unpacked" in result.stderr
    assert (result.exit_code, (tmp_path / "out" / SECOND).exists()) == (1, False)


@pytest.mark.parametrize("extract", [(), ("--extract",)])
@pytest.mark.parametrize("missing", [False, True], ids=["to a folder", "to nothing"])
def test_a_link_out_of_the_folder(run, filled, tmp_path, extract, missing):
    """Nothing is written through a link that leads out, whichever key or archive would; the rest arrives."""
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    if not missing:
        elsewhere.mkdir()
    for name in (MAZE, SECOND):
        (out / name).symlink_to(elsewhere)
    result = run("download", out, *extract)
    assert "a link leads out of the folder" in result.stderr
    assert (result.exit_code, files(elsewhere)) == (1, [])
    assert len([name for name in files(out) if name.startswith(FIRST)]) == 4


def test_a_link_in_a_files_place(run, prompt, tmp_path):
    """The link gives way to the file; what it led to stays as it was."""
    other = tmp_path / "other.txt"
    other.write_bytes(b"PROMPT")
    os.utime(other, ns=(prompt.stat().st_mtime_ns, prompt.stat().st_mtime_ns))
    prompt.unlink()
    prompt.symlink_to(other)
    assert run("download", tmp_path / "out").exit_code == 0
    assert (prompt.is_symlink(), prompt.read_bytes(), other.read_bytes()) == (False, b"prompt", b"PROMPT")


def test_the_folder_itself_may_be_a_link(run, filled, tmp_path):
    """A DEST on another disk is the user's own choice."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    assert run("download", tmp_path / "out").exit_code == 0
    assert len(files(tmp_path / "disk")) == 11


def test_what_lies_in_the_way(run, filled, tmp_path):
    """A folder in a file's place, a file in a folder's: each is named with its key, the rest arrives."""
    out = tmp_path / "out"
    (out / MAZE / "t_task" / "t_0000" / "prompt.txt" / "full").mkdir(parents=True)
    (out / FIRST).write_text("a file")
    result = run("download", out)
    for key in (f"questions/{MAZE}/t_task/t_0000/prompt.txt", f"questions/{FIRST}/t_task/t_0000/prompt.txt"):
        assert f"left out {key!r}: " in result.stderr
    assert (result.exit_code, "but 5 refused" in result.stderr) == (1, True)
    assert (out / FIRST).read_text() == "a file"
    assert len(files(out)) == 7


def test_read_only_files_are_replaced(run, prompt, tmp_path):
    """A file that nobody may write is still not the object's where its bytes are not."""
    prompt.write_bytes(b"PROMPT")
    prompt.chmod(0o444)
    assert run("download", tmp_path / "out").exit_code == 0
    assert prompt.read_bytes() == b"prompt"


def test_a_name_too_long_for_the_disk(run, filled, tmp_path):
    """S3 takes names that no disk does: named, and the rest arrives."""
    filled.put(f"questions/{MAZE}/{'x' * 300}")
    result = run("download", tmp_path / "out")
    assert "File name too long" in result.stderr
    assert (result.exit_code, len(files(tmp_path / "out"))) == (1, 11)


def test_an_object_that_is_gone(filled, tmp_path, monkeypatch):
    """Between the listing and the get an object may be deleted; that costs this one."""
    gone = f"questions/{MAZE}/t_task/t_0000/prompt.txt"
    original = reading.obstore.get

    def get(store, key):
        if key == gone:
            raise FileNotFoundError(key)
        return original(store, key)

    monkeypatch.setattr(reading.obstore, "get", get)
    done = Download(filled.store, tmp_path / "out").run()
    assert (done.fetched, [refused.key for refused in done.refused]) == (10, [gone])


def test_an_object_that_was_overwritten_meanwhile(filled, tmp_path, monkeypatch):
    """It is compared with what S3 says now, not with the listing; the next download finds it there."""
    changing = f"questions/{MAZE}/t_task/t_0000/prompt.txt"
    original = reading.obstore.get

    def get(store, key):
        if key == changing:
            filled.put(changing, b"longer than before")
        return original(store, key)

    monkeypatch.setattr(reading.obstore, "get", get)
    assert Download(filled.store, tmp_path / "out").run().refused == []
    monkeypatch.undo()
    assert Download(filled.store, tmp_path / "out").run().fetched == 0
