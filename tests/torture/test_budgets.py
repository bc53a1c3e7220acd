"""Generators that take more than their share of disk, memory, descriptors or talk: named, stopped, survived."""

from pathlib import Path

import obstore
import pytest
from obstore.store import LocalStore

from vbvrdatafactory.core.causes import Cause

MB = 1024 * 1024
THREE, ALL = [0, 1, 2], [0, 1, 2, 3]


@pytest.mark.parametrize("where", ["tempfile.gettempdir()", "Path.home()", "os.environ['XDG_CACHE_HOME']"])
def test_a_full_disk_is_a_named_failure(arena, where: str) -> None:
    """A generator that fills its disk budget is stopped as that, and its three samples are kept."""
    body = (
        f"folder = Path({where})\nfolder.mkdir(exist_ok=True)\nwrite_samples(out, seed, 3)\nfill(folder, 200)"
    )
    assert arena.run(arena.plain(body)).short == (Cause.DISK, THREE)


def test_a_disk_that_fills_half_way_keeps_what_was_made(arena) -> None:
    """A template generator that fills the disk in its fourth sample keeps the three before it."""
    end = arena.run(arena.template("fill(Path(tempfile.gettempdir()), 200)", at=3))
    assert end.short == (Cause.DISK, THREE)


def test_files_without_a_name_count_as_disk(arena) -> None:
    """Files that are deleted and still open fill the disk all the same."""
    body = """
        write_samples(out, seed, 3)
        held = []
        for number in range(16):
            path = Path(tempfile.gettempdir()) / "unseen"
            held.append(path.open("wb"))
            path.unlink()
            held[-1].write(b"x" * (12 << 20))
            held[-1].flush()
            time.sleep(0.05)
        hang(4)
    """
    assert arena.run(arena.plain(body)).short == (Cause.DISK, THREE)


@pytest.mark.parametrize(
    "huge",
    [
        "(out / 'huge').open('wb').truncate(100 << 30)",
        "(out / 'huge').open('wb').write(b'x' * (40 << 20))",
        "signal.signal(signal.SIGXFSZ, signal.SIG_DFL); (out / 'huge').open('wb').truncate(100 << 30)",
    ],
    ids=["sparse", "written", "killed-by-the-kernel"],
)
def test_one_huge_file_is_a_disk_failure(arena, huge: str) -> None:
    """A single file beyond its limit, sparse or not, is reported as a matter of disk."""
    assert arena.run(arena.plain(f"write_samples(out, seed, 3)\n{huge}")).short == (Cause.DISK, THREE)


def test_a_huge_file_that_nobody_asked_for_is_no_harm(arena) -> None:
    """A generator that survives the refusal of its huge file, and makes its samples, has made its batch."""
    body = """
        try:
            (out / "huge").open("wb").truncate(100 << 30)
        except OSError:
            (out / "huge").unlink()
        write_samples(out, seed, count)
    """
    assert arena.run(arena.plain(body)).short == (None, ALL)


@pytest.mark.parametrize(
    "eater",
    [
        "eat(600)",
        "child = os.fork() or (eat(600), os._exit(0))\nos.waitpid(child, 0)",
        "daemon(lambda: eat(600))\nhang(10)",
        "for _ in range(6): os.fork() or (eat(100), hang(5), os._exit(0))\nhang(10)",
    ],
    ids=["itself", "grandchild", "daemon", "many-children"],
)
def test_too_much_memory_is_a_named_failure(arena, eater: str) -> None:
    """A generator that eats more memory than its budget, itself or through others, is stopped as that."""
    assert arena.run(arena.plain(f"write_samples(out, seed, 3)\n{eater}")).short == (Cause.MEMORY, THREE)


def test_memory_that_runs_out_half_way_keeps_what_was_made(arena) -> None:
    """A template generator that eats its memory in the fourth sample keeps the three before it."""
    end = arena.run(arena.template("eat(600)", at=3))
    assert end.short == (Cause.MEMORY, THREE)


