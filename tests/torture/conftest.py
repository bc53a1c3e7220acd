"""An arena for one misbehaving generator: a worker, a store, a temp folder of its own, and a close look afterwards.

`Arena.run` delivers one batch and says how it ended. When the test is over, the arena asserts what holds for
every behaviour: nothing is left on disk, no process and no descriptor is left, and the same warm worker makes
the next batch of a good generator. What would kill the worker if it were not contained runs in a process
apart (`Arena.run_apart`).
"""

import ctypes
import importlib.util
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import obstore
import psutil
import pytest
from obstore.store import MemoryStore

from lambda_worker.batch import Worker
from lambda_worker.delivery import Delivery
from lambda_worker.failure import BatchFailed
from lambda_worker.generator import namespaces, processes, run
from lambda_worker.generator.limits import Limits
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.ranges import IndexRange, expand
from vbvrdatafactory.core.records import FailureRecord
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.listing import sizes, take_inventory

HERE = Path(__file__).parent
SHAPES = HERE / "generators"
MB = 1024 * 1024
START = 20
SEED = 7
LIMITS = Limits(memory_bytes=256 * MB, disk_bytes=64 * MB, file_bytes=16 * MB, open_files=256)

# Set by --bare.
BARE = False

_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_SCOPES_SIGNALS = 6
_DROP_CAPABILITY = 24
_CAPABILITIES = 64
_RESET_PEAK = "5"
# A process that was told to end may take this long to be gone.
_PATIENCE = 3.0
# For this process and all it starts.
_MOST_ADDRESSES = 4096 * MB


def _load_kit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("torture_kit", SHAPES / "kit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


KIT = _load_kit()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--bare",
        action="store_true",
        help="the worker is to do without namespaces and Landlock, as on AWS Lambda",
    )


def landlock_abi() -> int:
    """The version of Landlock that this kernel has; 0 where it has none, or is to do without."""
    if BARE or not sys.platform.startswith("linux"):
        return 0
    version = ctypes.CDLL(None).syscall(_LANDLOCK_CREATE_RULESET, None, 0, 1)
    return max(version, 0)


def do_without() -> None:
    """Contain generators by what every Linux has."""
    namespaces.are_allowed = lambda: False
    run._LANDLOCK = None


@dataclass(frozen=True)
class End:
    """How one batch ended, and what the store holds of it."""

    cause: Cause | None
    detail: str
    stored: list[int]
    exit_code: int | None = None
    stderr_tail: str = ""
    seconds: float = 0.0
    leaked: list[str] = field(default_factory=list)

    @property
    def short(self) -> tuple[Cause | None, list[int]]:
        """Cause and places stored, counted from the start of the batch."""
        return self.cause, [index - START for index in self.stored]


