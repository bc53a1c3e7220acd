"""Generators that write the wrong thing: what is whole is stored under its own index, what is not is named."""

import io
import json
import tarfile
from textwrap import dedent

import obstore
import pytest
from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.content import FileContent, content_digest
from vbvrdatafactory.core.records import Receipt
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.listing import sizes

ALL = [0, 1, 2, 3]
SEED = 7

# One of each is packed.
FORMATS = {"prompt.txt": "files", "first_frame.png": "tar", "ground_truth.mp4": "files"}

# Denied by the sandbox, a special file becomes a folder: still no file.
INSTEAD = {
    "symlink": "path.symlink_to(OUTSIDE / 'secret')",
    "dangling-symlink": "path.symlink_to('nowhere')",
    "link-to-a-device": "path.symlink_to('/dev/null')",
    "fifo": "os.mkfifo(path)",
    "socket": "os.chdir(path.parent); socket.socket(socket.AF_UNIX).bind(path.name)",
    "folder": "path.mkdir()",
    "folder-of-files": "path.mkdir(); (path / 'first_frame.png').write_bytes(png(b'red'))",
}


def replaced(file: str, how: str) -> str:
    """Writes all samples, then puts something else in the place of one file of the second."""
    return f"""
path = write_samples(out, seed, count)[1] / {file!r}
path.unlink()
try:
    {how}
except OSError:
    path.mkdir(exist_ok=True)
"""


@pytest.mark.parametrize(
    ("what", "file"),
    [
        *((what, "prompt.txt") for what in INSTEAD),
        *((what, file) for what in ("symlink", "fifo") for file in ("first_frame.png", "ground_truth.mp4")),
    ],
)
def test_what_is_no_file_is_no_samples_file(arena, what: str, file: str) -> None:
    """A link, a FIFO, a socket or a folder in the place of a file tears the sample, and is never followed."""
    (arena.outside / "secret").write_bytes(b"do not tell")
    name = arena.plain(replaced(file, INSTEAD[what]))
    end = arena.run(name, output_format=FORMATS[file], require=["ground_truth.mp4"])
    assert end.short == (Cause.TORN_SAMPLES, [0, 2, 3])
    assert f"index 21: {file}" in end.detail
    assert b"do not tell" not in arena.everything_stored()


@pytest.mark.parametrize(
    "link",
    [
        "folder.rename(out / 'elsewhere'); folder.symlink_to(out / 'elsewhere')",
        "shutil.rmtree(folder); folder.symlink_to(folder.parent / name(2))",
        "shutil.rmtree(folder); folder.symlink_to('.')",
        "shutil.rmtree(folder); folder.symlink_to(OUTSIDE)",
    ],
    ids=["to-the-moved-folder", "to-a-neighbour", "to-its-parent", "to-the-outside"],
)
def test_a_linked_sample_folder_is_no_sample(arena, link: str) -> None:
    """A sample folder that is a link is missing, whatever it points to; its neighbours are kept."""
    planted = {"first_frame.png": b"do not tell", "prompt.txt": b"do not tell"}
    for file, data in planted.items():
        (arena.outside / file).write_bytes(data)
    end = arena.run(arena.plain(f"folder = write_samples(out, seed, count)[1]\n{link}"))
    assert end.cause in {Cause.WRONG_COUNT, Cause.TORN_SAMPLES}
    assert end.stored == [20, 22, 23]
    assert "index 21" in end.detail
    assert b"do not tell" not in arena.everything_stored()


