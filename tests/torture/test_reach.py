"""Generators that reach for what is not theirs: other folders, secrets, each other."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent, indent

import pytest

from lambda_worker.delivery import Delivery
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.models import TaskMessage

START, SEED = 20, 7
ALL = [0, 1, 2, 3]

# Tries everything in every folder; what worked, by its name, is the prompt of the first sample.
WRITES = """
    done = []
    places = [OUTSIDE, TEMP, OUTSIDE.parent, FOLDER, FOLDER / "examples", FOLDER.parent]
    for place in places:
        tries = {
            "write": lambda: (place / "planted").write_text("x"),
            "append": lambda: (place / "victim").open("a").write("x"),
            "truncate": lambda: os.truncate(place / "victim", 0),
            "delete": lambda: (place / "victim").unlink(),
            "rename": lambda: (place / "victim").rename(place / "renamed"),
            "make-folder": lambda: (place / "planted-folder").mkdir(),
            "symlink": lambda: (place / "planted-link").symlink_to(out),
            "hardlink": lambda: os.link(__file__, place / "planted-hardlink"),
            "fifo": lambda: os.mkfifo(place / "planted-fifo"),
            "move-out": lambda: shutil.move(Path(tempfile.mkdtemp()), place / "moved-folder"),
        }
        for what, attempt in tries.items():
            with contextlib.suppress(OSError):
                attempt()
                done.append(f"{what} in {place.relative_to(OUTSIDE.parent)}")
    samples = write_samples(out, seed, count)
    (samples[0] / "prompt.txt").write_text("; ".join(done) or "nothing")
"""


def test_nothing_is_written_outside(arena, landlock) -> None:
    """A generator can't write, change, move, link or delete anything outside its own folders."""
    name = arena.plain(WRITES)
    for folder in (arena.outside, arena.temp, arena.root, arena.generators, arena.generators / name):
        (folder / "victim").write_text("precious")
    assert arena.run(name).short == (None, ALL)
    assert arena.content(name, 0, "prompt.txt").decode() == "nothing"


def test_a_write_outside_that_is_not_expected_to_fail_is_named(arena, landlock) -> None:
    """A generator that needs to write outside its folders fails with the path it was refused."""
    end = arena.run(arena.plain("(OUTSIDE / 'planted').write_text('x')\nwrite_samples(out, seed, count)"))
    assert end.short == (Cause.CRASH, [])
    assert "planted" in end.detail
    assert "Permission" in end.detail


def test_its_own_folders_are_its_own(arena) -> None:
    """Temp, home, cache and working folder are below the worker's temp folder, writable, and nobody else's."""
    body = """
        places = [tempfile.gettempdir(), Path.home(), os.environ["XDG_CACHE_HOME"], os.environ["MPLCONFIGDIR"], out]
        for place in map(Path, places):
            assert TEMP in place.resolve().parents, place
            place.mkdir(parents=True, exist_ok=True)
            (place / "mine").write_text("x")
        write_samples(out, seed, count)
    """
    assert arena.run(arena.plain(body)).short == (None, ALL)


@pytest.mark.parametrize("shape", ["plain", "template"])
def test_the_sandbox_cannot_be_moved_away(arena, shape: str) -> None:
    """A generator that renames the folder that holds all its folders does not escape the sweep."""
    body = """
            root = own(tempfile.gettempdir())
        while root.parent != TEMP:
            root = root.parent
        with contextlib.suppress(OSError):
            root.rename(TEMP / "moved away")
    """
    if shape == "plain":
        end = arena.run(arena.plain(f"{dedent(body)}\nwrite_samples(out, seed, count)"))
    else:
        end = arena.run(arena.template(body, at=2))
    assert end.cause in {None, Cause.CRASH, Cause.WRONG_COUNT}


def test_what_a_stranger_left_is_not_touched(arena) -> None:
    """Files in the temp folder that are not the worker's stay where they are, whatever a generator leaves."""
    (arena.temp / "precious").mkdir()
    (arena.temp / "precious" / "file").write_text("x")
    (arena.temp / "datafactory.txt").write_text("x")
    assert arena.run(arena.plain("write_samples(out, seed, count)\nbare_daemon()")).short == (None, ALL)
    assert (arena.temp / "precious" / "file").read_text() == "x"
    assert (arena.temp / "datafactory.txt").read_text() == "x"


