"""The environment of the checkout, `.venv`: made as requirements.lock says, looked at, and mended.

The environments of the generators that lie in the checkout are made after it, as their own lock says.

``make`` runs this file before there is an environment: it imports nothing but Python's own.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHECKOUT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)
# Exit code of `check` where .venv is whole, and an environment of the generators is not there.
_GENERATORS = 3
_COMPILED = ("numpy", "PIL", "av", "pydantic")


def main(arguments: list[str]) -> None:
    """`check` says what .venv lacks and exits 1 then; `make` makes it whole; `record` is for the new one itself."""
    commands = {"check": check, "make": make, "record": record}
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("command", choices=commands)
    try:
        commands[parser.parse_args(arguments).command]()
    except KeyboardInterrupt:
        sys.exit(130)


def check() -> None:
    """Run by the Python of .venv."""
    if reasons := missing(CHECKOUT):
        sys.exit("\n".join(reasons))
    if missing_environments(CHECKOUT / "generators"):
        sys.exit(_GENERATORS)


def missing(checkout: Path) -> list[str]:
    """Why the environment that runs this is not the one that was installed into the checkout's .venv."""
    ready = checkout / ".venv" / ".ready"
    recorded = ready.read_text().split() if ready.exists() else []
    found = {file.name for folder in _site_folders() for file in folder.glob("*.dist-info")}
    if not recorded or not Path(sys.prefix).samefile(checkout / ".venv"):
        return ["it was not finished, or is another's"]
    if recorded[0] != digest(checkout):
        return ["requirements.lock or pyproject.toml is another"]
    if checkout not in {Path(entry).resolve() for entry in sys.path[1:]}:
        return ["it imports the code of another checkout"]
    return [f"{name.removesuffix('.dist-info')} is not there" for name in recorded[1:] if name not in found]


