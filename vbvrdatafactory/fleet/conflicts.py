"""Which requirements can't share an environment, as far as they say so themselves; uv finds the rest. Pure."""

from collections.abc import Iterable

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

# Distributions that own one import package: of two in one environment, the one that is installed last overwrites
# the other. They are not in conflict for a resolver.
_ONE_PACKAGE = (
    frozenset(
        {"opencv-python", "opencv-contrib-python", "opencv-python-headless", "opencv-contrib-python-headless"}
    ),
    frozenset({"pillow", "pillow-simd"}),
    frozenset({"tensorflow", "tensorflow-cpu"}),
    frozenset({"psycopg2", "psycopg2-binary"}),
    frozenset({"pycrypto", "pycryptodome"}),
)


def conflict(first: Iterable[str], second: Iterable[str]) -> str:
    """Why two sets of requirements can't share an environment; empty where nothing in them says so.

    >>> conflict(["numpy==1.26.4"], ["numpy>=2"])
    'numpy==1.26.4 against numpy>=2'
    >>> conflict(["numpy==1.26.4"], ["numpy>=1.21", "pillow"])
    ''
    """
    ours, theirs = ([Requirement(text) for text in one] for one in (first, second))
    for one in ours:
        for other in theirs:
            if _exclude_each_other(one, other):
                return f"{one} against {other}"
    return ""


def rivals(names: Iterable[str]) -> tuple[str, ...]:
    """Of the distributions `names` those that own one import package together; empty where none do.

    >>> rivals(["numpy", "opencv-python-headless", "opencv-contrib-python-headless"])
    ('opencv-contrib-python-headless', 'opencv-python-headless')
    """
    names = set(names)
    return next((tuple(sorted(names & one)) for one in _ONE_PACKAGE if len(names & one) > 1), ())


def _exclude_each_other(one: Requirement, other: Requirement) -> bool:
    if one.name != other.name:
        return bool(rivals((one.name, other.name)))
    return _misses(one.specifier, other.specifier) or _misses(other.specifier, one.specifier)


def _misses(pinned: SpecifierSet, other: SpecifierSet) -> bool:
    """Whether a version that `pinned` pins is outside `other`."""
    versions = [s.version for s in pinned if s.operator in {"==", "==="} and not s.version.endswith("*")]
    return any(not other.contains(version, prereleases=True) for version in versions)
