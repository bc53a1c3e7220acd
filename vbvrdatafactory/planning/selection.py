"""Selects generators by name, by glob, or all of them."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import partial

from vbvrdatafactory.core.errors import SpecError

# Means every generator, in place of a name.
ALL = "all"
# Public names begin with a letter of their family: O-41_…, O_48_….
_FAMILY = re.compile(r"[A-Za-z]+[-_](?=\d)")


def matches(pattern: str, name: str) -> bool:
    """Whether a name, a glob (``O-*``) or ``all`` matches the generator `name`."""
    return pattern in (ALL, name) or fnmatchcase(name, pattern)


def means_all(patterns: Collection[str]) -> bool:
    """Whether the patterns are ``all``, which excludes others.

    Raises:
        SpecError: ``all`` is combined with names or globs.
    """
    others = [pattern for pattern in patterns if pattern != ALL]
    if others and len(others) < len(patterns):
        raise SpecError(
            f"'all' stands beside {', '.join(map(repr, others[:3]))}; "
            "leave 'all' out to make only those, or give it alone"
        )
    return bool(patterns) and not others


def families(names: Iterable[str]) -> list[str]:
    """Globs such as ``O-*`` for the families that two names or more belong to, sorted."""
    heads = Counter(head[0] for name in names if (head := _FAMILY.match(name)))
    return sorted(f"{head}*" for head, count in heads.items() if count > 1)


def choose_generators(
    patterns: Iterable[str], known: Iterable[str], unusable: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """The generators that match names, globs (``O-*``) or ``all``, sorted, each once.

    Args:
        patterns: names, globs or ``all``.
        known: the names of all generators.
        unusable: folders that can't be used, with the reason, which is reported where nothing else matches.

    Raises:
        SpecError: a pattern matches nothing (similar names are suggested), or ``all`` is combined with others.
    """
    catalogue, patterns = sorted(known), tuple(patterns)
    refused = dict(unusable or {})
    if not catalogue and not refused:
        raise SpecError("there are no generators to choose from; is GENERATORS_PATH right?")
    if means_all(patterns) and catalogue:
        return tuple(catalogue)
    chosen: set[str] = set()
    for pattern in patterns:
        found = {name for name in catalogue if matches(pattern, name)}
        if not found:
            for name in filter(partial(matches, pattern), refused):
                raise SpecError(f"generator {name!r} can't be used: {refused[name]}")
            raise SpecError(f"unknown generator {pattern!r}{_near(pattern, catalogue)}")
        chosen |= found
    if not chosen:
        raise SpecError("name at least one generator, a glob such as 'O-*', or 'all'")
    return tuple(name for name in catalogue if name in chosen)


def _near(name: str, catalogue: list[str]) -> str:
    near = get_close_matches(name, catalogue, n=3, cutoff=0.5)
    near = near or [known for known in catalogue if name.lower() in known.lower()][:3]
    return (
        f"; did you mean {' or '.join(repr(n) for n in near)}?"
        if near
        else f"; known: {', '.join(catalogue[:5])}"
    )
