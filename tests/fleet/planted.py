"""A fleet of repositories with everything planted that real ones have, behind a stand-in of GitHub's API."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.fleet.conftest import Repository, write_generator

Make = Callable[..., Repository]

# What the generators of the fleet ask for, in turn; they need three environments together.
ASKED = (
    ("import numpy, PIL, cv2", "numpy==1.26.4\nPillow==10.4.0\nopencv-python==4.10.0.84\n"),
    ("import numpy", "numpy>=1.20\n"),
    ("import numpy", "numpy>=2\npillow>=11\n"),
    ("try:\n    import cv2\nexcept ImportError:\n    cv2 = None", "numpy==1.26.4\n"),
    ("import cv2", "opencv-contrib-python==4.10.0.84\nnumpy==1.26.4\n"),
    ("import olden", "olden\n"),
    ("import numpy", "numpy==2.0.0\n"),
)
ENVIRONMENTS = 3
_BROKEN = 6


class Fleet(NamedTuple):
    """The repositories of one organisation.

    Args:
        good: those that hold a usable generator.
        listed: what the API answers, those that can't be used among them.
    """

    good: list[Repository]
    listed: list[dict[str, Any]]


def plant(repository: Make, count: int, trap: Path) -> Fleet:
    """`count` repositories, of which six can't be used; whatever runs of them creates `trap`."""
    good = [_good(repository, number, trap) for number in range(count - _BROKEN)]
    empty = repository("Z-1_empty", content=False)
    bare = repository(".github", content=False)
    (bare.work / "README.md").write_text("x")
    bare.commit()
    nested = repository("Z-2_nested", content=False)
    write_generator(nested.work / "generator")
    nested.commit()
    link = repository("Z-3_link")
    (link.work / "assets").symlink_to("/etc")
    link.commit()
    huge = repository("Z-4_huge")
    (huge.work / "assets.bin").write_bytes(os.urandom(2_500_000))
    huge.commit()
    found = [*good, empty, bare, nested, link, huge]
    gone = {"name": "Z-5_gone", "clone_url": str(trap.parent / "gone.git"), "size": 1}
    return Fleet(good, [*({"name": r.work.name, "clone_url": r.url, "size": 1} for r in found), gone])


def _good(repository: Make, number: int, trap: Path) -> Repository:
    imports, requirements = ASKED[number % len(ASKED)]
    made = repository(f"{'OGVM'[number % 4]}-{number}_x_data-generator", imports, requirements)
    if number % 5 == 0:
        hook = made.bare / "hooks" / "post-checkout"
        hook.write_text(f"#!/bin/sh\ntouch {trap}\n")
        hook.chmod(0o755)
        (made.work / ".gitmodules").write_text(f'[submodule "s"]\n path = s\n url = {trap.parent}/gone.git\n')
        (made.work / ".gitattributes").write_text("* filter=lfs\n")
        made.commit()
    return made
