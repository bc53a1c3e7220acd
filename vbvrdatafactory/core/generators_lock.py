"""The lock of the generators: which code each generator has, and the environment that it runs in.

It lies in the folder of the generators, as ``generators.lock.toml``; what each environment installs lies beside it, with
hashes, as ``environments/{id}.txt``. Both are meant to be committed. What is installed from them lies in a hidden
folder there, and is made anew from them on any machine.
"""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from vbvrdatafactory.core.errors import ConfigError, NewerSchemaError
from vbvrdatafactory.core.names import SafeName
from vbvrdatafactory.core.parsing import parse_toml
from vbvrdatafactory.core.schema import Versioned

# Relative to the folder of the generators.
LOCK = "generators.lock.toml"
REQUIREMENTS = "environments"
INSTALLED = ".environments"
OVERRIDES = "overrides.toml"

# In an installed environment: written last, so an environment that has it is whole.
MARK = "environment.json"
DEFAULT_PYTHON = "3.11"
# The C library of the images that Lambda has from Python 3.12 on is newer than this.
DEFAULT_PLATFORM = "x86_64-manylinux_2_28"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class LockedGenerator(_Part):
    """One generator.

    Args:
        url: the Git repository that it is fetched from; empty where somebody put its folder there.
        commit: the commit of that repository.
        tree: SHA-256 over the names and bytes of its files.
        code: SHA-256 over its Python files and requirements, as receipts have it.
        environment: the id of its environment; None where it has none.
        needs: what it imports that no environment of ours has, such as ``bpy``.
        problem: why it can't be used; empty where it can.
        added: requirements that it needs and forgot to ask for, with how that was seen.
        changes: what was changed of its requirements, and why, for a person.
    """

    url: str = ""
    commit: str = ""
    tree: str = ""
    code: str = ""
    environment: str | None = None
    needs: str = ""
    problem: str = ""
    added: dict[str, str] = Field(default_factory=dict)
    changes: tuple[str, ...] = ()


class LockedEnvironment(_Part):
    """One environment.

    Args:
        digest: SHA-256 over what is installed, with the version of Python and the platform.
        python: the version of Python, as in ``3.11``.
        libraries: the versions that it installs, by name.
        interpreter: the path of an interpreter that somebody named and that is not made by us; empty for one that is.
        system: shared libraries that it loads from the system, such as ``libcairo.so.2``.
        fonts: font files that its generators name.
        apart: why it is not one with another environment, by that one's id.
    """

    digest: str
    python: str = DEFAULT_PYTHON
    libraries: dict[str, str] = Field(default_factory=dict)
    interpreter: str = ""
    system: tuple[str, ...] = ()
    fonts: tuple[str, ...] = ()
    apart: dict[str, str] = Field(default_factory=dict)


class GeneratorsLock(Versioned):
    """The whole lock.

    Args:
        python: the version of Python of all environments that are made by us.
        platform: what wheels are for, in uv's words, as in ``x86_64-manylinux_2_28``.
        build: distributions that have no wheels, and whose own code may run to build one.
        generators: by name.
        environments: by id.
    """

    SCHEMA_VERSION: ClassVar[int] = 1
    model_config = ConfigDict(frozen=True, extra="ignore")

    python: str = DEFAULT_PYTHON
    platform: str = DEFAULT_PLATFORM
    build: tuple[str, ...] = ()
    generators: dict[SafeName, LockedGenerator] = Field(default_factory=dict)
    environments: dict[str, LockedEnvironment] = Field(default_factory=dict)

    def environment_of(self, generator: str) -> LockedEnvironment | None:
        """The environment of a generator; None where it has none."""
        locked = self.generators.get(generator)
        return self.environments.get(locked.environment or "") if locked else None

    def interpreter_of(self, generator: str, folder: Path) -> Path | None:
        """The Python that runs a generator; None where it has no environment.

        Args:
            generator: its name.
            folder: the folder of the generators.
        """
        environment = self.environment_of(generator)
        if environment is None:
            return None
        if environment.interpreter:
            return Path(environment.interpreter)
        return folder / INSTALLED / environment_id(environment.digest) / "bin" / "python"


def environment_id(digest: str) -> str:
    """The name of an environment: the first digits of its digest."""
    return digest[:12]


def environment_digest(requirements: str, python: str, platform: str) -> str:
    """SHA-256, in hex, over what an environment installs.

    Args:
        requirements: its packages with versions and hashes, as pip takes them.
        python: the version of Python, as in ``3.11``.
        platform: what its wheels are for.
    """
    return sha256(f"{python}\n{platform}\n{requirements}".encode()).hexdigest()


def parse_lock(text: str, where: str = LOCK) -> GeneratorsLock:
    """The lock that `text` spells.

    Raises:
        ConfigError: it is no lock; the message says where it is wrong.
    """
    try:
        return GeneratorsLock.model_validate(parse_toml(text))
    except NewerSchemaError:
        raise
    except ValueError as error:
        raise ConfigError(
            f"{where} can't be read: {error}; restore it, or remove it and run 'datafactory generators lock'"
        ) from error


class Pin(_Part):
    """What a dataset's spec keeps of one generator: see `LockedGenerator`."""

    commit: str = ""
    tree: str = ""
    code: str = ""
    environment: str | None = None


class PinnedEnvironment(_Part):
    """What a dataset's spec keeps of one environment: see `LockedEnvironment`."""

    digest: str
    python: str
    libraries: dict[str, str] = Field(default_factory=dict)
    fonts: tuple[str, ...] = ()


class Pins(_Part):
    """What a dataset was planned with.

    Args:
        generators: by name.
        environments: those of these generators, by id.
    """

    generators: dict[str, Pin] = Field(default_factory=dict)
    environments: dict[str, PinnedEnvironment] = Field(default_factory=dict)


def pin(lock: GeneratorsLock | None, generators: Iterable[str]) -> Pins:
    """What a dataset's spec keeps of the lock, of each of its `generators`; nothing where there is no lock."""
    known = lock.generators if lock else {}
    locked = {name: known[name] for name in generators if name in known}
    wanted = {one.environment for one in locked.values()}
    environments = {name: one for name, one in (lock.environments if lock else {}).items() if name in wanted}
    return Pins(
        generators={name: Pin.model_validate(one.model_dump()) for name, one in locked.items()},
        environments={
            name: PinnedEnvironment.model_validate(one.model_dump()) for name, one in environments.items()
        },
    )
