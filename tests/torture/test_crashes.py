"""Generators that die: finished samples are kept under their indices, the one that killed it is named."""

import re
import time

import obstore
import pytest

from vbvrdatafactory.core.causes import Cause

ALL = [0, 1, 2, 3]

DEATHS = {
    "raises": ("raise ValueError('no such shape')", {Cause.CRASH}),
    "leaves": ("os._exit(3)", {Cause.CRASH}),
    "leaves-as-if-well": ("os._exit(0)", {Cause.CRASH, Cause.WRONG_COUNT}),
    "exits-as-if-well": ("sys.exit(0)", {Cause.CRASH, Cause.WRONG_COUNT}),
    "segfaults": ("ctypes.string_at(0)", {Cause.CRASH}),
    "aborts": ("os.abort()", {Cause.CRASH}),
    "kills-itself": ("os.kill(os.getpid(), signal.SIGKILL)", {Cause.CRASH, Cause.MEMORY}),
    "ends-itself": ("os.kill(os.getpid(), signal.SIGTERM)", {Cause.CRASH}),
    "recurses-for-ever": ("def f(): f()\nf()", {Cause.CRASH}),
    "interrupts": ("raise KeyboardInterrupt", {Cause.CRASH}),
}


NO_NINES = [place for place in range(40) if place % 10 != 9]
OWN_LOOP = """
    def generate_dataset(self):
        return [self.generate_task_pair(f"torture_{i:08d}") for i in range(self.config.num_samples)]

    def generate_task_pair"""


@pytest.mark.parametrize("death", DEATHS)
def test_a_death_half_way_keeps_what_was_made(arena, shaped, death: str) -> None:
    """A generator of either shape that dies in its fourth of six samples has three stored, the fourth named."""
    body, causes = DEATHS[death]
    name = shaped(body, 3)
    end = arena.run(name, count=6)
    assert end.stored == [20, 21, 22]
    assert end.cause in causes
    assert re.search(r"\b23\b", end.detail), end.detail
    for place in (0, 1, 2):
        assert arena.content(name, place, "prompt.txt") == arena.kit.files(7, place)["prompt.txt"]


def test_a_death_half_way_keeps_what_was_made_in_an_archive(arena, shaped) -> None:
    """What was finished before a crash is kept where samples are packed, too."""
    end = arena.run(shaped("os._exit(3)", 3), count=6, output_format="tar")
    assert end.short == (Cause.CRASH, [0, 1, 2])


def test_a_death_behind_the_wanted_sample_is_forgiven(arena, shaped) -> None:
    """A replay for one lost sample has done its work when that sample is there, whatever dies after it."""
    end = arena.run(shaped("os._exit(3)", 3), only_indices=[21])
    assert end.short == (None, [1])


def test_a_death_before_the_first_sample(arena, shaped) -> None:
    """A generator that dies in its first sample stores none, and the first index is named."""
    end = arena.run(shaped("raise ValueError('no such shape')", 0))
    assert end.short == (Cause.CRASH, [])
    assert "ValueError: no such shape" in end.detail
    assert re.search(r"\b20\b", end.detail), end.detail


def test_the_stderr_of_a_crash_is_kept(arena, shaped) -> None:
    """The traceback of the run that crashed is kept, not that of a run that saved its samples."""
    end = arena.run(shaped("raise ValueError('no such shape')", 2))
    assert end.exit_code == 1
    assert "Traceback" in end.stderr_tail
    assert "ValueError: no such shape" in end.stderr_tail
    assert "ValueError: no such shape" in end.detail


@pytest.mark.parametrize("output_format", ["files", "tar"])
def test_a_death_after_the_last_sample_is_forgiven(arena, output_format: str) -> None:
    """A generator that crashes when every sample is whole has made its batch."""
    name = arena.plain("write_samples(out, seed, count)\nraise ValueError('too late')")
    assert arena.run(name, output_format=output_format).short == (None, ALL)


def test_a_plain_run_that_cannot_be_shortened_is_over_soon(arena) -> None:
    """Where a shorter run crashes too, the batch is given up after a few tries, within its time."""
    body = "print('  Generated: torture_00000002', flush=True)\ntime.sleep(0.3)\nraise ValueError('hopeless')"
    end = arena.run(arena.plain(body), count=100)
    assert end.short == (Cause.CRASH, [])
    assert end.seconds < 8


def test_forged_progress_saves_no_false_sample(arena) -> None:
    """A script that claims more samples than it made gets those stored that a shorter run really makes."""
    body = """
        def before(place):
            if place == 2:
                for forged in range(1000):
                    print(f"  Generated: {name(forged)}")
                raise ValueError("no such shape")
        make(out, seed, count, before)
    """
    name = arena.plain(body)
    end = arena.run(name, count=6)
    assert end.cause == Cause.CRASH
    assert end.stored in ([], [20], [20, 21])


