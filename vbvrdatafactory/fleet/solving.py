"""The fewest environments that honour what every generator asks for: uv resolves, this decides what is asked together.

Groups that their own words allow are resolved whole. Where uv finds no solution, the smallest part of the group that
has none becomes one more conflict, and the grouping is made anew: every conflict is a true one, so a grouping that
resolves is one of the fewest.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from vbvrdatafactory.fleet.conflicts import conflict, rivals
from vbvrdatafactory.fleet.grouping import Conflict, group
from vbvrdatafactory.fleet.uv import Resolved

# What one generator asks for, normalised: equal for two that ask for the same.
Asking = tuple[str, ...]
_AT_ONCE = 4


class Solution(NamedTuple):
    """Environments.

    Args:
        environments: what each installs, as uv wrote it, and who asks for it.
        unsolved: what can't be installed at all, with uv's reason.
        apart: why what two ask for is not in one environment.
        is_fewest: whether fewer environments are impossible.
    """

    environments: tuple[tuple[str, tuple[Asking, ...]], ...]
    unsolved: dict[Asking, str]
    apart: dict[frozenset[Asking], str]
    is_fewest: bool


class Solver:
    """Solves, and remembers what uv said.

    Args:
        resolve: asks uv, given requirements and an earlier answer whose versions are to stay.
        before: the earlier answer for what is asked together; empty where there is none.
    """

    def __init__(
        self,
        resolve: Callable[[Iterable[str], str], Resolved],
        before: Callable[[Iterable[Asking]], str] = lambda _: "",
    ) -> None:
        self._resolve, self._before = resolve, before
        self._known: dict[frozenset[str], Resolved] = {}
        self._rivals: set[frozenset[str]] = set()

    def add_rivals(self, distributions: Iterable[str]) -> None:
        """Remember that these distributions can't share an environment: they install one file."""
        self._rivals.add(frozenset(distributions))
        self._known.clear()

    def names(self, asking: Asking) -> frozenset[str]:
        """The distributions that `asking` brings by itself; none where it has no solution."""
        return frozenset(versions(self._ask([asking]).text))

    def solve(self, askings: Mapping[Asking, int]) -> Solution:
        """The environments for what is asked, by how many generators ask for it."""
        order = [asking for asking, _ in Counter(askings).most_common()]
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="resolve") as pool:
            alone = dict(zip(order, pool.map(lambda one: self._ask([one]), order), strict=True))
            unsolved = {asking: found.why_not for asking, found in alone.items() if found.why_not}
            order = [asking for asking in order if asking not in unsolved]
            apart = _said_conflicts(order)
            while True:
                grouping = group(len(order), apart)
                asked = [[order[number] for number in one] for one in grouping.groups]
                answers = [*pool.map(self._ask, asked)]
                failed = [one for one, answer in zip(grouping.groups, answers, strict=True) if answer.why_not]
                if not failed:
                    break
                for one in failed:
                    smallest = self._smallest(order, one)
                    apart[frozenset(smallest)] = self._ask([order[n] for n in smallest]).why_not
        environments = tuple((a.text, tuple(one)) for a, one in zip(answers, asked, strict=True))
        said = {frozenset(order[n] for n in numbers): why for numbers, why in apart.items()}
        return Solution(environments, unsolved, said, grouping.is_fewest)

    def _smallest(self, order: Sequence[Asking], numbers: Sequence[int]) -> list[int]:
        """The smallest part of a group without a solution that has none either."""
        left = list(numbers)
        for number in numbers:
            fewer = [other for other in left if other != number]
            if self._ask([order[n] for n in fewer]).why_not:
                left = fewer
        return left

    def _ask(self, askings: Sequence[Asking]) -> Resolved:
        requirements = frozenset(text for asking in askings for text in asking)
        if requirements not in self._known:
            found = (
                self._resolve(sorted(requirements), self._before(askings)) if requirements else Resolved("")
            )
            self._known[requirements] = self._without_rivals(found)
        return self._known[requirements]

    def _without_rivals(self, found: Resolved) -> Resolved:
        names = {*versions(found.text)}
        for one in ({*rivals(names)}, *self._rivals):
            if len(one) > 1 and one <= names:
                return Resolved(
                    "", f"{' and '.join(sorted(one))} own one import package, and overwrite each other"
                )
        return found


def versions(text: str) -> dict[str, str]:
    r"""Versions by distribution, as a resolved list of requirements pins them.

    >>> versions("numpy==1.26.4 --hash=sha256:0\npillow==10.4.0")
    {'numpy': '1.26.4', 'pillow': '10.4.0'}
    """
    pinned = (
        line.split()[0].partition("==") for line in text.splitlines() if line[:1].strip() and "==" in line
    )
    return {name.partition("[")[0]: version.rstrip(";\\") for name, _, version in pinned}


def _said_conflicts(order: Sequence[Asking]) -> dict[Conflict, str]:
    found = {}
    for second, asking in enumerate(order):
        for first in range(second):
            if why := conflict(order[first], asking):
                found[frozenset({first, second})] = why
    return found
