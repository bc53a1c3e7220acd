"""The interface of a generator: its entry point, and the files of a sample.

A sample is a folder. ``first_frame.png`` and ``prompt.txt`` are always required; a dataset may require more.
"""

from collections.abc import Iterable
from pathlib import PurePath

from vbvrdatafactory.core.errors import SpecError

# The generator's program, relative to its folder.
ENTRY_POINT = PurePath("examples") / "generate.py"

FIRST_FRAME = "first_frame.png"
FINAL_FRAME = "final_frame.png"
PROMPT = "prompt.txt"
VIDEO = "ground_truth.mp4"
METADATA = "metadata.json"
QUESTION_METADATA = "question_metadata.json"

ALWAYS_REQUIRED = (FIRST_FRAME, PROMPT)
KNOWN_FILES = (FIRST_FRAME, PROMPT, FINAL_FRAME, VIDEO, METADATA, QUESTION_METADATA)
ALL_FIVE = (FIRST_FRAME, PROMPT, FINAL_FRAME, VIDEO, METADATA)


def required_files(extra: Iterable[str] = ()) -> tuple[str, ...]:
    """The files that a sample must have: ``first_frame.png``, ``prompt.txt`` and those in `extra`.

    Raises:
        SpecError: a name that is not one of `KNOWN_FILES`.
    """
    wanted = {*ALWAYS_REQUIRED, *extra}
    unknown = sorted(wanted - set(KNOWN_FILES))
    if unknown:
        raise SpecError(f"no sample has a file {unknown[0]!r}; the known ones are {', '.join(KNOWN_FILES)}")
    return tuple(name for name in KNOWN_FILES if name in wanted)
