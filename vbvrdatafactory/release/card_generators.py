"""The generators on a card: a sample of each, how many there are, and their videos."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from vbvrdatafactory.core.escaping import for_markdown
from vbvrdatafactory.release.layout import picture
from vbvrdatafactory.release.manifest import GeneratorShare

_FAMILY = re.compile(r"[A-Za-z]{1,8}(?=[-_]?[0-9])")
_SAFE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_PROMPT = 300
_WIDTH = 160  # of a picture, in pixels


class Videos(NamedTuple):
    """The videos of a generator: least and most frames a second and frames, and their sizes in pixels."""

    fps: tuple[float, float]
    frames: tuple[float, float]
    sizes: tuple[tuple[int, int], ...]


class Example(NamedTuple):
    """The sample of a generator that the card shows: its prompt, and which of its pictures are there."""

    prompt: str
    pictures: tuple[str, ...]


def family(generator: str) -> str:
    """The family of a generator by its name: the letters before its number; empty where there are none.

    >>> family("O-41_nonogram_data-generator"), family("O_48_sudoku_data_generator"), family("maze")
    ('O', 'O', '')
    """
    found = _FAMILY.match(generator)
    return found[0] if found else ""


def show_generators(
    given: Sequence[GeneratorShare], examples: Mapping[str, Example], videos: Mapping[str, Videos]
) -> str:
    """A table for each family, with a sample of each of its generators."""
    parts = ["## Generators"]
    ordered = sorted(given, key=lambda share: (family(share.generator), share.generator))
    for name, shares in groupby(ordered, key=lambda share: family(share.generator)):
        rows = [
            _row_of(share, examples.get(share.generator), videos.get(share.generator)) for share in shares
        ]
        title = f"### Family {name}\n\n" if name else "### Others\n\n"
        parts.append(
            title + table(("first and final frame", "generator", "samples", "different", "video"), rows)
        )
    return "\n\n".join(parts)


def _row_of(share: GeneratorShare, example: Example | None, videos: Videos | None) -> Sequence[str]:
    pictures = example.pictures if example and _SAFE_KEY.fullmatch(share.example) else ()
    shown = " ".join(
        f'<img src="{picture(share.example, name)}" alt="{name}" width="{_WIDTH}">' for name in pictures
    )
    prompt = for_markdown(_cut(example.prompt)) if example else ""
    name = f"**{for_markdown(share.generator)}**" + (f"<br>{prompt}" if prompt else "")
    return shown, name, f"{share.samples:,}", f"{share.distinct:,}", _videos(videos) if videos else "none"


def _videos(videos: Videos) -> str:
    sizes = ", ".join(f"{width} x {height}" for width, height in videos.sizes[:2])
    return f"{span(videos.fps)} fps, {span(videos.frames)} frames, {sizes}{' …' * (len(videos.sizes) > 2)}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def span(ends: tuple[float, float]) -> str:
    least, most = (f"{end:g}" for end in ends)
    return least if least == most else f"{least} to {most}"


def _cut(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _LONGEST_PROMPT else plain[:_LONGEST_PROMPT].rstrip() + " …"
