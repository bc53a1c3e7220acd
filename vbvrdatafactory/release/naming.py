"""Keys of samples in a release: what a sample's members are called before the first dot."""

import re
from hashlib import sha256

_OTHER = re.compile(r"[^A-Za-z0-9_-]")
# With index and file name after it, a member's name fits into a header of USTAR: 100 bytes.
_LONGEST = 60
_INDEX_DIGITS = 6


def key_prefix(generator: str) -> str:
    """What the keys of a generator's samples begin with.

    There is never a dot in it: readers of WebDataset shards take what stands after the first dot of a name for the kind
    of the member. A name that has other characters, or is long, is told from what it would fall together with by
    a digest.

    >>> key_prefix("O-41_nonogram_data-generator"), key_prefix("G-9_move.v2")
    ('O-41_nonogram_data-generator-', 'G-9_move_v2-b318a7-')
    """
    plain = _OTHER.sub("_", generator)[:_LONGEST]
    return f"{plain}-" if plain == generator else f"{plain}-{sha256(generator.encode()).hexdigest()[:6]}-"


def sample_key(generator: str, index: int) -> str:
    """The key of a sample.

    >>> sample_key("V-1_maze", 7)
    'V-1_maze-000007'
    """
    return f"{key_prefix(generator)}{index:0{_INDEX_DIGITS}d}"
