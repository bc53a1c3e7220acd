"""What a person corrects: ``overrides.toml`` in the folder of the generators.

python = "3.11"
build = ["gputil"]

[generators."O-47_sliding_puzzle_data-generator"]
add = ["opencv-python-headless==4.10.0.84"]
drop = ["boto3"]

[generators."3d-template-data-generator"]
interpreter = "/opt/blender/4.2/python/bin/python3.11"
"""

from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.core.generators_lock import DEFAULT_PLATFORM, DEFAULT_PYTHON, OVERRIDES
from vbvrdatafactory.core.names import SafeName
from vbvrdatafactory.core.parsing import parse_toml
from vbvrdatafactory.fleet.requirements import Asked, normalise


class Override(BaseModel):
    """Corrections to one generator.

    Args:
        requirements: instead of its requirements.txt; None takes the file.
        add: requirements besides.
        drop: names of distributions that it asks for and does not get.
        interpreter: the path of a Python that runs it, with whatever packages that has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    requirements: tuple[str, ...] | None = None
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    interpreter: str = ""


class Overrides(BaseModel):
    """The whole file.

    Args:
        python: the version of Python of all environments that are made.
        platform: what wheels are for, in uv's words.
        build: distributions that have no wheels, and whose own code may run to build one.
        generators: corrections by generator.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    python: str = Field(default=DEFAULT_PYTHON, pattern=r"3\.\d+")
    platform: str = Field(default=DEFAULT_PLATFORM, pattern=r"[a-z0-9_-]+")
    build: tuple[str, ...] = ()
    generators: dict[SafeName, Override] = Field(default_factory=dict)


def read_overrides(folder: Path) -> Overrides:
    """The corrections in the folder of the generators; none where there is no file.

    Raises:
        ConfigError: the file is wrong; the message says where.
    """
    path = folder / OVERRIDES
    try:
        found = Overrides.model_validate(parse_toml(path.read_text(encoding="utf-8")))
        for override in found.generators.values():
            normalise((*(override.requirements or ()), *override.add))
    except FileNotFoundError:
        return Overrides()
    except (OSError, ValueError, ValidationError) as error:
        raise ConfigError(f"{str(path)!r} can't be read: {error}") from error
    return found


def apply(asked: Asked, override: Override) -> Asked:
    """What a generator asks for, corrected; every correction is among the changes."""
    requirements, changes, problem = set(asked.requirements), list(asked.changes), asked.problem
    if override.requirements is not None:
        requirements, changes, problem = set(normalise(override.requirements)), [], ""
        changes.append(f"its requirements are those of {OVERRIDES}")
    dropped = {canonicalize_name(name) for name in override.drop}
    for text in sorted(requirements):
        if Requirement(text).name in dropped:
            requirements.discard(text)
            changes.append(f"{text} is dropped by {OVERRIDES}")
    for text in normalise(override.add):
        # One that is said in both places counts as it is said here.
        requirements = {other for other in requirements if Requirement(other).name != Requirement(text).name}
        requirements.add(text)
        changes.append(f"{text} is added by {OVERRIDES}")
    return Asked(tuple(sorted(requirements)), tuple(changes), problem)
