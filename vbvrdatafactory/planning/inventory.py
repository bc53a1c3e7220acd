"""The inventory of a bucket: which indices of which generators are whole, torn or archived.

It is built from (key, size) pairs as they are listed, and keeps one byte for each index. The files of a sample are
evaluated when the listing leaves its folder; a folder that appears again later (a listing out of order) is merged with
its torn sample. A sample counts once, even where it exists as files, in an archive, or under two widths of its
index. An empty object counts as none: a console's folder marker, a ``.gitkeep``.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.contract import KNOWN_FILES, required_files
from vbvrdatafactory.core.ranges import IndexRange

_FILES, _ARCHIVED, _TORN = 1, 2, 4
_PRESENT = bytes(1 if flag & (_FILES | _ARCHIVED) else 0 for flag in range(256))
_ONLY_TORN = bytes(1 if flag == _TORN else 0 for flag in range(256))
_ABSENT_RUN = re.compile(rb"\x00+")

# No plan has an index beyond this; one in a key must not allocate a byte array of its size.
_DENSE = 1 << 24

_BITS = {name: 1 << bit for bit, name in enumerate(KNOWN_FILES)}
_OTHER, _EMPTY = 1 << 30, 1 << 31


class GeneratorInventory:
    """The existing samples of one generator, by index."""

    def __init__(self) -> None:
        self._flags = bytearray()
        self._beyond: set[int] = set()

    def _mark(self, start: int, stop: int, flag: int) -> None:
        if stop > _DENSE:
            self._beyond.update(range(max(start, _DENSE), stop))
            stop = _DENSE
        if start < stop and stop > len(self._flags):
            self._flags.extend(bytes(stop - len(self._flags)))
        for index in range(start, stop):
            self._flags[index] |= flag

    def whole(self, within: IndexRange) -> int:
        """How many indices in `within` are whole, as files or in an archive."""
        return self.present(within).count(1)

    @property
    def end(self) -> int:
        """The index after the last one that a plan could have; 0 where there is none."""
        return len(self._flags)

    def torn(self, within: IndexRange) -> int:
        """How many indices in `within` have files but are not whole."""
        return self._flags[within.start : within.stop].translate(_ONLY_TORN).count(1)

    def strays(self, planned: int) -> int:
        """How many samples exist, whole or torn, at indices from `planned` on."""
        tail = self._flags[planned:]
        return len(tail) - tail.count(0) + len(self._beyond)

    def missing(self, within: IndexRange) -> list[IndexRange]:
        """Ranges of the indices in `within` that are absent or torn."""
        runs = _ABSENT_RUN.finditer(self.present(within))
        return [IndexRange(within.start + run.start(), within.start + run.end()) for run in runs]

    def present(self, within: IndexRange) -> bytes:
        """A byte for each index in `within`: 1 where its sample is whole, as files or in an archive."""
        shown = bytes(self._flags[within.start : within.stop])
        return shown.translate(_PRESENT).ljust(within.size, b"\0")


class Inventory:
    """The samples under ``questions/``, of every generator that was listed.

    Args:
        require: files that a sample needs besides ``first_frame.png`` and ``prompt.txt``.
    """

    def __init__(self, require: Iterable[str] = ()) -> None:
        self._required = sum(_BITS[name] for name in required_files(require))
        self._generators: dict[str, GeneratorInventory] = {}
        self._torn: dict[str, int] = {}
        self._unrecognised: list[None] = []
        self._example = ""
        self._key_counts: list[int] = []

    def __getitem__(self, generator: str) -> GeneratorInventory:
        """The generator's indices; empty where the listing showed none."""
        return self._generators.get(generator) or GeneratorInventory()

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._generators))

    @property
    def key_count(self) -> int:
        """How many keys were added so far."""
        return sum(self._key_counts)

    @property
    def unrecognised(self) -> int:
        """Folders and files under ``questions/`` that are no sample and no archive."""
        return len(self._unrecognised)

    @property
    def unrecognised_example(self) -> str:
        """One of them; empty where there is none."""
        return self._example

    def superseded(self, generators: Iterable[str]) -> list[str]:
        """Folders (without trailing slash) of torn samples of these generators that are whole elsewhere.

        That is in an archive, or under another width of the index or another task's name. The files in such a folder
        are useless, and are copied by whatever copies ``questions/``.
        """
        wanted = set(generators)
        torn = ((folder, sample) for folder in self._torn if (sample := keys.parse_sample_folder(folder)))
        return sorted(
            folder
            for folder, (generator, _, index) in torn
            if generator in wanted and self[generator].whole(IndexRange(index, index + 1))
        )

    def leave_out(self, name: str) -> None:
        """Count a folder or file that is no sample and no archive."""
        self._unrecognised.append(None)
        self._example = self._example or name

    def add(self, listing: Iterable[tuple[str, int]]) -> None:
        """Add (key, size in bytes) pairs, preferably in the order of their keys, as S3 lists them.

        Several threads may add different folders at once: shared state changes in single operations of a dict or a
        list.
        """
        folder, mask, bit_of = "", 0, _BITS.get
        count = 0
        for key, size in chain(listing, (("/", 0),)):
            prefix, _, name = key.rpartition("/")
            if prefix != folder:
                self._leave(folder, mask)
                folder, mask = prefix, 0
            if prefix == "questions":
                self._add_archive(key, size)
            mask |= bit_of(name, _OTHER) if size else _nothing(name)
            count += 1
        self._key_counts.append(count - 1)

    def _leave(self, folder: str, mask: int) -> None:
        if folder in ("", "questions"):
            return
        mask |= self._torn.pop(folder, 0)
        if not mask:
            return
        sample = keys.parse_sample_folder(folder)
        if sample is None:
            self.leave_out(folder)
            return
        whole = mask & self._required == self._required
        if not whole:
            self._torn[folder] = mask
        index = sample.sample_index
        self._of(sample.generator)._mark(index, index + 1, _FILES if whole else _TORN)  # noqa: SLF001

    def _add_archive(self, key: str, size: int) -> None:
        found = keys.parse_archive(key)
        if found is None or not size:
            # Consoles create an empty object as a folder marker.
            if size or found:
                self.leave_out(key)
            return
        self._of(found.generator)._mark(found.indices.start, found.indices.stop, _ARCHIVED)  # noqa: SLF001

    def _of(self, generator: str) -> GeneratorInventory:
        return self._generators.setdefault(generator, GeneratorInventory())


def _nothing(name: str) -> int:
    """The mark of an empty object: a known file that is empty; nothing for any other name."""
    return _EMPTY if name in _BITS else 0