@pytest.mark.parametrize(
    ("file", "content", "what"),
    [
        ("first_frame.png", "png(b'red')[:40]", "first_frame.png"),
        ("first_frame.png", "b'\\x89PNG' + bytes(100)", "first_frame.png"),
        ("final_frame.png", "bytearray(png(b'red'))[:-20] + bytes(20)", "final_frame.png"),
        ("prompt.txt", "b''", "prompt.txt"),
        ("prompt.txt", "b' \\n\\t '", "prompt.txt"),
        ("prompt.txt", "bytes(16)", "prompt.txt"),
        ("metadata.json", "b'{\"seed\": 7, '", "metadata.json"),
        ("metadata.json", "b'\\xff\\xfe\\x00'", "metadata.json"),
        ("metadata.json", "b'[' * 100_000", "metadata.json"),
        ("ground_truth.mp4", "mp4(bytes(999))[:-500]", "ground_truth.mp4"),
        ("ground_truth.mp4", "b''", "ground_truth.mp4"),
        ("ground_truth.mp4", "mp4(b'x') + b'\\0\\0\\0\\1mdat' + b'\\xff' * 8", "ground_truth.mp4"),
    ],
)
def test_a_torn_file_tears_one_sample(arena, file: str, content: str, what: str) -> None:
    """A PNG, MP4, JSON or prompt that is cut, empty or garbage costs its own sample only, and is named."""
    body = f"(write_samples(out, seed, count)[1] / {file!r}).write_bytes({content})"
    end = arena.run(arena.plain(body))
    assert end.short == (Cause.TORN_SAMPLES, [0, 2, 3])
    assert "index 21" in end.detail
    assert what in end.detail


def test_no_samples(arena) -> None:
    """A generator that ends well without a sample has made the wrong count."""
    assert arena.run(arena.plain("pass")).short == (Cause.WRONG_COUNT, [])


@pytest.mark.parametrize("exit_code", [0, 3])
def test_fewer_samples(arena, exit_code: int) -> None:
    """Samples that came out are stored where some did not, and the first missing index is named."""
    end = arena.run(arena.plain(f"write_samples(out, seed, 2)\nos._exit({exit_code})"))
    assert end.short == (Cause.CRASH if exit_code else Cause.WRONG_COUNT, [0, 1])
    assert "22" in end.detail


def test_a_hole_in_the_middle(arena) -> None:
    """A sample that is missing in the middle is a hole; nobody moves up to close it."""
    end = arena.run(arena.plain("shutil.rmtree(write_samples(out, seed, count)[1])"))
    assert end.short == (Cause.WRONG_COUNT, [0, 2, 3])
    assert "21" in end.detail


@pytest.mark.parametrize("output_format", ["files", "tar"])
def test_more_samples(arena, output_format: str) -> None:
    """Samples beyond the count asked for are left out: they would be the next batch's."""
    end = arena.run(arena.plain("write_samples(out, seed, count + 9)"), output_format=output_format)
    assert end.short == (None, ALL)


@pytest.mark.parametrize(
    ("naming", "first"),
    [
        ("name(place, 4)", 0),
        ("name(place, 1)", 0),
        ("name(place + 1)", 1),
        ("name(place + 1, 4)", 1),
        ("'a_b_' + name(place)", 0),
        ("name(3 - place)", 3),
    ],
)
def test_other_numbering(arena, naming: str, first: int) -> None:
    """Any width counts, and numbers may start at 1; each sample is stored at its own place."""
    name = arena.plain(f"for place in range(count): write_sample(out, seed, place, {naming})")
    assert arena.run(name).short == (None, ALL)
    made_first = arena.kit.files(7, first if naming == "name(3 - place)" else 0)
    assert arena.content(name, 0, "prompt.txt") == made_first["prompt.txt"]


@pytest.mark.parametrize(
    "second",
    [
        "write_sample(out, seed, 9, name(1, 4))",
        "write(out / 'other_task' / 'other_00000001', files(seed, 9))",
    ],
    ids=["another-width", "another-task"],
)
def test_a_place_that_is_claimed_twice(arena, second: str) -> None:
    """Of two samples for one place neither is believed; the others are stored."""
    end = arena.run(arena.plain(f"write_samples(out, seed, count)\n{second}"))
    assert end.cause in {Cause.WRONG_COUNT, Cause.TORN_SAMPLES}
    assert end.stored == [20, 22, 23]
    assert "torture_0001" in end.detail or "other_00000001" in end.detail or "21" in end.detail


