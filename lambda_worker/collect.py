"""Finds the samples a generator wrote, in whichever of the known shapes, and says which are whole.

Known shapes: ``{task}_task/{task}_{i:08d}/`` below the output folder or deeper, any width of the number,
counted from 0 (from 1 in a few). The number is the sample's place in the batch and never shifts to close a
hole. Links are not followed, and only regular files count.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lambda_worker.failure import BatchFailed
from vbvrdatafactory.core.keys import parse_sample_name
from vbvrdatafactory.core.models import Cause, TaskMessage
from vbvrdatafactory.core.samples import defects, required_files

_TASK = "_task"


@dataclass(frozen=True)
class Sample:
    """One whole sample on disk, and the index it is planned for."""

    task: str
    index: int
    folder: Path

    def files(self) -> list[Path]:
        """Its regular files, by name."""
        return sorted(path for path in self.folder.iterdir() if path.is_file() and not path.is_symlink())


@dataclass(frozen=True)
class Collection:
    """What a run left: whole samples by index, and what is wrong with the others."""

    whole: list[Sample]
    torn: dict[int, list[str]]

    def check(self, wanted: Iterable[int]) -> None:
        """Raise where any of the `wanted` indices is not whole, naming how many and the first."""
        lacking = sorted(set(wanted) - {sample.index for sample in self.whole})
        if not lacking:
            return
        torn = [index for index in lacking if index in self.torn]
        if torn:
            what = "; ".join(self.torn[torn[0]][:3])
            raise BatchFailed(Cause.TORN_SAMPLES, f"{len(torn)} samples are torn; index {torn[0]}: {what}")
        raise BatchFailed(
            Cause.WRONG_COUNT,
            f"{len(lacking)} of the samples asked for did not come out; the first is index {lacking[0]}",
        )


def collect(output: Path, message: TaskMessage) -> Collection:
    """The samples below `output` that belong to the batch, under their planned indices.

    Raises:
        BatchFailed: two task folders claim the same places.
    """
    found: dict[int, tuple[str, Path]] = {}
    for task, place, folder in _sample_folders(output):
        if place in found:
            raise BatchFailed(
                Cause.WRONG_COUNT,
                f"sample {place} was written twice: {found[place][1].name} and {folder.name}",
            )
        found[place] = (task, folder)
    shift = _first_place(found, message.num_samples)
    return _judge(
        {
            message.start_index + place - shift: where
            for place, where in found.items()
            if 0 <= place - shift < message.num_samples
        },
        required_files(message.require),
    )


def _judge(found: dict[int, tuple[str, Path]], required: tuple[str, ...]) -> Collection:
    whole: list[Sample] = []
    torn: dict[int, list[str]] = {}
    for index, (task, folder) in sorted(found.items()):
        if wrong := defects(folder, required):
            torn[index] = wrong
        else:
            whole.append(Sample(task, index, folder))
    return Collection(whole, torn)


def _sample_folders(output: Path) -> Iterator[tuple[str, int, Path]]:
    for root, folders, _ in os.walk(output):
        parent = Path(root)
        if not parent.name.endswith(_TASK) or parent.is_symlink():
            continue
        for name in sorted(folders):
            folder, parsed = parent / name, parse_sample_name(name)
            if parsed and not folder.is_symlink() and any(folder.iterdir()):
                yield parent.name.removesuffix(_TASK), parsed[1], folder


def _first_place(found: Iterable[int], num_samples: int) -> int:
    """1 for a generator that counts 1 … n, else 0."""
    places = set(found)
    return 1 if 0 not in places and num_samples in places else 0
