"""Where samples lie: each one's objects, by a listing."""

from collections.abc import Collection, Iterator
from itertools import groupby
from typing import NamedTuple

import polars as pl

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.records import AdoptedObject


class Place(NamedTuple):
    """Where one sample lies.

    Args:
        sample_index: which it is.
        objects: its files, or the archive that it is in.
        task: the task that its folder's name begins with; empty in an archive, whose name does not have it.
    """

    sample_index: int
    objects: tuple[AdoptedObject, ...]
    task: str = ""

    @property
    def archive(self) -> str:
        """The key of its archive; empty where it is stored as files."""
        return "" if self.task else self.objects[0].key


def find_places(listed: pl.DataFrame, wanted: Collection[int], required: Collection[str]) -> dict[int, Place]:
    """The place of each wanted sample that is whole, by its index; of one with several, a folder before an archive.

    Args:
        listed: a generator's objects: key, size and ETag.
        wanted: indices.
        required: files that a whole sample has.
    """
    found: dict[int, Place] = {}
    for place in _archived(listed, wanted):
        found.setdefault(place.sample_index, place)
    folders: dict[int, Place] = {}
    for place in _in_folders(listed, wanted):
        names = {one.key.rpartition("/")[2] for one in place.objects if one.size}
        if names.issuperset(required):
            folders.setdefault(place.sample_index, place)
    return found | folders


def _archived(listed: pl.DataFrame, wanted: Collection[int]) -> Iterator[Place]:
    archives = listed.filter(pl.col("key").str.ends_with(".tar.gz") & (pl.col("size") > 0))
    for key, size, e_tag in archives.iter_rows():
        if archive := keys.parse_archive(key):
            held = (AdoptedObject(key, size, e_tag),)
            yield from (Place(index, held) for index in range(*archive.indices) if index in wanted)


def _in_folders(listed: pl.DataFrame, wanted: Collection[int]) -> Iterator[Place]:
    rows = listed.sort("key").iter_rows()
    for folder, files in groupby(rows, key=lambda row: row[0].rpartition("/")[0]):
        sample = keys.parse_sample_folder(folder)
        if sample and sample.sample_index in wanted:
            held = tuple(AdoptedObject(*file) for file in files)
            yield Place(sample.sample_index, held, sample.task)
