"""Imports modules in a generator's environment, in the sandbox: which can't be had, and what they load of the system."""

import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lambda_worker.generator import import_probe
from lambda_worker.generator.limits import Limits
from lambda_worker.generator.run import RunRequest, run_script
from lambda_worker.generator.sandbox import sandbox
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.parsing import parse_json

_SECONDS = 300.0


class ImportTrial(NamedTuple):
    """How the import of one module went.

    Args:
        error: the name of the exception's class; empty where it went well.
        missing: the module that was not found, for a ModuleNotFoundError.
        text: what the exception said.
        libraries: names of shared libraries of the system that it loaded.
    """

    error: str = ""
    missing: str = ""
    text: str = ""
    libraries: tuple[str, ...] = ()


def try_imports(interpreter: Path, modules: Sequence[str]) -> Mapping[str, ImportTrial]:
    """Import each of `modules` with `interpreter`.

    Raises:
        DataFactoryError: the interpreter can't be run.
    """
    if not modules:
        return {}
    with sandbox() as box:
        script, result = box.root / "home" / "probe.py", box.output / "result.json"
        # Beside nothing else: the folder of a script is the first that it imports from.
        shutil.copyfile(import_probe.__file__, script)
        job = RunRequest(
            box.output, 1, 0, 0, _SECONDS, cancelled=threading.Event(), interpreter=interpreter, stream=False
        )
        try:
            run = run_script(box, script, [str(result), *modules], job, Limits())
        except OSError as error:
            raise DataFactoryError(f"{str(interpreter)!r} can't be run: {error.strerror}") from error
        if not result.is_file():
            why = run.stopped.detail if run.stopped else run.stderr_tail[-300:]
            raise DataFactoryError(f"{str(interpreter)!r} ended with {run.exit_code}: {why}")
        try:
            found = parse_json(result.read_text(encoding="utf-8"))
        except ValueError as error:
            # What was imported may have written there.
            raise DataFactoryError(f"{str(interpreter)!r} gave no result: {error}") from error
    return {
        module: ImportTrial(said["error"], said["name"], said["text"], tuple(said["libraries"]))
        for module, said in found.items()
    }
