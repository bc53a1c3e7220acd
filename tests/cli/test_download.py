"""`datafactory download`: files counted on disk."""

import io
import os
import pty
import subprocess
import tarfile

import pytest

from vbvrdatafactory.s3.download import Download, target
from vbvrdatafactory.s3.listing import sizes

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
    """Files that are there with the same size are not fetched again; one of another size is."""
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
    assert "; 11 were there already; 0 files unpacked" in run("download", out, "--extract").stdout


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
    """A key that climbs out of the folder ends the download with that key named, and writes nothing there."""
    bucket = filled.config.output_bucket
    filled.s3.put_object(Bucket=bucket, Key=key, Body=b"evil")
    result = run("download", tmp_path / "deep" / "out")
    assert "key that no sample can have" in result.stderr
    assert (result.exit_code, list(tmp_path.rglob("*evil*"))) == (1, [])


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
    assert "holds no sample under questions/ yet" in result.stderr
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
