"""Importing the library never connects, never reads an address, never fails."""

import subprocess
import sys
from pathlib import Path

import pytest

PUBLIC_IMPORTS = """
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.sqs.submitter import TaskSubmitter
from vbvrdatafactory.core.config import config
"""
EVERY_ROOM = """
import importlib, pkgutil
from vbvrdatafactory import aws, core, s3, sqs
for room in (core, s3, sqs):
    for module in pkgutil.iter_modules(room.__path__, room.__name__ + "."):
        importlib.import_module(module.name)
"""
CORE_ONLY = """
import importlib, pkgutil
from vbvrdatafactory import core
for module in pkgutil.iter_modules(core.__path__, core.__name__ + "."):
    importlib.import_module(module.name)
"""
# Prints what the interpreter connected to, and which settings files it opened.
WATCH = """
import sys
def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        print(event, args[1:])
    if event == "open" and str(args[0]).endswith((".env", "/.aws/config", "/.aws/credentials")):
        print(event, args[0])
sys.addaudithook(watch)
"""
WITHOUT = "import sys; sys.modules.update(dict.fromkeys({names!r}))\n"


def run(code: str, folder: Path, **environment: str) -> str:
    """Standard output of `code` in a new interpreter whose whole environment is `environment`."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_three_public_imports_work_in_an_empty_environment(tmp_path: Path) -> None:
    """The documented imports need no variable and touch neither the network nor a settings file."""
    assert run(WATCH + PUBLIC_IMPORTS, tmp_path) == ""


def test_importing_ignores_a_profile_that_does_not_exist(tmp_path: Path) -> None:
    """A stale AWS_PROFILE, region or endpoint in the shell cannot break an import."""
    stale = {"AWS_PROFILE": "nonexistent", "AWS_REGION": "nowhere-1", "AWS_ENDPOINT_URL": "no url"}
    assert run(WATCH + EVERY_ROOM, tmp_path, **stale) == ""


def test_importing_ignores_an_unreadable_env_file(tmp_path: Path) -> None:
    """A `.env` that nobody can read is a matter of using an address, not of importing."""
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00=\xff")
    (tmp_path / ".env").chmod(0)
    run(PUBLIC_IMPORTS, tmp_path, DATAFACTORY_ENV_FILE="no/such/file")


@pytest.mark.parametrize("absent", [("prefect", "prefect_aws", "aws_cdk")])
def test_the_library_needs_no_prefect_and_no_cdk(tmp_path: Path, absent: tuple[str, ...]) -> None:
    """The Lambda image installs neither, so every room imports without them."""
    run(WITHOUT.format(names=absent) + EVERY_ROOM, tmp_path)


@pytest.mark.parametrize("absent", [("boto3", "botocore", "obstore", "prefect", "aws_cdk")])
def test_the_rules_need_no_aws_client(tmp_path: Path, absent: tuple[str, ...]) -> None:
    """Everything in core is importable where no AWS client is installed."""
    run(WITHOUT.format(names=absent) + CORE_ONLY, tmp_path)