@pytest.mark.parametrize(
    "where",
    [
        "out / name(9, 4)",
        "out / 'torture_task' / 'notes_and_more'",
        "out / 'torture_task' / name(99_999_999)",
        "out / '.hidden_task' / '.hidden_00000001.tmp'",
        "out / 'data' / 'torture_task_old' / name(1)",
    ],
)
def test_stray_folders_are_left_out(arena, where: str) -> None:
    """Folders that are no sample of the batch are left alone, and cost nothing."""
    end = arena.run(arena.plain(f"write_samples(out, seed, count)\nwrite({where}, files(seed, 9))"))
    assert end.short == (None, ALL)


def packed(store: ObjectStore, key: str) -> list[str]:
    """Names in an archive."""
    with tarfile.open(fileobj=io.BytesIO(bytes(obstore.get(store, key).bytes()))) as archive:
        return archive.getnames()


def names_in(arena, output_format: str, count: int = 4) -> set[str]:
    """Names of stored samples' files, in keys or in archives; each lies in the folder of a planned sample."""
    found = [key for key, _ in sizes(arena.store, "questions/")]
    if output_format == "tar":
        found = [f"questions/{name}" for key in found for name in packed(arena.store, key)]
    folders, names = zip(*(key.rsplit("/", 1) for key in found), strict=True)
    assert {parsed and parsed.sample_index for parsed in map(keys.parse_sample_folder, folders)} <= {
        *range(20, 20 + count)
    }
    return {*names}


ODD_NAMES = [
    "spä\u00df-\u6f22\U0001f600.txt",
    " leading",
    "trailing ",
    "-rf",
    "--",
    "a%2fb",
    "%2e%2e",
    "a#b?c=d&e",
    "~",
    "*",
    "...",
    'say "x"',
    "<b>",
]


@pytest.mark.parametrize("output_format", ["files", "tar"])
def test_odd_names_are_stored_as_they_are(arena, output_format: str) -> None:
    """Files whose names a key can have are stored under exactly those names, in their sample's folder."""
    body = f"""
        folder = write_samples(out, seed, count)[1]
        for extra in {ODD_NAMES!r}:
            (folder / extra).write_bytes(b"extra")
    """
    assert arena.run(arena.plain(body), output_format=output_format).short == (None, ALL)
    assert names_in(arena, output_format) == {*arena.kit.files(SEED, 0), *ODD_NAMES}


NO_NAMES = {
    "newline": ("'line\\nbreak.txt'", "line\\nbreak.txt: no key"),
    "tab": ("'tab\\tquote.txt'", "tab\\tquote.txt: no key"),
    "backslash": ("'back\\\\slash.txt'", "back\\slash.txt: no key"),
    "escape": ("'\\x1b[2J.txt'", "\\x1b[2J.txt: no key"),
    "not-unicode": (
        "b'not-\\xff-unicode.png'.decode(errors='surrogateescape')",
        "not-\\udcff-unicode.png: no key",
    ),
    "long": ("'x' * 255", "xxx: no key"),
    "bidi": ("'\\u202ereversed.txt'", "\\u202ereversed.txt: no key"),
}


@pytest.mark.parametrize(("extra", "shown"), NO_NAMES.values(), ids=NO_NAMES)
def test_a_name_that_no_key_can_have_tears_its_sample(arena, extra: str, shown: str) -> None:
    """Such a file is never left out in silence or stored under another name; its name shows as text."""
    body = f"(write_samples(out, seed, count)[1] / ({extra})).write_bytes(b'extra')"
    end = arena.run(arena.plain(body))
    assert end.short == (Cause.TORN_SAMPLES, [0, 2, 3])
    assert shown in end.detail
    assert end.detail.isprintable()
    assert names_in(arena, "files") == {*arena.kit.files(SEED, 0)}


def test_names_that_no_key_can_have_are_in_no_archive(arena) -> None:
    """Where samples are packed, each such file tears its sample, too."""
    body = f"""
        extras = [{", ".join(extra for extra, _ in NO_NAMES.values())}]
        for folder, extra in zip(write_samples(out, seed, count), extras):
            (folder / extra).write_bytes(b"extra")
    """
    torn = len(NO_NAMES)
    end = arena.run(arena.plain(body), count=torn + 1, output_format="tar")
    assert end.short == (Cause.TORN_SAMPLES, [torn])
    assert NO_NAMES["newline"][1] in end.detail
    assert end.detail.isprintable()
    assert names_in(arena, "tar", torn + 1) == {*arena.kit.files(SEED, 0)}


