"""Builds the worker's image on a machine without a container engine, with buildah, and runs what came of it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infra.paths import CHECKOUT

CONFINE = Path(__file__).with_name("confine.py")
# What a build on AWS has of the checkout; infra/worker.py has the same list as CDK wants it.
_CONTEXT = ("pyproject.toml", "README.md", "LICENSE", "vbvrdatafactory", "lambda_worker", "generators")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".environments", ".fetching", ".venv", ".git")
# A base of Debian's has the generators' version of Python.
_SUITE = "bookworm"
_PACKAGES = "python3,python3-pip,python3-venv,ca-certificates"
_BUILD_SECONDS = 3600


def missing() -> str:
    """Why no image can be built and run here; empty where it can."""
    if not sys.platform.startswith("linux"):
        return "images are built on Linux alone"
    absent = [name for name in ("buildah", "debootstrap", "unshare") if shutil.which(name) is None]
    if absent:
        return f"there is no {', no '.join(absent)}: apt-get install buildah debootstrap"
    return "" if os.geteuid() == 0 else "chroot needs root"


@dataclass(frozen=True)
class Image:
    """An image that was built, unpacked.

    Args:
        root: its files.
        config: what it says of how it is run: ``User``, ``Env``, ``Entrypoint``, ``Cmd``, ``WorkingDir``.
        log: what the build printed.
    """

    root: Path
    config: dict[str, Any]
    log: str

    def start(
        self, command: list[str], environment: dict[str, str], **options: Any
    ) -> subprocess.Popen[bytes]:
        """Run a command of it as Lambda would; `tests.soak.confine` says how."""
        user, group = self.config["User"].split(":")
        own = dict(variable.split("=", 1) for variable in self.config["Env"])
        orders = {
            "root": str(self.root),
            "user": int(user),
            "group": int(group),
            "folder": self.config["WorkingDir"],
            "temp_mb": 512,
            "environment": {**own, **environment},
            "command": command,
        }
        started = [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            sys.executable,
            "-I",
            str(CONFINE),
        ]
        return subprocess.Popen([*started, json.dumps(orders)], stdin=subprocess.DEVNULL, **options)


class Buildah:
    """buildah with a storage of its own.

    Args:
        folder: where all that it writes lies.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._called = [
            "buildah", "--storage-driver", "vfs", "--root", str(folder / "storage"), "--runroot", str(folder / "run"),
        ]  # fmt: skip

    def call(self, *arguments: str) -> str:
        """Its standard output.

        Raises:
            RuntimeError: it failed; the message has the end of what it printed.
        """
        done = subprocess.run(
            [*self._called, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if arguments[0] == "bud" else subprocess.PIPE,
            text=True,
            timeout=_BUILD_SECONDS,
            check=False,
        )
        if done.returncode:
            said = (done.stdout + (done.stderr or ""))[-4000:]
            raise RuntimeError(f"'buildah {arguments[0]}' ended with {done.returncode}: {said}")
        return done.stdout

    def make_base(self) -> str:
        """The name of a base made of Debian's packages."""
        context = self._folder / "base"
        root = context / "root"
        context.mkdir()
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _SUITE, str(root)],
            stdout=subprocess.DEVNULL,
            timeout=_BUILD_SECONDS,
            check=True,
        )
        subprocess.run(["tar", "-C", str(root), "-cf", str(context / "root.tar"), "."], check=True)
        shutil.rmtree(root)
        (context / "Dockerfile").write_text("FROM scratch\nADD root.tar /\n")
        self.call("bud", "--isolation", "chroot", "--tag", "localhost/base", str(context))
        shutil.rmtree(context)
        return "localhost/base"

    def build(self, base: str, context: Path) -> Image:
        """Build lambda_worker/Dockerfile on `base`, and unpack what came of it."""
        # Behind a proxy that inspects TLS the variable names a file with its certificate.
        certificate = os.environ.get("SSL_CERT_FILE")
        secret = ["--secret", f"id=ca,src={certificate}"] if certificate else []
        log = self.call(
            "bud", "--isolation", "chroot", "--network", "host", "--build-arg", f"BASE={base}", *secret,
            "--file", str(context / "lambda_worker" / "Dockerfile"), "--tag", "localhost/worker", str(context),
        )  # fmt: skip
        config = json.loads(self.call("inspect", "--type", "image", "localhost/worker"))["OCIv1"]["config"]
        container = self.call("from", "localhost/worker").strip()
        return Image(Path(self.call("mount", container).strip()), config, log)


@contextmanager
def buildah() -> Iterator[Buildah]:
    """A buildah whose storage goes with the block: gigabytes, as every layer is a folder with all files."""
    with TemporaryDirectory(prefix="datafactory-image-") as folder:
        made = Buildah(Path(folder))
        try:
            yield made
        finally:
            made.call("umount", "--all")


def copy_context(folder: Path) -> Path:
    """What a build has of the checkout, in a folder of the test's own."""
    for name in _CONTEXT:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=_LEFT_OUT)
        else:
            shutil.copy2(source, folder / name)
    return folder
