"""Runs uv, which resolves, and installs from one cache by hard links. Its return code counts; its words are for people."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from vbvrdatafactory.core.errors import DataFactoryError

_SECONDS = 1800
_SHOWN = 12


class Resolved(NamedTuple):
    """What uv said to a set of requirements.

    Args:
        text: packages with versions and hashes, as pip takes them; empty where there is no solution.
        why_not: uv's own words; empty where there is one.
    """

    text: str
    why_not: str = ""


class Uv:
    """Runs uv for one version of Python and one platform.

    Args:
        python: the version, as in ``3.11``.
        platform: what wheels are for, in uv's words, as in ``x86_64-manylinux_2_28``.
        build: distributions whose own code may run to build a wheel; of all others wheels alone are taken.
    """

    def __init__(self, python: str, platform: str, build: Iterable[str] = ()) -> None:
        try:
            from uv import find_uv_bin  # noqa: PLC0415 - its absence is told, not raised at import
        except ImportError as error:
            raise DataFactoryError("uv is not installed; install vbvrdatafactory[fleet]") from error
        self._uv = find_uv_bin()
        self.python, self.platform = python, platform
        self._wheels = ["--only-binary", ":all:", *(word for name in build for word in ("--no-binary", name))]

    def resolve(self, requirements: Iterable[str], before: str = "") -> Resolved:
        """The newest versions that honour all `requirements`; those in `before`, an earlier answer, stay if they can.

        Raises:
            DataFactoryError: uv itself failed.
        """
        with TemporaryDirectory(prefix="datafactory-lock-") as folder:
            asked, answer = Path(folder) / "requirements.in", Path(folder) / "requirements.txt"
            asked.write_text("\n".join(requirements) + "\n", encoding="utf-8")
            answer.write_text(before, encoding="utf-8")
            # Without a host, a time or a path in it: equal on every machine.
            done = self._run(
                "pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate",
                "--no-emit-index-url", *self._wheels, "--python-version", self.python, "--python-platform",
                self.platform, "--output-file", str(answer), str(asked), cwd=folder,
            )  # fmt: skip
            if done.returncode > 1:
                raise DataFactoryError(f"uv ended with {done.returncode}: {_end(done)}")
            return (
                Resolved("", _end(done)) if done.returncode else Resolved(answer.read_text(encoding="utf-8"))
            )

    def _python(self) -> str:
        """An interpreter of this version: the one that this runs on, else whichever uv finds or fetches."""
        own = Path(sys.base_prefix) / "bin" / f"python{self.python}"
        is_own = f"{sys.version_info.major}.{sys.version_info.minor}" == self.python and own.exists()
        return str(own) if is_own else self.python

    def make(self, folder: Path, requirements: Path) -> None:
        """Make an environment in `folder` that holds exactly what the file `requirements` lists, by its hashes.

        Raises:
            DataFactoryError: it can't be made; the message names the package.
        """
        self._check(
            "venv",
            "--quiet",
            "--no-project",
            "--relocatable",
            "--python",
            self._python(),
            str(folder),
        )
        self._check(
            "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), "--require-hashes",
            "--no-deps", *self._wheels, "--compile-bytecode", "--requirements", str(requirements),
        )  # fmt: skip

    def _check(self, *arguments: str) -> None:
        done = self._run(*arguments)
        if done.returncode:
            raise DataFactoryError(f"uv {arguments[0]} ended with {done.returncode}: {_end(done)}")

    def _run(self, *arguments: str, cwd: str | None = None) -> subprocess.CompletedProcess[str]:
        # An environment that this runs in is none of uv's business; bytecode kept elsewhere is none that a sandbox reads.
        apart = {"VIRTUAL_ENV", "UV_PYTHON", "PYTHONPYCACHEPREFIX"}
        environment = {name: value for name, value in os.environ.items() if name not in apart}
        return subprocess.run(  # noqa: S603 - uv, with arguments of ours
            [self._uv, *arguments],
            env=environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )


def _end(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return " ".join(lines[:_SHOWN])[:2000]