NO_TASKS = {
    "none": "",
    "newline": "a\nb",
    "escape": "\x1b[2J",
    "bidi": "\u202eb",
    "backslash": "a\\b",
    "long": "x" * 240,
}


@pytest.mark.parametrize("task", NO_TASKS.values(), ids=NO_TASKS)
def test_a_task_that_no_key_can_have_is_named(arena, task: str) -> None:
    """Samples in a folder called ``_task``, or one that no key can have, fail as what they are; nothing is stored."""
    body = f"for place in range(count): write(out / {f'{task}_task'!r} / f{f'{task}_{{place:08d}}'!r}, files(seed, place))"
    end = arena.run(arena.plain(body))
    assert end.short == (Cause.WRONG_COUNT, [])
    assert "names no task that can be part of a key" in end.detail
    assert end.detail.isprintable()
    assert [*sizes(arena.store, "questions")] == []


def test_tasks_that_no_key_can_have_are_in_no_archive(arena) -> None:
    """Where samples are packed, none of them is either."""
    body = f"""
        for place, task in enumerate({[*NO_TASKS.values()]!r}):
            write(out / f"{{task}}_task" / f"{{task}}_{{place:08d}}", files(seed, place))
    """
    end = arena.run(arena.plain(body), output_format="tar", count=len(NO_TASKS))
    assert end.short == (Cause.WRONG_COUNT, [])
    assert "names no task that can be part of a key" in end.detail
    assert end.detail.isprintable()
    assert [*sizes(arena.store, "questions")] == []


@pytest.mark.parametrize("place", ["template", "plain"])
def test_a_stray_folder_called_task_costs_nothing(arena, place: str) -> None:
    """Beside samples of a task that has a name, those in ``_task`` are no reason to lose any."""
    litter = "write(out / '_task' / '_00000002', files(seed, 9))"
    name = (
        arena.template(after=litter)
        if place == "template"
        else arena.plain(f"{litter}\nwrite_samples(out, seed, count)")
    )
    assert arena.run(name).short == (None, ALL)


ODD_TASKS = ["..", ".", "-rf", " x", "a%2fb", "a_task", "\u6f22", "x_00000001"]


@pytest.mark.parametrize("output_format", ["files", "tar"])
def test_tasks_of_odd_names_are_stored_as_they_are(arena, output_format: str) -> None:
    """The folder of a task is what the generator called it, and nothing lies outside of the generator's."""
    body = f"""
        for place, task in enumerate({ODD_TASKS!r}):
            write(out / f"{{task}}_task" / f"{{task}}_{{place:08d}}", files(seed, place))
    """
    name = arena.plain(body)
    made = range(len(ODD_TASKS))
    assert arena.run(name, output_format=output_format, count=len(ODD_TASKS)).short == (None, [*made])
    assert names_in(arena, output_format, len(ODD_TASKS)) == {*arena.kit.files(SEED, 0)}
    if output_format == "files":
        assert {key for key, _ in sizes(arena.store, "questions")} == {
            f"questions/{name}/{task}_task/{task}_{20 + place:04d}/{file}"
            for place, task in enumerate(ODD_TASKS)
            for file in arena.kit.files(SEED, 0)
        }


@pytest.mark.parametrize(
    "deletion",
    [
        "shutil.rmtree(own(tempfile.gettempdir()))",
        "shutil.rmtree(own(Path.home()))",
        "shutil.rmtree(own(out), ignore_errors=True)",
        "[shutil.rmtree(own(path), ignore_errors=True) for path in out.parent.iterdir() if path.is_dir()]",
    ],
    ids=["temp", "home", "output", "everything"],
)
def test_a_deleted_folder_costs_what_was_in_it(arena, deletion: str) -> None:
    """A generator may delete its temp, home or output folder; samples that it writes afterwards count."""
    end = arena.run(arena.plain(f"write_samples(out, 1, count)\n{deletion}\nwrite_samples(out, seed, count)"))
    assert end.short == (None, ALL)