def test_salvage_keeps_the_deadline(arena) -> None:
    """A rerun that saves samples ends in the batch's own time."""
    body = """
        def before(place):
            time.sleep(0.25)
            if place == 4:
                raise ValueError("no such shape")
        make(out, seed, count, before)
    """
    end = arena.run(arena.plain(body), count=6, seconds=2)
    assert end.cause in {Cause.CRASH, Cause.DEADLINE}
    assert end.seconds < 3.5


def test_a_crash_on_a_seed_is_repeatable(arena, shaped) -> None:
    """The same seed crashes in the same way again; another seed of the same generator does well."""
    name = shaped("if seed == 7: raise ValueError('no such shape')", 2)
    first, second = arena.run(name), arena.run(name)
    assert first.short == second.short == (Cause.CRASH, [0, 1])
    assert first.detail == second.detail
    assert arena.run(name, seed=8).short == (None, ALL)


@pytest.mark.parametrize(
    ("stderr", "expected"),
    [
        ("b'\\xff\\xfe\\x00\\x1b[31m\\r\\n' * 2000", ""),
        ("b'\\xed\\xa0\\x80 surrogate\\n'", ""),
        ("b'x' * 1000 + b'\\n' * 5000", ""),
        ("'\\u6f22 ValueError: \\U0001f600 no such shape\\n'.encode()", "no such shape"),
    ],
    ids=["garbage", "surrogates", "blank-lines", "unicode"],
)
def test_garbage_on_stderr_is_kept_as_text(arena, stderr: str, expected: str) -> None:
    """Whatever bytes a dying generator writes, its failure is on record and can be read."""
    end = arena.run(arena.plain(f"os.write(2, {stderr})\nos._exit(1)"))
    assert end.short == (Cause.CRASH, [])
    assert expected in end.detail
    assert "\n" not in end.detail.strip()


def test_last_words_are_kept(arena, shaped) -> None:
    """A script that exits with a sentence instead of an exception is reported with that sentence."""
    end = arena.run(shaped("sys.exit('no font called Wingdings')", 1))
    assert end.short == (Cause.CRASH, [0])
    assert "no font called Wingdings" in end.detail


def test_an_option_that_is_not_known_is_named(arena) -> None:
    """A script that does not take the seed says so in its failure."""
    name = arena.plain("write_samples(out, 7, count)")
    script = arena.generators / name / "examples" / "generate.py"
    script.write_text(script.read_text().replace('"--seed"', '"--luck"'))
    end = arena.run(name)
    assert end.short == (Cause.CRASH, [])
    assert "unrecognized arguments: --seed 7" in end.detail


def test_a_missing_dependency_is_named(arena) -> None:
    """A script that imports what is not installed fails as that, by name."""
    end = arena.run(arena.plain("import no_such_package"))
    assert end.short == (Cause.MISSING_DEPENDENCY, [])
    assert "no_such_package" in end.detail


@pytest.mark.parametrize(
    "file", ["src/generator.py", "core/schemas.py", "src/__init__.py", "core/__init__.py"]
)
def test_a_missing_dependency_of_the_template_is_named(arena, file: str) -> None:
    """A template generator fails in the same way, wherever the import stands."""
    name = arena.template()
    path = arena.generators / name / file
    path.write_text(f"import no_such_package\n{path.read_text()}")
    end = arena.run(name)
    assert end.short == (Cause.MISSING_DEPENDENCY, [])
    assert "no_such_package" in end.detail


@pytest.mark.parametrize("file", ["examples/generate.py", "src/generator.py", "core/output_writer.py"])
def test_a_syntax_error_is_a_crash(arena, file: str) -> None:
    """A file that is no Python fails the batch with the error and its place."""
    name = arena.template()
    path = arena.generators / name / file
    path.write_text(f"{path.read_text()}\ndef (:\n")
    end = arena.run(name)
    assert end.short == (Cause.CRASH, [])
    assert "SyntaxError" in end.detail


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"print('\x00')", b"x = " + b"(" * 5000],
    ids=["empty", "utf-16", "nul", "deep"],
)
def test_a_script_that_is_no_script(arena, content: bytes) -> None:
    """A script that is empty, binary or beyond the parser fails the batch, not the worker."""
    name = arena.plain("pass")
    (arena.generators / name / "examples" / "generate.py").write_bytes(content)
    end = arena.run(name)
    assert end.cause in {Cause.CRASH, Cause.WRONG_COUNT, Cause.MEMORY}
    assert end.stored == []


def test_a_crash_in_the_writer_keeps_the_samples_before_it(arena) -> None:
    """A template generator whose writer fails on the third sample keeps the two before it."""
    name = arena.template("tempfile.gettempdir = lambda: '/nowhere/at/all'", at=2)
    end = arena.run(name)
    assert end.short == (Cause.CRASH, [0, 1])


