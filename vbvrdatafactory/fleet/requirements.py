"""What a generator asks for in its requirements.txt, and what of it is changed before it is resolved.

A GUI build of OpenCV becomes the headless one of the same version: the GUI needs a display's libraries, and both own
the import package ``cv2``. What no lock can pin by hash, such as a Git URL, is a problem that a person has to solve.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pip_requirements_parser import OptionLine, RequirementsFile

FILE = "requirements.txt"
_DEEPEST = 5
_NEXT = "say in overrides.toml what to install instead"
_HEADLESS = {
    "opencv-python": "opencv-python-headless",
    "opencv-contrib-python": "opencv-contrib-python-headless",
}


class Asked(NamedTuple):
    """What one generator asks for.

    Args:
        requirements: normalised, sorted: equal for two generators that ask for the same.
        changes: what was changed or left out, and why, for a person.
        problem: why nothing can be resolved for it; empty where it can.
    """

    requirements: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    problem: str = ""


def read_asked(folder: Path) -> Asked:
    """What the generator in `folder` asks for; nothing where it has no requirements.txt."""
    changes: list[str] = []
    try:
        found = {_normal(asked, changes) for asked in _read(folder, Path(FILE), changes, 0)}
    except (ValueError, OSError) as error:
        return Asked(problem=str(error))
    return Asked(tuple(sorted(found)), tuple(dict.fromkeys(changes)))


def normalise(requirements: Iterable[str]) -> tuple[str, ...]:
    """Requirements as `read_asked` has them.

    Raises:
        ValueError: one is no requirement.

    >>> normalise(["Pillow == 10.4.0", "opencv_python>=4.8"])
    ('opencv-python-headless>=4.8', 'pillow==10.4.0')
    """
    try:
        return tuple(sorted(_normal(Requirement(text), []) for text in requirements))
    except InvalidRequirement as error:
        raise ValueError(f"{error} is no requirement") from error
    except RecursionError:
        raise ValueError("a requirement's marker is nested too deeply") from None


def _read(folder: Path, file: Path, changes: list[str], depth: int) -> Iterator[Requirement]:
    """The requirements in a file and in those that it includes, which lie in `folder` too."""
    path = (folder / file).resolve()
    if depth == 0 and not path.is_file():
        return
    if depth > _DEEPEST or not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise ValueError(f"{file} is included, and is no file of the generator's")
    # Read as UTF-8 first, so that what is no text is no surprise to the parser.
    path.read_text(encoding="utf-8", errors="strict")
    parsed = RequirementsFile.from_file(str(path), include_nested=False)
    for line in parsed.invalid_lines:
        raise ValueError(f"{file}:{line.line_number}: {line.line.strip()[:200]!r} is no requirement; {_NEXT}")
    for option in parsed.options:
        yield from _follow(folder, file, option, changes, depth)
    for asked in parsed.requirements:
        text, number = asked.requirement_line.line, asked.requirement_line.line_number
        if asked.is_editable and asked.is_local_path and str(asked.link) == ".":
            changes.append(f"{text!r} is left out: a generator's own folder is on its path anyway")
        elif asked.link or asked.is_local_path or asked.req is None:
            raise ValueError(
                f"{file}:{number}: {text[:200]!r} is not a package of an index, so no lock can hold it; {_NEXT}"
            )
        else:
            marker = f"; {asked.marker}" if asked.marker else ""
            yield Requirement(f"{asked.req}{marker}")


def _follow(
    folder: Path, file: Path, option: OptionLine, changes: list[str], depth: int
) -> Iterator[Requirement]:
    included = [*option.options.get("requirements", ()), *option.options.get("constraints", ())]
    for name in included:
        yield from _read(folder, file.parent / name, changes, depth + 1)
    if not included:
        text = option.requirement_line.line
        changes.append(f"{text!r} is left out: where packages come from is the machine's setting")


def _normal(asked: Requirement, changes: list[str]) -> str:
    name = canonicalize_name(asked.name)
    if headless := _HEADLESS.get(name):
        changes.append(f"{name} became {headless}: the build with a GUI needs a display's libraries")
        name = canonicalize_name(headless)
    asked.name = name
    return str(asked)