@pytest.mark.parametrize(
    "deletion",
    [
        "shutil.rmtree(own(out), ignore_errors=True)",
        "shutil.rmtree(own(out), ignore_errors=True); out.exists() or out.write_text('a file')",
        "shutil.rmtree(own(out), ignore_errors=True); out.exists() or out.symlink_to(OUTSIDE)",
        "out.rename(out.with_name('moved'))",
    ],
    ids=["deleted", "a-file-instead", "a-link-instead", "moved"],
)
def test_a_deleted_output_folder_is_a_wrong_count(arena, deletion: str) -> None:
    """A generator that deletes its output folder, or puts a file or a link in its place, has no samples."""
    sample = arena.outside / "torture_task" / "torture_00000000"
    sample.mkdir(parents=True)
    for file, data in arena.kit.files(9, 9).items():
        (sample / file).write_bytes(data)
    end = arena.run(arena.plain(f"write_samples(out, seed, count)\n{deletion}"))
    if "rename" in deletion and end.cause is None:
        pytest.skip("the output folder could not be moved")
    assert end.stored == []
    assert end.cause in {Cause.WRONG_COUNT, Cause.CRASH}


LITTER = {
    "folders-that-nobody-may-enter": """
        for folder in (out / "closed", Path(tempfile.gettempdir()) / "closed", Path.home() / "closed"):
            (folder / "in" / "side").mkdir(parents=True)
            (folder / "in" / "file").write_text("x")
            for path in (folder / "in" / "file", folder / "in" / "side", folder / "in", folder):
                path.chmod(0)
    """,
    "its-own-folders-closed": """
        for folder in (Path(tempfile.gettempdir()), Path.home()):
            (folder / "file").write_text("x")
            folder.chmod(0)
    """,
    "deep-folders": """
        for root in (out, Path(tempfile.gettempdir())):
            os.chdir(root)
            for _ in range(1100):
                os.mkdir("deep")
                os.chdir("deep")
    """,
    "paths-beyond-the-limit": """
        os.chdir(tempfile.gettempdir())
        for _ in range(40):
            os.mkdir("d" * 200)
            os.chdir("d" * 200)
        Path("file").write_text("x")
    """,
    "five-thousand-files": """
        for number in range(5000):
            Path(tempfile.gettempdir(), f"file{number}").touch()
    """,
    "links-in-circles": """
        for root in (out, Path(tempfile.gettempdir())):
            (root / "loop").symlink_to(root)
            (root / "self").symlink_to("self")
            (root / "up").symlink_to("..")
            (root / "outside").symlink_to(OUTSIDE)
    """,
    "strange-names": r"""
        for root in (out, Path(tempfile.gettempdir())):
            for name in ("new\nline", "\u6f22\u5b57", b"\xff\xfe".decode(errors="surrogateescape"), "-rf", "*", " "):
                (root / name).mkdir()
                (root / name / name).write_text("x")
    """,
}


@pytest.mark.parametrize("what", LITTER)
def test_litter_is_cleared_away(arena, what: str) -> None:
    """Whatever a generator leaves in its folders costs no sample and is gone with the batch."""
    (arena.outside / "victim").write_text("x")
    assert arena.run(arena.plain(f"write_samples(out, seed, count)\n{dedent(LITTER[what])}")).short == (
        None,
        ALL,
    )


@pytest.mark.parametrize("what", ["folders-that-nobody-may-enter", "its-own-folders-closed"])
def test_litter_is_cleared_away_by_a_user_too(arena, what: str) -> None:
    """The same holds for a worker without the privileges of root."""
    bad = arena.plain(f"write_samples(out, seed, count)\n{dedent(LITTER[what])}")
    good = arena.plain("write_samples(out, seed, count)", name="T-3_good_data-generator")
    ends = arena.run_apart(bad, good, unprivileged=True)
    assert [end.short for end in ends] == [(None, ALL), (None, ALL)]