@pytest.mark.parametrize(
    ("between", "stored"),
    [
        ("random.shuffle(tasks)\nreturn tasks", ALL),
        ("return tasks[::-1]", ALL),
        ("return list(tasks)", ALL),
        ("return [task for task in tasks if 'no' not in task.prompt[:2]]", ALL),
        ("assert len(tasks) == 4 and tasks[0].prompt and tasks[-1].task_id.endswith('3')\nreturn tasks", ALL),
        ("for task in tasks: assert Path(task.ground_truth_video).exists()\nreturn tasks", ALL),
    ],
    ids=["shuffled", "reversed", "copied", "filtered", "looked-at", "videos-looked-at"],
)
def test_what_scripts_do_with_their_tasks(arena, between: str, stored: list[int]) -> None:
    """A template script may look at, order and copy the tasks it got before it writes them."""
    name = arena.template(between=between)
    assert arena.run(name).short == (None, stored)
    for place in ALL:
        assert arena.content(name, place, "ground_truth.mp4") == arena.kit.files(7, place)["ground_truth.mp4"]


def test_a_script_that_leaves_tasks_out(arena) -> None:
    """A template script that drops a task it was given has made the wrong count; nobody moves up."""
    end = arena.run(
        arena.template(between="return [task for task in tasks if not task.task_id.endswith('1')]")
    )
    assert end.cause == Cause.WRONG_COUNT
    assert end.stored == [20, 22, 23]


def test_a_script_that_changes_its_tasks(arena) -> None:
    """A template script that changes a task before it is written has the last word on its bytes."""
    name = arena.template(between="for task in tasks: task.prompt = 'Changed.'\nreturn tasks")
    assert arena.run(name).short == (None, ALL)
    assert arena.content(name, 2, "prompt.txt") == b"Changed."


@pytest.mark.parametrize(
    ("between", "after", "expected"),
    [
        ("for task in tasks: task.prompt = 'Changed.'\nreturn tasks", "pass", (None, list(range(40)))),
        ("return [task for task in tasks if task.task_id[-1] != '9']", "pass", (Cause.WRONG_COUNT, NO_NINES)),
        ("return tasks", "[shutil.rmtree(path) for path in out.glob('*/*9')]", (Cause.WRONG_COUNT, NO_NINES)),
        (
            "return tasks",
            "[path.unlink() for path in out.glob('*/*9/prompt.txt')]",
            (Cause.TORN_SAMPLES, NO_NINES),
        ),
    ],
    ids=["changed", "left-out", "deleted", "torn"],
)
def test_samples_that_change_while_they_are_stored(
    arena, monkeypatch: pytest.MonkeyPatch, between: str, after: str, expected: tuple
) -> None:
    """What a template script does to its samples is the same where a slow bucket has not taken them yet."""
    put = obstore.put

    def slow_put(*args: object, **options: object) -> object:
        time.sleep(0.05)
        return put(*args, **options)

    monkeypatch.setattr(obstore, "put", slow_put)
    end = arena.run(arena.template("time.sleep(0.005)", between=between, after=after), count=40)
    assert end.short == expected


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (
            "src/generator.py",
            "    def generate_task_pair",
            OWN_LOOP,
        ),
        (
            "core/output_writer.py",
            "    def write_dataset(self, task_pairs):\n",
            "    def write_all(self, task_pairs):\n",
        ),
        ("core/base_generator.py", "class BaseGenerator(ABC)", "class Base(ABC)"),
        (
            "core/output_writer.py",
            "def write_task_pair(self, task_pair):",
            "def write_task_pair(self, task_pair, *, deep=False):",
        ),
        ("src/generator.py", "from . import behaviour", "import os\nfrom . import behaviour\nos.chdir('/')"),
    ],
    ids=["own-loop", "other-writer", "other-base", "other-signature", "changes-folder"],
)
def test_almost_the_template(arena, file: str, old: str, new: str) -> None:
    """A generator that differs from the template where it matters makes the same bytes all the same."""
    name = arena.template()
    path = arena.generators / name / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    if "write_all" in new:
        script = arena.generators / name / "examples" / "generate.py"
        script.write_text(script.read_text().replace(".write_dataset(", ".write_all("))
    if "class Base(" in new:
        for other in ("core/__init__.py", "src/generator.py"):
            place = arena.generators / name / other
            place.write_text(place.read_text().replace("BaseGenerator", "Base"))
    assert arena.run(name).short == (None, ALL)
    for place in ALL:
        assert arena.content(name, place, "prompt.txt") == arena.kit.files(7, place)["prompt.txt"]


def test_the_hash_seed_is_the_batchs_own(arena) -> None:
    """hash(str) is another under another seed and the same under the same, let out early or written at the end."""
    tell = "raise ValueError(f'{hash(\"a sample\")}')"
    names = [arena.plain(tell), arena.template(tell, at=2)]
    said = {seed: {arena.run(name, seed=seed).detail.split(";")[0] for name in names} for seed in (1, 2)}
    assert [len(found) for found in said.values()] == [1, 1]
    assert said[1] != said[2]
    assert all(arena.run(name, seed=1).detail.split(";")[0] in said[1] for name in names)