def test_shared_memory_is_its_own(arena, namespaces) -> None:
    """What a generator leaves in /dev/shm is gone with it, and it fills no more of it than its share."""
    body = """
        assert not list(Path("/dev/shm").iterdir())
        (Path("/dev/shm") / token()).write_text("x")
        write_samples(out, seed, 3)
        with (Path("/dev/shm") / "large").open("wb") as large:
            for _ in range(200):
                large.write(bytes(1 << 20))
    """
    assert arena.run(arena.plain(body)).short == (Cause.DISK, [0, 1, 2])
    assert not (Path("/dev/shm") / arena.token).exists()


def test_a_generator_sees_only_its_own_processes(arena, namespaces) -> None:
    """In a world of its own a generator finds no process but those it started, and its own number."""
    body = """
        child = subprocess.Popen(["sleep", "5"])
        seen = sorted(int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
        assert seen == [1, os.getpid(), child.pid], seen
        assert Path("/proc/self").readlink() == Path(str(os.getpid()))
        write_samples(out, seed, count)
    """
    assert arena.run(arena.plain(body)).short == (None, ALL)


SEARCH = """
    first, second = b"secret-of-", b"{token}"
    found = []
    for process in Path("/proc").iterdir():
        for file in ("environ", "cmdline"):
            try:
                content = (process / file).read_bytes() if process.name.isdigit() else b""
            except OSError:
                continue
            if first + second in content:
                found.append(f"{{file}} of {{process.name}}")
    if first + second in repr(os.environb).encode():
        found.append("own environment")
    samples = write_samples(out, seed, count)
    if found:
        raise RuntimeError(f"found in {{found}}")
"""


SEARCH_MEMORY = """
    first, second = b"secret-of-", b"{token}"
    found = []
    memory = open("/proc/self/mem", "rb", 0)
    for line in Path("/proc/self/maps").read_text().splitlines():
        where, rights = line.split()[:2]
        start, stop = (int(part, 16) for part in where.split("-"))
        if "r" not in rights or stop - start > 64 << 20:
            continue
        try:
            memory.seek(start)
            content = memory.read(stop - start)
        except (OSError, OverflowError, ValueError):
            continue
        at = content.find(first)
        while at >= 0:
            if content.startswith(second, at + len(first)):
                found.append(line)
            at = content.find(first, at + 1)
    samples = write_samples(out, seed, count)
    if found:
        raise RuntimeError(f"found in {{found}}")
"""

# Turns the prompts of finished samples into something else and back, as fast as it can.
SWAP = """
if place == 0:
    def swap():
        out = Path(sys.argv[sys.argv.index("--output") + 1])
        bait = Path(tempfile.gettempdir())
        os.mkfifo(bait / "fifo")
        end = time.monotonic() + 6
        while time.monotonic() < end:
            for prompt in out.glob("*_task/*/prompt.txt"):
                try:
                    if prompt.is_symlink():
                        continue
                    target = '/proc/self/environ'
                    link = bait / "link"
                    link.unlink(missing_ok=True)
                    link.symlink_to(bait / "fifo" if target == "fifo" else target)
                    prompt.rename(bait / "kept")
                    link.rename(prompt)
                    time.sleep(0.002)
                    (bait / "kept").rename(prompt)
                except OSError:
                    pass
    threading.Thread(target=swap, daemon=True).start()
time.sleep(0.03)
"""


@pytest.mark.parametrize("unprivileged", [False, True], ids=["root", "user"])
def test_no_secret_is_found(arena, unprivileged: bool, request: pytest.FixtureRequest) -> None:
    """A generator finds the worker's secrets in no environment and no command line on the machine."""
    if not unprivileged:
        # Root reads every process, unless Landlock keeps it from that.
        request.getfixturevalue("landlock")
    _assert_not_found(arena, SEARCH, unprivileged)