def test_a_sample_that_nobody_may_read(arena) -> None:
    """A sample folder without permissions is its owner's all the same: opened, or torn, never a dead worker."""
    bad = arena.plain("write_samples(out, seed, count)[1].chmod(0)")
    good = arena.plain("write_samples(out, seed, count)", name="T-3_good_data-generator")
    first, second = arena.run_apart(bad, good, unprivileged=True)
    assert set(first.stored) >= {20, 22, 23}
    assert first.cause in {None, Cause.TORN_SAMPLES, Cause.WRONG_COUNT}
    assert second.short == (None, ALL)


@pytest.mark.parametrize("file", ["metadata.json", "notes.txt"])
@pytest.mark.parametrize("what", ["symlink", "fifo", "folder"])
def test_what_is_no_file_beside_the_required_ones_is_not_stored(arena, what: str, file: str) -> None:
    """In the place of a file that nobody requires, a link, FIFO or folder is neither stored nor followed."""
    (arena.outside / "secret").write_bytes(b"do not tell")
    body = replaced(file, INSTEAD[what]).replace("path.unlink()", "path.unlink(missing_ok=True)")
    end = arena.run(arena.plain(body))
    # Torn, or whole without it: both are honest, a file of another sample's or of the host's is not.
    assert end.short in ((None, ALL), (Cause.TORN_SAMPLES, [0, 2, 3]))
    assert b"do not tell" not in arena.everything_stored()


@pytest.mark.parametrize("what", ["prompt.txt", "metadata.json"])
def test_a_whole_sample_is_stored_as_it_was_at_the_end(arena, what: str) -> None:
    """A script that works over its samples after it has written them has the last word on their bytes."""
    after = f"for path in out.rglob({what!r}): path.write_bytes(path.read_bytes().rstrip() + b' ')"
    name = arena.template(after=after)
    assert arena.run(name).short == (None, ALL)
    for place in ALL:
        assert arena.content(name, place, what).endswith(b" ")
    json.loads(arena.content(name, 0, "metadata.json"))


def test_an_early_look_is_not_the_last_word(arena) -> None:
    """A script that pretends to write its samples as a stream is believed at its end only."""
    body = """
        for meddled in ("streaming", "staging", "stream"):
            (out.parent / "staging" / meddled).touch()
        first = write_sample(out, seed, 0)
        time.sleep(0.5)
        (first / "prompt.txt").write_text("Final.")
        with (first / "ground_truth.mp4").open("ab") as video:
            video.write(b"\\0\\0\\0\\x0dfreefinal")
        for place in range(1, count):
            write_sample(out, seed, place)
    """
    name = arena.plain(body)
    assert arena.run(name).short == (None, ALL)
    assert arena.content(name, 0, "prompt.txt") == b"Final."
    assert arena.content(name, 0, "ground_truth.mp4").endswith(b"freefinal")


def test_a_sample_that_is_taken_back_is_not_stored(arena) -> None:
    """A template script that deletes or tears a sample after it was written has not made it."""
    after = """
        folders = sorted(out.glob("*_task/*"))
        time.sleep(0.3)
        shutil.rmtree(folders[1])
        (folders[2] / "prompt.txt").write_text("")
    """
    end = arena.run(arena.template(after=after))
    assert end.cause in {Cause.TORN_SAMPLES, Cause.WRONG_COUNT}
    assert end.stored == [20, 23]


@pytest.mark.parametrize("output_format", ["files", "tar"])
def test_a_receipt_knows_what_is_stored(arena, shaped, output_format: str) -> None:
    """Let out early or written at the end, packed or not: the receipt's digests are those of the samples."""
    name = shaped("pass", at=0)
    assert arena.run(name, output_format=output_format).short == (None, ALL)
    (key,) = (key for key, _ in sizes(arena.store, keys.RECEIPTS))
    receipt = records.read(arena.store, key, Receipt)
    made = [arena.kit.files(7, place) for place in ALL]
    assert receipt.digests == {
        20 + place: content_digest({file: FileContent.of(data) for file, data in files.items()})
        for place, files in enumerate(made)
    }
