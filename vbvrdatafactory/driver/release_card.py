"""Writes what describes a release: its card with pictures, and ``croissant.json``."""

from collections.abc import Iterable

import obstore
import polars as pl
from obstore.store import ObjectStore

from vbvrdatafactory.core.contract import FINAL_FRAME, FIRST_FRAME
from vbvrdatafactory.driver.release_files import content_of, put
from vbvrdatafactory.driver.release_reading import read_release, read_rows, read_sample
from vbvrdatafactory.release.card import readme
from vbvrdatafactory.release.card_generators import Example, Videos
from vbvrdatafactory.release.croissant import croissant
from vbvrdatafactory.release.layout import CARD, CROISSANT, PICTURES, TABLE, picture
from vbvrdatafactory.release.manifest import Release
from vbvrdatafactory.s3.listing import sizes

_VIDEO_COLUMNS = ("generator", "fps", "frames", "width", "height")


def describe(store: ObjectStore, release: Release | None = None) -> None:
    """Write the card, its pictures and ``croissant.json`` of the release in `store`, in place of those there.

    Args:
        store: where its shards and metadata lie.
        release: its manifest; default the one that is there.

    Raises:
        UnreadableRecordError: it is no release, or its metadata can't be read.
    """
    release = release or read_release(store)
    examples = _write_pictures(store, release)
    put(store, CARD, readme(release, examples, _videos(store)).encode())
    put(store, CROISSANT, croissant(release, content_of(store, TABLE)).encode())


def _write_pictures(store: ObjectStore, release: Release) -> dict[str, Example]:
    wanted = {share.example: share.generator for share in release.generators}
    found: dict[str, Example] = {}
    written: set[str] = set()
    for rows in read_rows(store, ("key", "prompt", "shard", "offset")):
        shown = rows.filter(pl.col("key").is_in(list(wanted)))
        for key, prompt, shard, offset in shown.iter_rows():
            files = read_sample(store, shard, offset, key)
            pictures = tuple(name for name in (FIRST_FRAME, FINAL_FRAME) if name in files)
            for name in pictures:
                put(store, picture(key, name), files[name])
            found[wanted[key]] = Example(prompt or "", pictures)
            written.update(picture(key, name) for name in pictures)
    # Those of a sample that was withdrawn must not stay.
    if stale := [path for path, _ in sizes(store, PICTURES) if path not in written]:
        obstore.delete(store, stale)
    return found


def _videos(store: ObjectStore) -> dict[str, Videos]:
    """The videos of each generator that has some."""
    parts = [_tallied(rows) for rows in read_rows(store, _VIDEO_COLUMNS)]
    if not parts:
        return {}
    each = pl.concat(parts).unique().sort("generator", "width", "height")
    return {
        str(generator): Videos(_ends(rows["fps"]), _ends(rows["frames"]), _sizes(rows))
        for (generator,), rows in each.group_by("generator", maintain_order=True)
    }


def _tallied(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("fps").is_not_null()).select(_VIDEO_COLUMNS).unique()


def _ends(values: pl.Series) -> tuple[float, float]:
    return values.min() or 0, values.max() or 0  # type: ignore[return-value]


def _sizes(rows: pl.DataFrame) -> tuple[tuple[int, int], ...]:
    found: Iterable[tuple[int, int]] = rows.select("width", "height").unique(maintain_order=True).iter_rows()
    return tuple(found)
