"""What each sample of a generator is: its row of the ledger beside what the bucket holds."""

from collections.abc import Callable, Iterator
from functools import cache

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.contract import KNOWN_FILES
from vbvrdatafactory.core.keys import ReceiptKey
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.ledger.fold import Matched
from vbvrdatafactory.planning.contents import Contents, State

# Whether a run is what the dataset asks for, by its key, its code and its environment.
Judge = Callable[[ReceiptKey, str | None, str | None], State]

_RUN = ("start", "count", "salt", "seed", "code", "environment")


def find_states(generator: str, matched: Matched, whole: bytes, judge: Judge) -> Contents:
    """The state of each sample.

    Args:
        generator: its name.
        matched: its rows beside the listing.
        whole: a byte for each planned index, 1 where the sample is whole by its names.
        judge: `RIGHT`, or why what a run made is not what the dataset asks for.
    """
    states = bytearray(State.FOREIGN if present else State.NOT_WHOLE for present in whole)
    verdict = cache(lambda *run: _judged(generator, run, judge))
    crowded = _crowded(matched)
    columns = [matched.rows[name].to_list() for name in ("index", "matched", "adopted", *_RUN)]
    has_objects = matched.rows["objects"].is_not_null().to_list()
    for (index, is_matched, is_adopted, *run), is_known in zip(
        zip(*columns, strict=True), has_objects, strict=True
    ):
        if index >= len(whole) or not whole[index] or index in crowded:
            continue
        if is_matched:
            states[index] = State.ADOPTED if is_adopted else verdict(*run)
        elif not is_known:
            state = verdict(*run)
            states[index] = state if state is State.STALE_SEED else State.UNPROVEN
    return Contents(bytes(states))


def _judged(generator: str, run: tuple[int, int, int, int | None, str, str], judge: Judge) -> State:
    start, count, salt, seed, code, environment = run
    return judge(ReceiptKey(generator, IndexRange(start, start + count), salt, seed), code, environment)


def places_left(matched: Matched) -> list[str]:
    """Keys of the objects that are in none of the rows, and whose samples are all there as their rows say.

    An archive that was replaced by files, or a sample under another width of its index: once the new one is there.
    """
    there = set(matched.rows.filter("matched")["index"].to_list())
    return [key for key, indices in _others(matched) if indices and there.issuperset(indices)]


def _crowded(matched: Matched) -> set[int]:
    """Samples whose folder has a file that their receipt does not know."""
    if not len(matched.others):
        return set()
    folders = {key.rpartition("/")[0] for key, indices in _others(matched) if indices}
    rows = matched.rows.filter("matched").select("index", "objects")
    return {
        index
        for index, objects in rows.iter_rows()
        if objects and objects[0]["key"].rpartition("/")[0] in folders
    } - _in_archives(matched)


def _in_archives(matched: Matched) -> set[int]:
    """Samples that lie in an archive: what else lies beside archives is no part of them."""
    rows = matched.rows.filter("matched").select("index", "objects")
    return {index for index, objects in rows.iter_rows() if objects and keys.parse_archive(objects[0]["key"])}


def _others(matched: Matched) -> Iterator[tuple[str, range]]:
    """(key, indices of the samples that it is a part of) of each object that no row has."""
    parse = cache(keys.parse_sample_folder)
    for key, size in matched.others.select("key", "size").iter_rows():
        folder, _, name = key.rpartition("/")
        if archive := keys.parse_archive(key):
            yield key, range(*archive.indices)
        elif (size or name in KNOWN_FILES) and (sample := parse(folder)):
            yield key, range(sample.sample_index, sample.sample_index + 1)
