"""Reads many samples at once and digests their content, each object once."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from functools import partial
from itertools import chain, islice
from typing import NamedTuple

from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from vbvrdatafactory.core.content import content_digest, metadata_digest
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.ledger.places import Place
from vbvrdatafactory.s3.contents import Files, read_archive, read_files

# Objects that are asked for before earlier ones have been taken.
_AHEAD = 256


class ReadSample(NamedTuple):
    """A sample as it was read.

    Args:
        place: where it lies.
        task: the task that its name begins with.
        digest: of its content; empty where it could not be read.
        metadata_digest: of its other files; empty where it has none.
        problem: why it could not be read; empty where it was.
    """

    place: Place
    task: str = ""
    digest: str = ""
    metadata_digest: str = ""
    problem: str = ""


def read_samples(store: ObjectStore, places: Iterable[Place], readers: Executor) -> Iterator[ReadSample]:
    """Read these samples.

    Args:
        store: the dataset's bucket.
        places: where they lie.
        readers: reads objects.
    """
    archived: defaultdict[str, list[Place]] = defaultdict(list)
    units: list[list[Place]] = []
    for place in places:
        if place.archive:
            archived[place.archive].append(place)
        else:
            units.append([place])
    left = chain(units, archived.values())
    while some := list(islice(left, _AHEAD)):
        yield from chain.from_iterable(readers.map(partial(_read, store), some))


def _read(store: ObjectStore, together: list[Place]) -> list[ReadSample]:
    """Samples that lie in one archive, or one sample that is stored as files."""
    try:
        if archive := together[0].archive:
            inside = {
                folder.sample_index: (folder.task, files)
                for folder, files in read_archive(store, archive).items()
            }
        else:
            (place,) = together
            inside = {place.sample_index: (place.task, read_files(store, (one.key for one in place.objects)))}
    except (DataFactoryError, BaseError, OSError) as error:
        return [ReadSample(place, problem=str(error)) for place in together]
    return [_sample(place, inside) for place in together]


def _sample(place: Place, inside: dict[int, tuple[str, Files]]) -> ReadSample:
    if place.sample_index not in inside:
        return ReadSample(place, problem=f"{place.archive!r} does not hold it")
    task, files = inside[place.sample_index]
    return ReadSample(place, task, content_digest(files), metadata_digest(files))
