"""Environments that are interpreters somebody named: a Blender's, or one with the drivers of a graphics card."""

import json
import os
import subprocess
from hashlib import sha256

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.generators_lock import GeneratorsLock, LockedEnvironment
from vbvrdatafactory.core.parsing import parse_json

_SECONDS = 60
_ASK = """
import importlib.metadata as m, json, platform
print(json.dumps([platform.python_version(), {d.name: d.version for d in m.distributions()}]))
"""


def describe(interpreter: str, before: GeneratorsLock | None) -> LockedEnvironment:
    """The environment that the interpreter at that path is; as the lock had it before where it is not on this machine.

    Raises:
        DataFactoryError: it is here, and can't be run.
    """
    known = before.environments.values() if before else ()
    if not os.access(interpreter, os.X_OK):
        was = next((one for one in known if one.interpreter == interpreter), None)
        digest = sha256(f"interpreter\n{interpreter}".encode()).hexdigest()
        return was or LockedEnvironment(digest=digest, interpreter=interpreter)
    try:
        done = subprocess.run(  # noqa: S603 - a person named it
            [interpreter, "-I", "-c", _ASK], capture_output=True, text=True, timeout=_SECONDS, check=True
        )
        version, libraries = parse_json(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise DataFactoryError(
            f"the interpreter {interpreter!r} of overrides.toml can't be run: {error}"
        ) from error
    said = json.dumps(["interpreter", interpreter, version, libraries], sort_keys=True)
    return LockedEnvironment(
        digest=sha256(said.encode()).hexdigest(),
        python=version.rpartition(".")[0],
        interpreter=interpreter,
        libraries=dict(sorted(libraries.items())),
    )