@dataclass
class Arena:
    """Everything of one test lies below `root`, whose name holds the `token` that finds its processes."""

    root: Path
    token: str
    limits: Limits = LIMITS
    store: MemoryStore = field(default_factory=MemoryStore)

    def __post_init__(self) -> None:
        for folder in (self.generators, self.temp, self.outside):
            folder.mkdir(parents=True)
        self.worker = Worker(self.generators, lambda *_: self.store, limits=self.limits)
        self.known = set(psutil.pids())
        self.before: tuple[object, ...] = ()

    @property
    def kit(self) -> ModuleType:
        """The kit that generators have, to know what they should have made."""
        return KIT

    @property
    def generators(self) -> Path:
        return self.root / "generators"

    @property
    def temp(self) -> Path:
        """The temp folder of the worker."""
        return self.root / "tmp"

    @property
    def outside(self) -> Path:
        """A folder that is none of a generator's business."""
        return self.root / "outside"

    def limited(self, **limits: int) -> "Arena":
        """Give the worker other budgets."""
        self.limits = Limits(**{**vars(LIMITS), **limits})
        self.worker = Worker(self.generators, lambda *_: self.store, limits=self.limits)
        return self

    def plain(self, body: str, name: str = "T-1_plain_data-generator") -> str:
        """A plain script that does `body`, which has `out`, `seed`, `count` and the kit; gives its name."""
        folder = self.generators / name
        shutil.copytree(SHAPES / "plain", folder)
        shutil.copy(SHAPES / "kit.py", folder / "examples")
        self._finish(folder, folder / "examples", "kit", f"def run(out, seed, count):\n{_indent(body)}")
        return name

    def template(
        self,
        before: str = "pass",
        *,
        at: int | None = None,
        between: str = "return tasks",
        after: str = "pass",
        name: str = "",
    ) -> str:
        """A generator of the public template's shape; gives its name.

        Args:
            before: what it does before it makes the sample of `place`.
            at: the one place where it does that; all, if none is named.
            between: what its script does with the list of `tasks` before they are written.
            after: what its script does when they are written to `out`.
            name: its name.
        """
        folder = self.generators / (name or "T-2_template_data-generator")
        shutil.copytree(SHAPES / "template", folder)
        shutil.copy(SHAPES / "kit.py", folder / "src")
        if at is not None:
            before = f"if place == {at}:\n{_indent(before)}"
        parts = (("before(place, seed)", before), ("between(tasks)", between), ("after(out, tasks)", after))
        body = "\n\n".join(f"def {head}:\n{_indent(code)}" for head, code in parts)
        self._finish(folder, folder / "src", ".kit", body)
        return folder.name

    def _finish(self, folder: Path, place: Path, kit: str, body: str) -> None:
        (folder / "token").write_text(self.token)
        (place / "behaviour.py").write_text(
            f"from {kit} import *\n\nOUTSIDE = Path({str(self.outside)!r})\nTEMP = Path({str(self.temp)!r})\n\n\n{body}\n"
        )

    def begin(self) -> None:
        """From now on nothing may be left."""
        if not self.before:
            self.before = self._traces()

    def run(
        self,
        name: str,
        *,
        count: int = 4,
        seconds: float = 20,
        seed: int = SEED,
        checked: bool = True,
        **fields: object,
    ) -> End:
        """Deliver one batch of `count` samples, from index `START` on, and say how it ended.

        Unless it is not `checked`: every sample in the store is whole, and records tell the truth.
        """
        self.begin()
        message = TaskMessage(type=name, num_samples=count, start_index=START, seed=seed, **fields)
        started = time.monotonic()
        try:
            result = self.worker.process(Delivery(message, seed, 1, seconds))
        except BatchFailed as failed:
            seconds = time.monotonic() - started
            stored = self.stored(name) if checked else []
            end = End(failed.cause, failed.detail, stored, failed.exit_code, failed.stderr_tail, seconds)
            if checked:
                self._check_failure(message, failed, end)
            return end
        end = End(None, "", self.stored(name), seconds=time.monotonic() - started)
        wanted = fields.get("only_indices") or range(*message.indices)
        assert result.samples_uploaded == len(wanted)
        assert set(end.stored) >= set(wanted)
        assert records.find_receipt(self.store, _run(message))
        return end

    def stored(self, name: str) -> list[int]:
        """The indices of whole samples in the store; there is no torn one."""
        return stored(self.store, name)

    def _check_failure(self, message: TaskMessage, failed: BatchFailed, end: End) -> None:
        """A failure is on record as it was raised, says what is stored, and has no receipt."""
        record = records.read(self.store, _failure_key(message, failed.cause), FailureRecord)
        assert record
        assert (record.detail, record.exit_code) == (failed.detail, failed.exit_code)
        assert sorted(expand(record.stored)) == sorted(expand(failed.stored)) == end.stored
        assert len(record.detail) < 2000, "a detail is a line for a person"
        assert len(record.stderr_tail) < 100_000
        assert records.find_receipt(self.store, _run(message)) is None

    def content(self, name: str, place: int, file: str) -> bytes:
        """A stored file of the sample at `place`."""
        found = [
            key
            for key, _ in sizes(self.store, f"questions/{name}")
            if key.endswith(f"_{START + place:04d}/{file}")
        ]
        assert len(found) == 1, found
        return bytes(obstore.get(self.store, found[0]).bytes())

    def everything_stored(self) -> bytes:
        """All bytes of all objects."""
        return b"\n".join(bytes(obstore.get(self.store, key).bytes()) for key, _ in sizes(self.store, ""))

    def run_apart(
        self,
        *names: str,
        seconds: float = 10,
        env: dict[str, str] | None = None,
        unprivileged: bool = False,
        count: int = 4,
        search: str = "",
    ) -> list[End]:
        """Deliver a batch of each generator to one worker in a process of its own; how they ended.

        Args:
            names: the generators, one batch each, in this order.
            seconds: what each batch may take.
            env: what is in that process's environment besides what it needs.
            unprivileged: without any capability, as a user's process is.
            count: samples a batch.
            search: a text that no object in the store may hold; `End.leaked` names those that do.
        """
        self.begin()
        answers = self.root / "answers.jsonl"
        answers.touch()
        batches = {"seconds": seconds, "count": count, "search": search}
        with self.apart(*names, env=env, unprivileged=unprivileged, **batches) as process:
            try:
                _, stderr = process.communicate(timeout=len(names) * (seconds + 4) + 8)
            except subprocess.TimeoutExpired:
                pytest.fail("the worker hangs")
        lines = answers.read_text().splitlines()
        answers.unlink()
        if process.returncode or len(lines) != len(names):
            pytest.fail(
                f"the worker ended with {process.returncode} after {len(lines)} of {len(names)} batches: "
                f"{stderr.decode(errors='replace')[-2000:]}"
            )
        return [End(**json.loads(line)) for line in lines]

    @contextmanager
    def apart(
        self,
        *names: str,
        seconds: float = 10,
        count: int = 4,
        search: str = "",
        env: dict[str, str] | None = None,
        unprivileged: bool = False,
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """A worker in a process of its own that gets a batch of each generator; it is killed in the end."""
        asked = {
            "generators": str(self.generators),
            "limits": vars(self.limits),
            "batches": [
                {"type": name, "num_samples": count, "start_index": START, "seed": SEED} for name in names
            ],
            "seconds": seconds,
            "search": search,
            "bare": BARE,
            "answers": str(self.root / "answers.jsonl"),
        }
        with subprocess.Popen(
            [sys.executable, str(HERE / "apart.py"), json.dumps(asked)],
            cwd=HERE.parents[1],
            env={"PATH": os.environ["PATH"], "TMPDIR": str(self.temp), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=_drop_capabilities if unprivileged else None,  # noqa: PLW1509 - it allocates nothing
        ) as process:
            try:
                yield process
            finally:
                process.kill()
                process.wait()
                self.bury()

    def assert_unharmed(self) -> None:
        """Disk, processes and descriptors are as they were; the next batch of a good generator succeeds."""
        if not self.before:
            return
        assert not self.survivors(), "processes were left"
        for what, then, now in zip(
            ("files", "children", "descriptors"), self.before, self._traces(), strict=True
        ):
            assert not _more(then, now), f"{what} were left: {_more(then, now)}"
        good = self.plain("write_samples(out, seed, count)", name="T-0_good_data-generator")
        before = _files(self.root)
        assert self.run(good).short == (None, [0, 1, 2, 3])
        assert _files(self.root) == before

    def _traces(self) -> tuple[object, ...]:
        return _files(self.root), _children(), _descriptors()

    def survivors(self, patience: float = _PATIENCE) -> list[str]:
        """Processes of this test that live on, after some patience with those that are just ending."""
        end = time.monotonic() + patience
        while (found := self._survivors()) and time.monotonic() < end:
            time.sleep(0.05)
        return found

    def _survivors(self) -> list[str]:
        return [
            f"{process.pid}: {' '.join(process.cmdline())[:200]}"
            for process in self._new_processes()
            if self._is_ours(process)
        ]

    def end_survivors(self) -> None:
        """Kill what a failing test left: only processes that carry this arena's token, and our own orphans."""
        for process in self._new_processes():
            if self._is_ours(process):
                with suppress(psutil.Error):
                    process.kill()
        end = time.monotonic() + _PATIENCE
        while (orphans := _children() - self.known) and time.monotonic() < end:
            for pid in orphans:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self.reap()

    def bury(self) -> None:
        """Take note of what a worker apart left to end by itself when it ended."""
        end = time.monotonic() + _PATIENCE
        while _children() - self.known and time.monotonic() < end:
            self.reap()
            time.sleep(0.01)

    def reap(self) -> None:
        """Take note of children that have ended: a killed worker's orphans are ours."""
        for pid in _children() - self.known:
            with suppress(OSError):
                os.waitpid(pid, os.WNOHANG)

    def _new_processes(self) -> Iterator[psutil.Process]:
        for pid in set(psutil.pids()) - self.known:
            with suppress(psutil.Error):
                yield psutil.Process(pid)

    def _is_ours(self, process: psutil.Process) -> bool:
        """Whether name, command, folder, environment or an open file of a process carry the token."""
        word = self.token.encode()
        where = Path("/proc") / str(process.pid)
        with suppress(OSError):
            if (where / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return False
        with suppress(OSError):
            if word[:15] in (where / "comm").read_bytes():
                return True
        for file in ("cmdline", "environ"):
            with suppress(OSError):
                if word in (where / file).read_bytes():
                    return True
        with suppress(OSError):
            links = [where / "cwd", where / "exe", *(where / "fd").iterdir()]
            return any(self.token in _link(link) for link in links)
        return False


def stored(store: MemoryStore, name: str) -> list[int]:
    """Indices of the whole samples of generator `name`; asserts that no torn one is there."""
    found, span = take_inventory(store)[name], IndexRange(0, 3000)
    assert found.torn(span) == 0
    missing = set(expand(found.missing(span)))
    return [index for index in range(*span) if index not in missing]


def _run(message: TaskMessage) -> keys.ReceiptKey:
    return keys.ReceiptKey(message.type, message.indices, message.salt, message.seed)


def _failure_key(message: TaskMessage, cause: Cause) -> str:
    return keys.failure(keys.FailureKey(message.type, message.indices, message.salt, 1, cause))


def _indent(code: str) -> str:
    """`code` one level further in, however far in it was."""
    return textwrap.indent(textwrap.dedent(code).strip("\n"), "    ")


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""


def _files(root: Path) -> set[tuple[str, int]]:
    """Everything below `root`: names, and sizes of files."""
    found = set()
    for folder, folders, names in os.walk(root):
        for name in [*folders, *names]:
            status = (Path(folder) / name).lstat()
            size = status.st_size if name in names else 0
            found.add((str((Path(folder) / name).relative_to(root)), size))
    return found


def _children() -> set[int]:
    """Ids of this process's children, ended ones too: from the kernel's own list, which takes no time."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            found.update(map(int, (task / "children").read_text().split()))
    return found


def _descriptors() -> int:
    return psutil.Process().num_fds()


def _more(then: set[int] | int, now: set[int] | int) -> object:
    """What there is now that was not before; a descriptor that somebody else has closed meanwhile is none."""
    if isinstance(now, set) and isinstance(then, set):
        return sorted(now - then)[:20]
    return f"{then} before, {now} now" if now > then else None


def _drop_capabilities() -> None:
    """Whatever is executed next has no capability, though its user may be root."""
    library = ctypes.CDLL(None)
    for capability in range(_CAPABILITIES):
        library.prctl(_DROP_CAPABILITY, capability, 0, 0, 0)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--bare", default=False):
        globals()["BARE"] = True
        do_without()


@pytest.fixture(scope="module", autouse=True)
def _prepared() -> Iterator[None]:
    """Make this process a worker, as the handler makes its own; while it is one no fault of it can take all memory."""
    processes.prepare()
    # The first use of a store opens descriptors for good.
    obstore.put(MemoryStore(), "warm", b"up")
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_ADDRESSES, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.fixture
def arena(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Arena]:
    """An arena of this test's own, looked at closely when the test is over."""
    token = f"tt{uuid.uuid4().hex[:10]}"
    root = tmp_path / token
    root.mkdir()
    monkeypatch.setenv("TMPDIR", str(root / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", str(root / "tmp"))
    made = Arena(root, token)
    try:
        yield made
        made.assert_unharmed()
    finally:
        made.end_survivors()
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(params=["plain", "template"])
def shaped(request: pytest.FixtureRequest, arena: Arena) -> Callable[[str, int], str]:
    """Adds a generator of either shape that does something before the sample at a place; it writes last."""

    def add(body: str, at: int) -> str:
        if request.param == "template":
            return arena.template(body, at=at)
        before = f"def before(place):\n    if place == {at}:\n{textwrap.indent(_indent(body), '    ')}"
        return arena.plain(f"{before}\nmake(out, seed, count, before)")

    return add


@pytest.fixture
def landlock() -> int:
    """The version of Landlock that this kernel has; a test that needs one is skipped without."""
    if not (version := landlock_abi()):
        pytest.skip("this kernel has no Landlock: nothing but permissions keeps a generator in its folders")
    return version


@pytest.fixture(name="namespaces")
def _namespaces() -> None:
    """Skips a test that needs a world of the generator's own where the kernel gives none."""
    if not namespaces.are_allowed():
        pytest.skip(
            "this kernel gives no namespaces: a process that hides well may outlive a worker that was killed"
        )


@pytest.fixture
def out_of_reach() -> None:
    """Skips a test of signals to the worker where the kernel lets a process send them to all of its user's."""
    if not namespaces.are_allowed() and landlock_abi() < _LANDLOCK_SCOPES_SIGNALS:
        pytest.skip("this kernel lets a generator kill its worker; the message comes back")


@pytest.fixture
def peak() -> Callable[[], int]:
    """Gives by how many bytes this process's memory has peaked above where it was when the test began."""
    Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
    start = psutil.Process().memory_info().rss

    def above() -> int:
        status = Path("/proc/self/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 - start

    return above
