"""Importing the library never connects, never reads an address, never fails."""

import shutil
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


# Refuses every module that is neither of the standard library nor among `allowed`, and whatever `refused` names.
ALONE = """
import sys
class Alone:
    def find_spec(self, name, path=None, target=None):
        root = name.partition(".")[0]
        known = root in sys.stdlib_module_names | {allowed!r} or root.startswith("_sysconfigdata")
        if not known or name.startswith({refused!r}):
            raise ImportError(f"{{name}} is not there in a Lambda")
sys.meta_path.insert(0, Alone())
"""
# What of the lock the handler needs; boto3 only when a message is to be released or moved.
IN_LAMBDA = {
    "annotated_types", "arro3", "lambda_worker", "obstore", "psutil", "pydantic", "pydantic_core", "typing_extensions",
    "typing_inspection", "vbvrdatafactory",
}  # fmt: skip
NOT_IN_LAMBDA = (
    "lambda_worker.pull",
    *(f"vbvrdatafactory.{room}" for room in ("cli", "driver", "fleet", "report", "sqs", "testing")),
)
MAKE_A_BATCH = """
import json, os
from vbvrdatafactory import aws
from obstore.store import MemoryStore
from lambda_worker.handler import handler
class Context:
    aws_request_id = "alone"
    def get_remaining_time_in_millis(self): return 60_000
store = MemoryStore()
class Memory:
    def bucket(self, name): return store
with aws.replaced_by(Memory()):
    print(handler({"type": "tiny", "num_samples": 2, "seed": 1}, Context())["samples_uploaded"])
"""
TINY = Path(__file__).parents[1] / "data" / "tiny_generator"


def test_the_handler_runs_with_everything_else_absent(tmp_path: Path) -> None:
    """It makes a whole batch without rich, click, boto3, Prefect, CDK and the rooms that never run in a Lambda."""
    shutil.copytree(TINY, tmp_path / "generators" / "tiny")
    alone = ALONE.format(allowed=IN_LAMBDA, refused=NOT_IN_LAMBDA)
    there = {"GENERATORS_PATH": str(tmp_path / "generators"), "OUTPUT_BUCKET": "bucket"}
    assert run(alone + MAKE_A_BATCH, tmp_path, **there) == "2\n"


@pytest.mark.parametrize("needed", ["rich", "boto3", "vbvrdatafactory.driver", "lambda_worker.pull.loop"])
def test_what_is_absent_is_refused(tmp_path: Path, needed: str) -> None:
    """The test above would fail if the handler needed it."""
    alone = ALONE.format(allowed=IN_LAMBDA, refused=NOT_IN_LAMBDA)
    with pytest.raises(AssertionError, match="is not there in a Lambda"):
        run(f"{alone}import {needed}", tmp_path)