@pytest.mark.parametrize("unprivileged", [False, True], ids=["root", "user"])
def test_no_secret_is_in_its_own_memory(arena, unprivileged: bool) -> None:
    """A generator finds no secret in its own memory either: it is no copy of the worker."""
    # What it reads of its libraries counts as its own.
    arena.limited(memory_bytes=1 << 30)
    _assert_not_found(arena, SEARCH_MEMORY, unprivileged)


@pytest.mark.parametrize("unprivileged", [False, True], ids=["root", "user"])
def test_no_secret_comes_through_a_link(arena, unprivileged: bool) -> None:
    """A sample's file that turns into a link to the worker's environment is not read as the worker."""
    name = arena.template(SWAP, between="hang(0.5)\nreturn tasks")
    secret = f"secret-of-{arena.token}"
    env = {"AWS_SECRET_ACCESS_KEY": secret}
    (end,) = arena.run_apart(name, count=30, seconds=8, env=env, unprivileged=unprivileged, search=secret)
    assert end.leaked == []


def _assert_not_found(arena, search: str, unprivileged: bool) -> None:
    name = arena.plain(search.format(token=arena.token))
    env = {"AWS_SECRET_ACCESS_KEY": f"secret-of-{arena.token}"}
    (end,) = arena.run_apart(name, env=env, unprivileged=unprivileged)
    assert "found in" not in end.stderr_tail + end.detail
    assert end.short == (None, ALL)


@pytest.mark.parametrize("to", ["OUTSIDE / 'secret'", "'fifo'"], ids=["secret", "fifo"])
def test_a_file_that_turns_into_something_else(arena, to: str) -> None:
    """A sample's file that turns into a link or a FIFO while it is being stored is never followed nor waited for."""
    (arena.outside / "secret").write_text("do not tell")
    name = arena.template(SWAP.replace("'/proc/self/environ'", to), between="hang(0.5)\nreturn tasks")
    (end,) = arena.run_apart(name, count=30, seconds=8, search="do not tell")
    assert end.leaked == []


SIDE_BY_SIDE = """
    stage = Path(tempfile.gettempdir()) / "video.mp4"
    for place in range(count):
        content = files(seed, place)
        stage.write_bytes(content.pop("ground_truth.mp4"))
        folder = write(out / "torture_task" / name(place), content)
        time.sleep(0.01)
        shutil.copy(stage, folder / "ground_truth.mp4")
"""


