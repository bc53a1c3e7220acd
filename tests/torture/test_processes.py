"""Generators that do not end, or leave processes: the batch ends, its samples are kept, nobody lives on."""

import threading
import time

import pytest

from lambda_worker.delivery import Delivery
from lambda_worker.failure import Cancelled
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.models import TaskMessage

ALL = [0, 1, 2, 3]
IGNORE = "for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)"

LEFT_BEHIND = {
    "child": "subprocess.Popen(sleep(30))",
    "child-that-ignores-signals": "subprocess.Popen(['nohup', *sleep(30, 'trap : TERM HUP INT; ')])",
    "child-in-its-own-session": "subprocess.Popen(sleep(30), start_new_session=True)",
    "daemon-that-writes-temp-files": (
        "daemon(lambda: Path(tempfile.gettempdir(), str(time.monotonic_ns())).write_text('noise'))"
    ),
    "daemon-that-writes-samples": "daemon(lambda: write_sample(out, seed, 3, name(time.monotonic_ns() % 10**8)))",
    "daemon-that-holds-the-output-folder": "daemon(lambda: os.chdir(out))",
    "daemon-that-left-everything": "bare_daemon()",
    "daemon-that-is-never-the-same": "hopper()",
}

ATTACKS = {
    "kills-parent": "strike(os.getppid())",
    "stops-parent": "strike(os.getppid(), signal.SIGSTOP)",
    "kills-its-group": "strike(os.getpgid(os.getppid()), kill=os.killpg)",
    "kills-its-session": "strike(os.getsid(os.getppid()), kill=os.killpg)",
    "kills-every-ancestor": "strike_ancestors()",
}


@pytest.fixture
def time_to_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time to store after the deadline: a Lambda's minutes leave some, the few seconds of these batches none."""
    monkeypatch.setattr("lambda_worker.batch._RECORD_SECONDS", -20.0)


def test_a_hang_ends_at_the_deadline(arena) -> None:
    """A generator that hangs and ignores every polite signal is ended at its deadline, not long after."""
    end = arena.run(arena.plain(f"{IGNORE}\nhang()"), seconds=1.5)
    assert end.short == (Cause.DEADLINE, [])
    assert end.seconds < 6


@pytest.mark.usefixtures("time_to_store")
def test_a_hang_half_way_keeps_what_was_made(arena) -> None:
    """A template generator that hangs in its fourth sample keeps the three before it."""
    end = arena.run(arena.template(f"{IGNORE}\nhang()", at=3), seconds=3)
    assert end.short == (Cause.DEADLINE, [0, 1, 2])


def test_a_stopped_process_ends_at_the_deadline(arena) -> None:
    """A generator that stops itself, so that no signal but SIGKILL is taken, is ended at its deadline."""
    end = arena.run(arena.plain("os.kill(os.getpid(), signal.SIGSTOP)"), seconds=1.5)
    assert end.short == (Cause.DEADLINE, [])


@pytest.mark.parametrize(
    "hang", ["hang()", "threading.Thread(target=hang).start()", "import atexit; atexit.register(hang)"]
)
@pytest.mark.usefixtures("time_to_store")
def test_a_hang_after_the_last_sample_is_forgiven(arena, hang: str) -> None:
    """A generator that hangs when every sample is whole has made its batch."""
    assert arena.run(arena.plain(f"write_samples(out, seed, count)\n{hang}"), seconds=3).short == (None, ALL)


@pytest.mark.usefixtures("time_to_store")
def test_a_template_that_hangs_after_the_last_sample_is_forgiven(arena) -> None:
    """The same holds for a template generator that hangs before it ends."""
    assert arena.run(arena.template(after="hang()"), seconds=3).short == (None, ALL)


@pytest.mark.parametrize("what", LEFT_BEHIND)
def test_what_is_left_running_is_ended(arena, what: str) -> None:
    """Whatever a generator leaves running when it is done does not change its result, delay it or outlive it."""
    end = arena.run(arena.plain(f"write_samples(out, seed, count)\n{LEFT_BEHIND[what]}"))
    assert end.short == (None, ALL)
    assert end.seconds < 10


@pytest.mark.parametrize("what", ["daemon-that-left-everything", "daemon-that-is-never-the-same"])
def test_what_a_crash_leaves_running_is_ended(arena, what: str) -> None:
    """A generator that leaves a daemon and crashes is reported as crashed, and the daemon is gone."""
    end = arena.run(arena.plain(f"{LEFT_BEHIND[what]}\nraise ValueError('no such shape')"))
    assert end.short == (Cause.CRASH, [])
    assert "ValueError: no such shape" in end.detail


@pytest.mark.parametrize("daemon", ["bare_daemon()", "hopper()"])
def test_what_a_hang_leaves_running_is_ended(arena, daemon: str) -> None:
    """A deadline ends daemons too, even those that the generator made before it hung."""
    end = arena.run(arena.plain(f"{daemon}\nhang()"), seconds=2)
    assert end.short == (Cause.DEADLINE, [])


def test_a_cancelled_batch_leaves_nothing(arena) -> None:
    """A batch that is cancelled ends at once, with all it started; nothing is recorded of it."""
    name = arena.plain("bare_daemon()\nsubprocess.Popen(sleep(30), start_new_session=True)\nhang()")
    arena.begin()
    message = TaskMessage(type=name, num_samples=4, seed=7)
    delivery = Delivery(message, 7, 1, 30)
    threading.Timer(1, delivery.cancelled.set).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        arena.worker.process(delivery)
    assert time.monotonic() - started < 4
    assert arena.everything_stored() == b""


def test_two_hundred_children_are_ended(arena) -> None:
    """A generator that starts 200 processes and makes its samples has its samples, and all 200 are gone."""
    bomb = """
        for _ in range(200):
            if not os.fork():
                os.setsid()
                mark()
                hang()
                os._exit(0)
        write_samples(out, seed, count)
    """
    end = arena.limited(memory_bytes=2 << 30).run(arena.plain(bomb))
    # Memory that forked processes share counts for each of them where the host shows no better figure.
    assert end.cause in {None, Cause.MEMORY}


@pytest.mark.parametrize("shape", ["plain", "template"])
def test_the_worker_survives_its_generators(arena, out_of_reach, shape: str) -> None:
    """Generators that kill their parent, its group or every ancestor don't kill the worker: each time it makes the next batch."""
    names = []
    for attack, code in ATTACKS.items():
        bad, good = f"T-1_{attack}_data-generator", f"T-3_after-{attack}_data-generator"
        if shape == "plain":
            arena.plain(f"{code}\nwrite_samples(out, seed, count)", name=bad)
        else:
            arena.template(code, at=0, name=bad)
        names += [bad, arena.plain("write_samples(out, seed, count)", name=good)]
    ends = dict(zip(names, arena.run_apart(*names, seconds=3), strict=True))
    assert not [name for name in names[::2] if "nobody to kill" in ends[name].detail]
    assert {name: ends[name].short for name in names[1::2]} == dict.fromkeys(names[1::2], (None, ALL))


def test_a_generator_that_kills_its_own_group(arena) -> None:
    """A generator that kills its own process group loses what it had not written, and nothing else."""
    end = arena.run(arena.plain("write_sample(out, seed, 0)\nos.killpg(0, signal.SIGKILL)"))
    assert end.cause in {Cause.CRASH, Cause.MEMORY}
    assert end.stored == [20]
