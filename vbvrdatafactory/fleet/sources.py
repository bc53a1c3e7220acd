"""Where generators come from: repositories of GitHub organisations, or a list of Git URLs and local paths."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from vbvrdatafactory.core.errors import DataFactoryError

# The two that the public generators lie in.
DEFAULT_ORGANISATIONS = ("VBVR-DataFactory", "vm-dataset")


class Source(NamedTuple):
    """A repository.

    Args:
        name: the generator's name: the repository's, without ``.git``.
        url: what Git fetches it from.
        mb: its size, as far as its host says; 0 where it does not.
    """

    name: str
    url: str
    mb: int = 0


def parse_list(text: str, where: str) -> Iterator[Source]:
    """The sources in a text with one Git URL or path a line; ``#`` begins a comment.

    Raises:
        DataFactoryError: a line names no repository.
    """
    for number, line in enumerate(text.splitlines(), 1):
        url = re.sub(r"(^|\s)#.*", "", line).strip()
        if not url:
            continue
        source = source_of(url)
        if url.startswith("-") or not source.name:
            raise DataFactoryError(f"{where}:{number}: {url!r} is no Git URL and no path")
        yield source


def source_of(url: str) -> Source:
    """The source that a Git URL or a local path names.

    >>> source_of("https://github.com/vm-dataset/O_36_grid_shift_data_generator.git").name
    'O_36_grid_shift_data_generator'
    """
    path = Path(url).expanduser()
    if "://" not in url and path.exists():
        url = str(path.resolve())
    name = re.split(r"[/:\\]", url.rstrip("/\\"))[-1].removesuffix(".git")
    return Source(name, url)


def choose(sources: Iterable[Source], match: str | None = None, only: Iterable[str] = ()) -> list[Source]:
    """Those whose name `match` finds, a regular expression, and that are in `only`, if it names any.

    Raises:
        DataFactoryError: `match` is no regular expression, or a name in `only` is none of them.
    """
    try:
        pattern = re.compile(match or "")
    except re.error as error:
        raise DataFactoryError(f"--match {match!r} is no regular expression: {error}") from error
    found, wanted = [*sources], {*only}
    unknown = sorted(wanted - {source.name for source in found})
    if unknown:
        raise DataFactoryError(
            f"there is no repository {unknown[0]!r} among the {len(found):,} that were listed"
        )
    return [s for s in found if pattern.search(s.name) and (not wanted or s.name in wanted)]
