"""Finds the samples a generator wrote, in whichever of the known shapes, and says which are whole.

Known shapes: ``{task}_task/{task}_{i:08d}/`` below the output folder or deeper, any width of the number,
counted from 0 (from 1 in a few). The number is the sample's place in the batch and never shifts to close a
hole. Links are not followed, and only regular files count.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lambda_worker.failure import BatchFailed
from lambda_worker.samples.check import can_be_in_a_key, counts, defects
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.contract import required_files
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.core.keys import parse_sample_name
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.ranges import compress, describe

_TASK = "_task"


@dataclass(frozen=True)
class Sample:
    """One whole sample on disk, and the index it is planned for."""

    task: str
    index: int
    folder: Path

    def files(self) -> list[Path]:
        """Its regular files, by name, without marks such as ``.done``.

        A name that cannot be part of a key tears the sample; one that appeared since it was judged is left out here.
        """
        return sorted(path for path in self.folder.iterdir() if can_be_in_a_key(path.name) and counts(path))

    def fingerprint(self) -> tuple[tuple[str, int, int, int], ...]:
        """What changes when any of its files is written again; a program can't set the time of a change."""
        stats = ((path.name, path.lstat()) for path in self.files())
        return tuple((name, stat.st_ino, stat.st_size, stat.st_ctime_ns) for name, stat in stats)


@dataclass(frozen=True)
class CollectedSamples:
    """The samples that a generator run wrote: whole ones by index, and what is wrong with the others."""

    whole: list[Sample]
    torn: dict[int, list[str]] = field(default_factory=dict)
    wrong: str = ""

    def check(self, wanted: Iterable[int]) -> None:
        """Raise where any of the `wanted` indices is not whole, naming how many and the first."""
        lacking = sorted(set(wanted) - {sample.index for sample in self.whole})
        if not lacking:
            return
        if self.wrong:
            raise BatchFailed(Cause.WRONG_COUNT, self.wrong)
        torn = [index for index in lacking if index in self.torn]
        if torn:
            what = "; ".join(self.torn[torn[0]][:3])
            raise BatchFailed(Cause.TORN_SAMPLES, f"{len(torn)} samples are torn; index {torn[0]}: {what}")
        raise BatchFailed(
            Cause.WRONG_COUNT,
            f"{len(lacking)} of the samples requested were not written; the first is index {lacking[0]} "
            f"({describe(compress(lacking), 4)})",
        )


def collect(output: Path, message: TaskMessage) -> CollectedSamples:
    """The samples below `output` that belong to the batch, under their planned indices.

    Where two folders claim one place, neither counts.
    """
    if output.is_symlink():
        return CollectedSamples([], wrong="the output folder was replaced by a link")
    found: dict[int, list[tuple[str, Path]]] = {}
    wrong = ""
    for task, place, folder in _sample_folders(output):
        if not can_be_in_a_key(task):
            wrong = f"the folder {f'{task}{_TASK}'!r} names no task that can be part of a key"
            continue
        found.setdefault(place, []).append((task, folder))
    shift = _first_place(found, message.num_samples)
    required = required_files(message.require)
    whole: list[Sample] = []
    torn: dict[int, list[str]] = {}
    for place, folders in sorted(found.items()):
        index = message.start_index + place - shift
        if len(folders) > 1:
            names = " and ".join(for_terminal(folder.name) for _, folder in folders[:2])
            wrong = f"sample {place} was written twice: {names}"
        elif 0 <= place - shift < message.num_samples:
            _judge(Sample(folders[0][0], index, folders[0][1]), required, whole, torn)
    return CollectedSamples(whole, torn, wrong)


def _judge(
    sample: Sample, required: tuple[str, ...], whole: list[Sample], torn: dict[int, list[str]]
) -> None:
    try:
        wrong = defects(sample.folder, required)
    except OSError as error:
        wrong = [f"unreadable: {error.strerror}"]
    if wrong:
        torn[sample.index] = wrong
    else:
        whole.append(sample)


class SampleWatcher:
    """Finds new samples while a generator runs with streaming: each appears whole, by a rename."""

    def __init__(self, output: Path, message: TaskMessage) -> None:
        self._output, self._message = output, message
        self._required = required_files(message.require)
        self._seen: set[str] = set()

    def new(self) -> list[Sample]:
        """Whole samples that appeared since the last call."""
        whole: list[Sample] = []
        with suppress(OSError):
            if self._output.is_symlink():
                return []
            for entry in os.scandir(self._output):
                if (
                    entry.name.endswith(_TASK)
                    and can_be_in_a_key(entry.name.removesuffix(_TASK))
                    and entry.is_dir(follow_symlinks=False)
                ):
                    self._look_into(Path(entry.path), whole)
        return whole

    def _look_into(self, folder: Path, whole: list[Sample]) -> None:
        for name in sorted(set(os.listdir(folder)) - self._seen):  # noqa: PTH208 - names are enough
            self._seen.add(name)
            parsed = parse_sample_name(name)
            # Counting from 1 shows at the end only: then nothing comes out early.
            if parsed and parsed[1] < self._message.num_samples and self._zero_seen(name):
                index = self._message.start_index + parsed[1]
                sample = Sample(folder.name.removesuffix(_TASK), index, folder / name)
                _judge(sample, self._required, whole, {})

    def _zero_seen(self, name: str) -> bool:
        return any((parsed := parse_sample_name(seen)) and parsed[1] == 0 for seen in (name, *self._seen))


def _sample_folders(output: Path) -> Iterator[tuple[str, int, Path]]:
    for root, folders, _ in os.walk(output):
        parent = Path(root)
        if not parent.name.endswith(_TASK) or parent.is_symlink():
            continue
        for name in sorted(folders):
            folder, parsed = parent / name, parse_sample_name(name)
            if parsed and not folder.is_symlink() and _holds_something(folder):
                yield parent.name.removesuffix(_TASK), parsed[1], folder


def _holds_something(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        # It is there and can't be read: a torn sample, not none.
        return True


def _first_place(found: Iterable[int], num_samples: int) -> int:
    """1 for a generator that counts 1 … n, else 0."""
    places = set(found)
    return 1 if 0 not in places and num_samples in places else 0
