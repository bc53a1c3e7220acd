"""One sample of each of some generators, for a person to look at."""

import logging
from collections.abc import Iterable, Iterator
from itertools import islice

from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.contract import FINAL_FRAME, FIRST_FRAME, PROMPT
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.report.html import Picture
from vbvrdatafactory.s3 import reading
from vbvrdatafactory.s3.listing import sizes

log = logging.getLogger(__name__)

# More would make the page heavy: a frame has up to 200 kB.
MAX_PICTURES = 12
_MAX_PROMPT = 2000


def pick(store: ObjectStore, generators: Iterable[str]) -> Iterator[Picture]:
    """The first sample of each generator that has one as files, for `MAX_PICTURES` generators at most."""
    found = (_first(store, generator) for generator in generators)
    return islice((picture for picture in found if picture), MAX_PICTURES)


def _first(store: ObjectStore, generator: str) -> Picture | None:
    for key, _ in sizes(store, keys.questions_of(generator)):
        folder, _, name = key.rpartition("/")
        if name == FIRST_FRAME and keys.parse_sample_folder(folder):
            first, final, prompt = (
                _read(store, f"{folder}/{name}") for name in (FIRST_FRAME, FINAL_FRAME, PROMPT)
            )
            text = (prompt or b"").decode(errors="replace").strip()[:_MAX_PROMPT]
            return Picture(generator, first, final, text) if first else None
    return None


def _read(store: ObjectStore, key: str) -> bytes | None:
    """None where there is none to show, or only a damaged one."""
    try:
        return reading.read(store, key).data
    except FileNotFoundError:
        return None
    except reading.DamagedObjectError as error:
        log.warning("%s", for_terminal(str(error)))
        return None
