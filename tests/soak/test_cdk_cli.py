"""The real CDK CLI on the embedded AWS: bootstrap, deploy, again, diff, destroy, and the bucket that is taken up again.

The stack is the one of the checkout with the worker as a zip file: there is no Docker engine to build an image with.
"""

import os
import resource
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from shutil import which
from typing import Any, NamedTuple

import boto3
import pytest

from infra import bundle, paths
from infra.settings import STACK_ID

pytestmark = [pytest.mark.soak, pytest.mark.aws]
CLI = "aws-cdk@2"
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-2"}


class Account(NamedTuple):
    """An embedded AWS, and the CLI that works on it."""

    endpoint: str
    folder: Path

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.endpoint, **KEYS)

    def cdk(self, *arguments: str) -> str:
        """Run ``cdk``; what it printed."""
        environment = {
            **_environment(self.folder),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-2",
            "AWS_SECRET_ACCESS_KEY": "test",
            "CDK_DEFAULT_ACCOUNT": "000000000000",
            "CDK_DEFAULT_REGION": "us-east-2",
        }
        done = subprocess.run(
            ["npx", "--yes", CLI, *arguments],
            cwd=paths.CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            preexec_fn=_without_limit,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout

    def deploy(self, *more: str) -> str:
        asked = {
            "CodeBucket": "code-of-the-worker",
            "CodeKey": "worker.zip",
            "GeneratorsPath": str(paths.GENERATORS),
        }
        given = [part for name, value in asked.items() for part in ("--parameters", f"{name}={value}")]
        return self.cdk("deploy", "--require-approval", "never", *self.common, *given, *more)

    @property
    def common(self) -> list[str]:
        return ["--output", str(self.folder / "out"), "-c", "workerPackaging=zip"]

    def outputs(self) -> dict[str, str]:
        (stack,) = self.client("cloudformation").describe_stacks(StackName=STACK_ID)["Stacks"]
        return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


def _without_limit() -> None:
    """Lift the limit of addresses that tests of memory give this process: Node.js reserves far more than it uses."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def _environment(folder: Path) -> dict[str, str]:
    """What Node.js needs: a home of this test's own, and how npm reaches its registry."""
    passed = (name for name in os.environ if name.lower().startswith(("npm_config", "node_extra", "http")))
    return {
        "HOME": str(folder),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        **{name: os.environ[name] for name in passed},
    }


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An embedded AWS with nothing in it but the worker's zip file."""
    if which("npx") is None:
        pytest.skip("there is no npx: Node.js is needed")
    folder = tmp_path_factory.mktemp("cdk")
    answers = subprocess.run(
        ["npx", "--yes", CLI, "--version"],
        env=_environment(folder),
        capture_output=True,
        text=True,
        timeout=180,
        preexec_fn=_without_limit,
        check=False,
    )
    if answers.returncode:
        pytest.skip(f"the CDK CLI can't be fetched or started: {answers.stderr[:500]}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "MINISTACK_REGION": "us-east-2",
        "SFTP_ENABLED": "0",
        **dict.fromkeys(("HOME", "STATE_DIR", "TMPDIR"), str(folder)),
    }
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=environment, cwd=folder, stdout=log, stderr=log
        )
    try:
        made = Account(f"http://127.0.0.1:{port}", folder)
        _wait_for(f"{made.endpoint}/_ministack/health", server)
        s3, worker = (
            made.client("s3"),
            bundle.build([paths.CHECKOUT / "lambda_worker", paths.CHECKOUT / "vbvrdatafactory"]),
        )
        s3.create_bucket(
            Bucket="code-of-the-worker", CreateBucketConfiguration={"LocationConstraint": "us-east-2"}
        )
        s3.put_object(Bucket="code-of-the-worker", Key="worker.zip", Body=worker.content)
        yield made
    finally:
        server.kill()
        server.wait(20)


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        with suppress(OSError), urllib.request.urlopen(url, timeout=1):
            return
        assert server.poll() is None, "the embedded AWS ended before it was up"
        time.sleep(0.1)
    raise AssertionError("the embedded AWS did not come up")


def test_from_bootstrap_to_a_bucket_that_is_taken_up_again(account: Account) -> None:
    """Deployed twice is no change, a diff is empty, and destroying leaves the bucket, its policy and what is in it for the next."""
    assert "bootstrapped" in account.cdk("bootstrap", "aws://000000000000/us-east-2")
    account.deploy()
    outputs = account.outputs()
    assert {"QueueUrl", "DlqUrl", "BucketName", "FunctionName"} <= outputs.keys()
    assert "(no changes)" in account.deploy()
    assert "There were no differences" in account.cdk("diff", *account.common)
    s3, bucket = account.client("s3"), outputs["BucketName"]
    policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    s3.put_object(Bucket=bucket, Key="questions/G/t_task/t_0000/prompt.txt", Body=b"x")
    assert "destroyed" in account.cdk("destroy", "--force", *account.common)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == policy
    taken_up = ["-c", f"bucketName={bucket}", "--import-existing-resources"]
    account.deploy(*taken_up, "--method", "prepare-change-set", "--change-set-name", "again")
    # The embedded AWS prepares the import, and refuses to carry it out for the bucket's name; AWS does both.
    changes = account.client("cloudformation").describe_change_set(StackName=STACK_ID, ChangeSetName="again")
    actions = {
        each["ResourceChange"]["ResourceType"]: each["ResourceChange"]["Action"]
        for each in changes["Changes"]
    }
    assert actions["AWS::S3::Bucket"] == "Import"
    assert actions["AWS::Lambda::Function"] == "Add"