def test_memory_that_is_only_reserved_is_no_harm(arena) -> None:
    """Address space that is reserved and never touched, as numerical libraries do, is not memory."""
    body = """
        import mmap
        held = mmap.mmap(-1, 2 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0))
        write_samples(out, seed, count)
    """
    assert arena.run(arena.plain(body)).short == (None, ALL)


def test_too_many_open_files_are_named(arena) -> None:
    """A generator that opens thousands of files fails with the error that says so; the worker has its own."""
    end = arena.run(
        arena.plain("write_samples(out, seed, 3)\nheld = [open(os.devnull) for _ in range(5000)]")
    )
    assert end.short == (Cause.CRASH, THREE)
    assert "Too many open files" in end.detail


def test_a_flood_of_output_changes_nothing(arena, peak) -> None:
    """200 MB on stdout and as much on stderr leave the result and the worker's memory as they are."""
    assert arena.run(arena.plain("flood()\nwrite_samples(out, seed, count)")).short == (None, ALL)
    assert peak() < 64 * MB


def test_a_flood_of_output_does_not_hide_the_end(arena, peak) -> None:
    """After 200 MB of talk the last exception is still the one that is reported."""
    end = arena.run(arena.plain("write_samples(out, seed, 3)\nflood()\nraise ValueError('no such shape')"))
    assert end.short == (Cause.CRASH, THREE)
    assert "ValueError: no such shape" in end.detail
    assert peak() < 64 * MB


def test_one_endless_line_is_cut(arena, peak) -> None:
    """An exception whose message is 50 MB on one line is reported with as much of it as a person reads."""
    end = arena.run(arena.plain("raise ValueError('no such shape ' + 'x' * (50 << 20))"))
    assert end.short == (Cause.CRASH, [])
    assert end.seconds < 10
    # Once to read and once to search it would be too much already.
    assert peak() < 64 * MB


@pytest.mark.parametrize(
    "crash", ["", "raise ValueError('no such shape')", "os._exit(3)"], ids=["good", "raises", "exits"]
)
def test_forged_reports_change_nothing(arena, crash: str) -> None:
    """Garbage, forged progress and forged protocol on every descriptor up to 50 are what they are: noise."""
    body = f"write_samples(out, seed, 3)\nshout(FORGED)\n{crash or 'write_sample(out, seed, 3)'}"
    end = arena.run(arena.plain(body))
    assert end.short == ((Cause.CRASH, THREE) if crash else (None, ALL))


def test_a_template_that_forges_reports_changes_nothing(arena) -> None:
    """The same noise from within a template generator, before its third sample crashes, keeps two samples."""
    end = arena.run(arena.template("shout(FORGED)\nos._exit(0)", at=2))
    assert end.stored == [20, 21]
    assert end.cause in {Cause.CRASH, Cause.WRONG_COUNT}


def test_closed_descriptors_change_nothing(arena, shaped) -> None:
    """A generator that closes every descriptor it has, its standard ones too, still makes its batch."""
    assert arena.run(shaped("be_silent()", 1)).short == (None, ALL)


def test_stdin_is_empty(arena) -> None:
    """A generator that reads its standard input finds it empty and does not wait."""
    end = arena.run(arena.plain("assert sys.stdin.read() == ''\nwrite_samples(out, seed, count)"))
    assert end.short == (None, ALL)


def test_large_files_do_not_add_up_in_memory(
    arena, peak, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Samples with 12 MB each are stored, whole, by a worker that never holds more than a few of them."""
    body = """
        for place in range(count):
            folder = write_sample(out, seed, place)
            (folder / "depth.bin").write_bytes(bytes(12 << 20))
    """
    put = obstore.put

    def put_without_attributes(*what: object, attributes: object, **options: object) -> object:
        del attributes
        return put(*what, **options)

    # A store on disk, so that memory is the worker's; it takes no attributes.
    monkeypatch.setattr(obstore, "put", put_without_attributes)
    arena.limited(disk_bytes=1 << 30)
    arena.store = LocalStore(tmp_path)
    name = arena.plain(body)
    assert arena.run(name, count=20, seconds=120).short == (None, list(range(20)))
    assert len(arena.content(name, 19, "depth.bin")) == 12 << 20
    assert peak() < 96 * MB