@pytest.mark.parametrize("shape", ["plain", "template"])
def test_batches_side_by_side_do_not_touch(arena, shape: str) -> None:
    """Of 80 videos that two batches of one generator stage at the same names at once, none is swapped."""
    name = arena.plain(SIDE_BY_SIDE) if shape == "plain" else arena.template("time.sleep(0.01)")
    seeds = {START: 11, START + 40: 12}
    _process_together(
        arena,
        [
            {"type": name, "num_samples": 40, "start_index": start, "seed": seed}
            for start, seed in seeds.items()
        ],
    )
    assert arena.stored(name) == list(range(START, START + 80))
    swapped = [
        place
        for place in range(80)
        if arena.content(name, place, "ground_truth.mp4")
        != arena.kit.files(11 + place // 40, place % 40)["ground_truth.mp4"]
    ]
    assert not swapped


def test_a_batch_that_ends_leaves_its_neighbour_alone(arena) -> None:
    """What a batch's end clears away is its own: a neighbour with children, and one just asked for help, go on."""
    slow = arena.plain(
        """
        children = [subprocess.Popen(sleep(1.5), start_new_session=True) for _ in range(3)]
        assert [child.wait() for child in children] == [0, 0, 0]
        write_samples(out, seed, count)
        """,
        name="T-4_slow_data-generator",
    )
    asked = arena.plain("write_samples(out, seed, count)", name="T-5_asked_data-generator")
    script = arena.generators / asked / "examples" / "generate.py"
    # Its option is not to be read from the source, and its answer takes a while.
    script.write_text(
        "import time; time.sleep(0.5)\n" + script.read_text().replace('"--output"', '"--" + "output"')
    )
    quick = arena.plain("bare_daemon()\nwrite_samples(out, seed, count)", name="T-6_quick_data-generator")
    together = [
        {"type": name, "num_samples": 4, "start_index": START, "seed": SEED} for name in (slow, asked)
    ]
    together += [
        {"type": quick, "num_samples": 4, "start_index": START + 4 * number, "seed": number}
        for number in range(6)
    ]
    _process_together(arena, together)
    assert arena.stored(slow) == arena.stored(asked) == [20, 21, 22, 23]
    assert arena.stored(quick) == list(range(20, 44))


def _process_together(arena, batches: list[dict[str, object]]) -> None:
    """Deliver all batches to one worker at the same time."""
    arena.begin()
    with ThreadPoolExecutor(len(batches)) as pool:
        list(
            pool.map(
                lambda fields: arena.worker.process(
                    Delivery(TaskMessage.model_validate(fields), fields["seed"], 1, 30)
                ),
                batches,
            )
        )


@pytest.mark.parametrize(
    "left",
    [
        "pass",
        "subprocess.Popen(sleep(30))",
        "daemon()",
        "bare_daemon()",
        "hopper()",
        "try: own(out.parent).with_suffix('.lock').unlink()\nexcept OSError: pass",
    ],
    ids=["alone", "child", "daemon", "bare-daemon", "hopper", "meddler"],
)
def test_the_death_of_the_worker_ends_its_generator(arena, left: str, request: pytest.FixtureRequest) -> None:
    """When the worker is killed, its generator and all it started end; the next worker removes its folders."""
    if left in ("bare_daemon()", "hopper()"):
        # They hide so well that only the kernel finds them.
        request.getfixturevalue("namespaces")
    name = arena.plain(f"{left}\n(Path.home() / 'started').touch()\nhang()")
    good = arena.plain("write_samples(out, seed, count)", name="T-3_good_data-generator")
    arena.begin()
    with arena.apart(name, seconds=30) as process:
        _until(lambda: list(arena.temp.glob("*/home/started")))
        process.kill()
        process.wait()
    (end,) = arena.run_apart(good)
    assert end.short == (None, ALL)
    assert not arena.survivors()
    arena.reap()
    assert not list(arena.temp.iterdir())


def test_the_death_of_a_worker_that_clears_away(arena) -> None:
    """What a worker has not yet cleared away when it is killed is left to the next one, and that one does it."""
    litter = arena.plain(
        """
        for number in range(5000):
            Path(tempfile.gettempdir(), f"file{number}").touch()
        write_samples(out, seed, count)
        """
    )
    good = arena.plain("write_samples(out, seed, count)", name="T-3_good_data-generator")
    arena.begin()
    most = 0
    with arena.apart(litter, seconds=30) as process:
        while process.poll() is None:
            entries = len(list(arena.temp.glob("datafactory-*/*")))
            if entries < most:
                break
            most = entries
        process.kill()
        process.wait()
    (end,) = arena.run_apart(good)
    assert end.short == (None, ALL)
    arena.reap()
    assert not list(arena.temp.iterdir())


def test_a_pool_of_processes_works(arena) -> None:
    """A generator may use multiprocessing, with its locks and queues, as far as the host has them."""
    body = """
        import multiprocessing
        context = multiprocessing.get_context("fork")
        queue, lock = context.Queue(), context.Lock()
        def work(place):
            with lock:
                write_sample(out, seed, place)
                queue.put(place)
        workers = [context.Process(target=work, args=(place,)) for place in range(count)]
        [worker.start() for worker in workers]
        assert sorted(queue.get() for _ in workers) == list(range(count))
        [worker.join() for worker in workers]
    """
    assert arena.run(arena.plain(body)).short == (None, ALL)


def test_a_pool_of_new_interpreters_works(arena) -> None:
    """The same holds where its processes are not copies of it."""
    body = """
        import multiprocessing
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            pool.starmap(write_sample, [(out, seed, place) for place in range(count)])
    """
    name = arena.plain(body)
    script = arena.generators / name / "examples" / "generate.py"
    head, tail = script.read_text().split("parser = ")
    script.write_text(f"{head}if __name__ == '__main__':\n" + indent(f"parser = {tail}", "    "))
    assert arena.run(name).short == (None, ALL)


def _until(true, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)
