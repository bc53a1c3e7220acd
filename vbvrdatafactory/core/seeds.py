"""The seed of a batch: a hash of (base seed, generator, start index, salt).

Never base + ordinal: that makes seed 42's batch 1 equal seed 43's batch 0, and gives every generator the
same seeds. Within one generator and salt the hash is a bijection of the start index, so two batches of one
generator can't share a seed: a plain 31-bit hash would collide once in a hundred 300-generator datasets,
and the samples would be silent copies.
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Literal

# How the seeds of a dataset's batches follow from its own: as here, or as the predecessor did.
Seeds = Literal["hashed", "legacy"]

# Generators hand the seed to NumPy, which takes 32 bits, and some add the sample's number to it.
SEED_BITS = 31
_MASK = (1 << SEED_BITS) - 1
# PYTHONHASHSEED takes 0 .. 4294967295.
_HASH_SEEDS = 1 << 32


def batch_seed(base_seed: int, generator: str, start_index: int, salt: int = 0) -> int:
    """Seed in 0 .. 2**31 - 1 for the batch of `generator` that starts at `start_index`.

    Equal seeds are impossible for different start indices (below 2**31). The salt is 0 as planned and
    counts up each time the generator failed under the salt before.
    """
    first, second = _keys(base_seed, generator, salt)
    value = (start_index + first) & _MASK
    value ^= value >> 15
    value = (value * 0x2C1B3C6D) & _MASK
    value ^= value >> 12
    value = (value * 0x297A2D39) & _MASK
    value ^= value >> 15
    return value ^ second


def python_hash_seed(seed: int) -> int:
    """``PYTHONHASHSEED`` of a batch under `seed`: the seed itself, 0 .. 2**32 - 1.

    Some generators seed from ``hash(str)`` alone. Fixed to one value for all, every batch of theirs makes the
    same samples; left to chance, none makes the same twice. So no two seeds share one, and who runs a generator
    by hand needs no table to get a batch's bytes.
    """
    return seed % _HASH_SEEDS


def legacy_seed(base_seed: int, ordinal: int) -> int:
    """Seed of a generator's batch number `ordinal` (from 0) as the predecessor computed it: base + ordinal.

    The same for every generator; kept for who must make samples of that time again.
    """
    return (base_seed + ordinal) & _MASK


@lru_cache(maxsize=4096)
def _keys(base_seed: int, generator: str, salt: int) -> tuple[int, int]:
    digest = blake2b(f"{base_seed}\n{generator}\n{salt}".encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "big") & _MASK, int.from_bytes(digest[4:], "big") & _MASK