def missing_environments(generators: Path) -> list[str]:
    """Which environments of generators that nobody fetched are not installed, by their ids.

    Those of fetched ones are made by `datafactory generators install`.
    """
    try:
        lock = tomllib.loads((generators / "generators.lock.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    wanted = {
        locked.get("environment")
        for name, locked in lock.get("generators", {}).items()
        if not locked.get("url") and (generators / name).is_dir()
    }
    made = {name for name, one in lock.get("environments", {}).items() if not one.get("interpreter")}
    mark = generators / ".environments"
    return sorted(name for name in wanted & made if not (mark / name / "environment.json").is_file())


def digest(checkout: Path) -> str:
    """Of the files that say what belongs into the environment."""
    files = (checkout / "requirements.lock", checkout / "pyproject.toml")
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _site_folders() -> set[Path]:
    return {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}


def make() -> None:
    """Make .venv, or what it lacks; what else was installed there stays."""
    with _alone(CHECKOUT):
        venv = CHECKOUT / ".venv"
        looked = _python(venv, "check")
        if looked is not None and looked.returncode == 0:
            (venv / ".ready").touch()
            return
        if looked is not None and looked.returncode == _GENERATORS:
            _install_environments(venv)
            return
        if looked is None or not _usable(venv):
            _say("making .venv from requirements.lock")
            _create(venv)
        else:
            _say(f"mending .venv: {'; '.join(looked.stderr.split(chr(10))[:3]).strip('; ')}")
        _install(venv)


@contextlib.contextmanager
def _alone(checkout: Path) -> Iterator[None]:
    """One at a time: the second `make` finds what the first has made."""
    descriptor = os.open(checkout, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _python(venv: Path, command: str) -> subprocess.CompletedProcess[str] | None:
    """Run this file by the Python of .venv; None if there is none that runs."""
    try:
        return subprocess.run(  # noqa: S603
            [venv / "bin" / "python", "-I", __file__, command],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return None


def _usable(venv: Path) -> bool:
    """Whether its Python runs, is new enough, and is told from the folder it lies in: it may have been moved."""
    code = f"import sys; sys.exit(sys.prefix == sys.base_prefix or sys.version_info < {OLDEST_PYTHON})"
    runs = subprocess.run([venv / "bin" / "python", "-I", "-c", code], check=False)  # noqa: S603
    marked = "relocatable = true" in _text(venv / "pyvenv.cfg")
    return runs.returncode == 0 and marked and (venv / "bin" / "uv").is_file() and _has_its_packages(venv)


def _has_its_packages(venv: Path) -> bool:
    """Not so where the Python it was made with has been replaced by one of another version."""
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec('pip') is None)"
    return subprocess.run([venv / "bin" / "python", "-I", "-c", code], check=False).returncode == 0  # noqa: S603


def _text(file: Path) -> str:
    return file.read_text() if file.is_file() else ""


def _create(venv: Path) -> None:
    if venv.is_symlink() or venv.is_file():
        venv.unlink()
    elif venv.exists():
        shutil.rmtree(venv)
    # The Python that runs this may be the one just deleted: `source .venv/bin/activate` and then `make`.
    base: str = getattr(sys, "_base_executable", None) or sys.executable
    _run([base, "-I", "-m", "venv", str(venv)], os.environ)
    environment = _environment(venv)
    locked = (CHECKOUT / "requirements.lock").read_text().splitlines()
    uv = next(line.split()[0] for line in locked if line.startswith("uv=="))
    _run([str(venv / "bin" / "python"), "-I", "-m", "pip", "install", "--quiet", uv], environment)
    # Its commands find their Python beside themselves: a copied or moved checkout goes on to work, by itself.
    python = str(venv / "bin" / "python")
    arguments = ["venv", "--quiet", "--relocatable", "--allow-existing", "--python", python, str(venv)]
    _run([str(venv / "bin" / "uv"), *arguments], environment)
    _find_itself_in_any_shell(venv / "bin" / "activate")
    for script in (venv / "bin").glob("pip*"):
        script.write_text('#!/bin/sh\nexec "$(dirname -- "$(realpath -- "$0")")/python" -m pip "$@"\n')


def _find_itself_in_any_shell(activate: Path) -> None:
    """A plain sh does not tell a script where it lies: then it is the checkout's that one stands in."""
    said = activate.read_text()
    line = 'test -f "${SCRIPT_PATH:-}" || SCRIPT_PATH=.venv/bin/activate\n'
    activate.write_text(said.replace("\nVIRTUAL_ENV=", f"\n{line}VIRTUAL_ENV=", 1))


def _install(venv: Path) -> None:
    environment = _environment(venv)
    install = [
        str(venv / "bin" / "uv"),
        "pip",
        "install",
        "--quiet",
        "--python",
        str(venv / "bin" / "python"),
    ]
    _run([*install, "-r", "requirements.lock"], environment)
    _run([*install, "--no-deps", "--reinstall-package", "vbvrdatafactory", "--editable", "."], environment)
    _run([str(venv / "bin" / "python"), "-I", __file__, "record"], environment)
    _install_environments(venv)


def _install_environments(venv: Path) -> None:
    """Make the environments of the generators that lie in the checkout, with the .venv that is whole by now."""
    wanted = missing_environments(CHECKOUT / "generators")
    if wanted:
        _say(f"making the environment{'s' if len(wanted) > 1 else ''} of the generators")
        module = "vbvrdatafactory.fleet.install_here"
        command = [str(venv / "bin" / "python"), "-I", "-m", module, "generators", *wanted]
        _run(command, _environment(venv), "of the generators")


def record() -> None:
    """Run by the Python of .venv, when all is installed: write down what there is."""
    venv = CHECKOUT / ".venv"
    folder = Path(sysconfig.get_path("purelib")).resolve()
    for file in folder.glob("*vbvrdatafactory*.pth"):
        # Seen from its own folder, so that a copy imports the copy's code; not so where .venv is a link to elsewhere.
        place = CHECKOUT if venv.is_symlink() else os.path.relpath(CHECKOUT, folder)
        file.write_text(f"{place}\n")
    # uv leaves no bytecode and generators may write none: each batch would compile these anew.
    for name in _COMPILED:
        if (folder / name).is_dir():
            compileall.compile_dir(folder / name, quiet=2, workers=0)
    names = sorted({file.name for site in _site_folders() for file in site.glob("*.dist-info")})
    unfinished = venv / ".ready.new"
    unfinished.write_text("\n".join([digest(CHECKOUT), *names]) + "\n")
    unfinished.replace(venv / ".ready")


def _environment(venv: Path) -> dict[str, str]:
    from infra import installer  # noqa: PLC0415 - `check` is to be quick

    tables = installer.uv_tables(os.environ)
    return installer.installer_environment(os.environ, installer.pip_settings(venv), tables)


def _run(command: list[str], environment: Mapping[str, str], what: str = ".venv") -> None:
    done = subprocess.run(command, env=environment, cwd=CHECKOUT, stdin=subprocess.DEVNULL, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(
            f"the environment {what} could not be made: {Path(command[0]).name} ended with {done.returncode}; see above"
        )


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    # Started as a file and cut off from the user's settings, it has no path to its neighbours.
    sys.path.insert(0, str(CHECKOUT))
    main(sys.argv[1:])
