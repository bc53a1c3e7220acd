"""The folders and the environment of one run of a generator: its own, and nothing of ours in them.

Generators stage videos at fixed names in the temp directory, leave hundreds of kilobytes a sample there,
write caches to HOME, and some seed from ``hash(str)``. Two of them in one temp directory silently swap their
videos. So each run gets folders of its own, and an environment made from an allow-list: no credential, no
endpoint and no Lambda variable is in it. The hash seed is the batch's own.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from lambda_worker.generator import processes
from lambda_worker.generator.litter import temp_folders
from lambda_worker.generator.removal import remove
from lambda_worker.generator.streaming import MARK, STAGING

_PREFIX = "datafactory-"
_LOCK = ".lock"
_FOLDERS = ("output", "home", "tmp", STAGING)

# What a program needs to start at all; everything else is made here.
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "FONTCONFIG_PATH", "FONTCONFIG_FILE")
_FIXED = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONUTF8": "1",
    "MPLBACKEND": "Agg",
    "QT_QPA_PLATFORM": "offscreen",
    "SDL_VIDEODRIVER": "dummy",
    # A batch has one core. Same bytes, a fifth less CPU on public generators: page faults and idle threads.
    "OPENCV_FOR_THREADS_NUM": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PILLOW_BLOCKS_MAX": "256",
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "67108864",
}


@dataclass(frozen=True)
class Sandbox:
    """The folders of one run; all of them below `root`, which goes away with the run."""

    root: Path

    @property
    def output(self) -> Path:
        return self.root / "output"

    @property
    def streams(self) -> bool:
        """Whether the generator writes each sample as soon as it is made."""
        return (self.root / STAGING / MARK).exists()

    @property
    def writable(self) -> list[Path]:
        """The folders that the generator may write in."""
        return [self.root / name for name in _FOLDERS]

    def environment(self, generator: Path, python_hash_seed: int) -> dict[str, str]:
        """The whole environment of the generator's process."""
        home, temp = self.root / "home", self.root / "tmp"
        return {
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            **_FIXED,
            "PYTHONHASHSEED": str(python_hash_seed),
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "MPLCONFIGDIR": str(home / ".matplotlib"),
            **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temp)),
            "PYTHONPATH": str(generator),
        }

    def disk_bytes(self, *, but: Path | None = None) -> int:
        """What the run's files take on disk, as far as they can be seen, those below `but` left out."""
        total = 0
        for folder, folders, names in os.walk(self.root):
            if but and Path(folder) == but:
                folders.clear()
                continue
            for name in names:
                with suppress(OSError):
                    total += os.lstat(f"{folder}/{name}").st_blocks * 512
        return total


@contextmanager
def sandbox() -> Iterator[Sandbox]:
    """Create the folders of one run; when the block ends, they and every process of the run are removed."""
    before, locked = processes.children(), False
    while not locked:
        root = Path(tempfile.gettempdir()) / f"{_PREFIX}{uuid4().hex}"
        with _locked(root) as locked:
            if not locked:
                # A sweep saw the lock before it was held.
                continue
            with temp_folders.swept():
                try:
                    root.mkdir(mode=0o700)
                    for name in _FOLDERS:
                        (root / name).mkdir()
                    yield Sandbox(root)
                finally:
                    processes.end_all(root, before)
                    remove(root)


def sweep() -> int:
    """Remove what workers that died left in the temp folder, processes too; returns how many runs it was."""
    temp, swept = Path(tempfile.gettempdir()), 0
    # A folder is never without its lock, unless a generator took it away.
    roots = {path.with_suffix("") for path in temp.glob(f"{_PREFIX}{'[0-9a-f]' * 32}*")}
    for root in roots:
        # Another user's are that user's to sweep.
        with suppress(PermissionError), _locked(root) as locked:
            if locked:
                processes.end_all(root, processes.children())
                remove(root)
                swept += 1
    return swept


@contextmanager
def _locked(root: Path) -> Iterator[bool]:
    """Hold the lock file of a run, and delete it in the end; yields False where another process holds it.

    It can be locked by others only after the run's worker died. It lies beside the run's folder, so that it exists
    before the folder does and as long as any part of it.
    """
    path = root.with_suffix(_LOCK)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its holder deletes it: then this is the lock of nothing.
            is_held = path.stat().st_ino == os.fstat(file.fileno()).st_ino
        except (BlockingIOError, FileNotFoundError):
            is_held = False
        try:
            yield is_held
        finally:
            if is_held:
                path.unlink(missing_ok=True)
