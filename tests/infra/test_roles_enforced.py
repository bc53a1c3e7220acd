"""The roles of the stack, evaluated by the embedded AWS with IAM enforced, over TLS: what each may do, and nothing else.

Each attempt is a row of the table in docs/aws.md.
"""

import io
import json
import os
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError

from infra import paths
from infra.settings import STACK_ID

pytestmark = [pytest.mark.aws, pytest.mark.filterwarnings("ignore:Unverified HTTPS request")]
ROOT = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


class Account(NamedTuple):
    """An account in which the stack stands."""

    endpoint: str
    outputs: dict[str, str]

    def client(self, service: str, role: str = "", *, secure: bool = True) -> Any:
        """A client of root, or of the role whose name has `role` in it."""
        keys = self.assume(role) if role else ROOT
        endpoint = self.endpoint if secure else self.endpoint.replace("https://", "http://")
        return boto3.client(
            service,
            endpoint_url=endpoint,
            region_name="us-east-2",
            verify=False,
            config=BotoConfig(retries={"total_max_attempts": 1}),
            **keys,
        )

    def assume(self, role: str) -> dict[str, str]:
        (arn,) = [one["Arn"] for one in self.client("iam").list_roles()["Roles"] if role in one["RoleName"]]
        found = self.client("sts").assume_role(RoleArn=arn, RoleSessionName="probe")["Credentials"]
        return {
            "aws_access_key_id": found["AccessKeyId"],
            "aws_secret_access_key": found["SecretAccessKey"],
            "aws_session_token": found["SessionToken"],
        }


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """The embedded AWS with IAM enforced and TLS, and the committed template's stack on it."""
    folder = tmp_path_factory.mktemp("enforced")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {"AUTH": "true", "USE_SSL": "1", "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    settings |= {"SFTP_ENABLED": "0", "IOT_MTLS_ENABLED": "0", "MINISTACK_REGION": "us-east-2"}
    settings |= dict.fromkeys(("HOME", "TMPDIR", "STATE_DIR"), str(folder))
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            env={"PATH": os.environ["PATH"], **settings},
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        endpoint = f"https://127.0.0.1:{port}"
        _wait_for(f"{endpoint}/_ministack/health", server, folder / "log")
        yield Account(endpoint, _create_stack(Account(endpoint, {})))
    finally:
        # Nothing of it is needed any more, and it waits for connections that clients keep.
        server.kill()
        server.wait(20)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    context = ssl._create_unverified_context()
    for _ in range(200):
        with suppress(OSError), urllib.request.urlopen(url, timeout=1, context=context):
            return
        assert server.poll() is None, log.read_text()[-2000:]
        time.sleep(0.1)
    raise AssertionError(log.read_text()[-2000:])


def _create_stack(account: Account) -> dict[str, str]:
    s3, cloudformation = account.client("s3"), account.client("cloudformation")
    s3.create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("nothing.py", "")
    s3.put_object(Bucket="code", Key="code.zip", Body=code.getvalue())
    values = {"CodeBucket": "code", "CodeKey": "code.zip", "GeneratorsPath": "/nowhere"}
    cloudformation.create_stack(
        StackName=STACK_ID,
        TemplateBody=paths.LOCAL_TEMPLATE.read_text(),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=STACK_ID, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    (stack,) = cloudformation.describe_stacks(StackName=STACK_ID)["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}


Attempt = Callable[[Account, str], Any]
KEYS = (
    "questions/a/b",
    "_datafactory/receipts/a/b",
    "_datafactory/failures/a/b",
    "_datafactory/unreadable/b",
)
SPEC, LOCK = "_datafactory/datasets/d/spec.json", "_datafactory/datasets/d/lease.json"


def put(key: str, bucket: str = "") -> Attempt:
    return lambda account, role: account.client("s3", role).put_object(
        Bucket=bucket or account.outputs["BucketName"], Key=key, Body=b"x"
    )


def get(key: str) -> Attempt:
    return lambda account, role: account.client("s3", role).get_object(
        Bucket=account.outputs["BucketName"], Key=key
    )


def delete(key: str) -> Attempt:
    return lambda account, role: account.client("s3", role).delete_object(
        Bucket=account.outputs["BucketName"], Key=key
    )


def listing(prefix: str | None) -> Attempt:
    asked = {} if prefix is None else {"Prefix": prefix}
    return lambda account, role: account.client("s3", role).list_objects_v2(
        Bucket=account.outputs["BucketName"], **asked
    )


def send(queue: str) -> Attempt:
    return lambda account, role: account.client("sqs", role).send_message(
        QueueUrl=account.outputs[queue], MessageBody="{}"
    )


def receive(queue: str) -> Attempt:
    return lambda account, role: account.client("sqs", role).receive_message(QueueUrl=account.outputs[queue])


def purge(account: Account, role: str) -> Any:
    return account.client("sqs", role).purge_queue(QueueUrl=account.outputs["QueueUrl"])


def roles(account: Account, role: str) -> Any:
    return account.client("iam", role).list_roles()


WORKER_MAY = [
    *map(put, KEYS), get(KEYS[1]), get("questions/a_00000-00001.tar.gz"), delete(KEYS[0]),
    listing("questions/a/"), listing("_datafactory/receipts/a/"),
    send("QueueUrl"), receive("QueueUrl"), send("DlqUrl"),
]  # fmt: skip
WORKER_MAY_NOT = [
    put(SPEC), put(LOCK), put("_datafactory/datasets/d/control.json"), put("other/key"), put(KEYS[0], "code"),
    get(SPEC), get(KEYS[0]), get(KEYS[2]), delete(SPEC), delete(KEYS[1]), delete(KEYS[2]),
    listing(None), listing("_datafactory/datasets/"), listing("_datafactory/"),
    receive("DlqUrl"), purge, roles,
]  # fmt: skip
SUBMIT_MAY = [
    put(SPEC), put(LOCK), get(SPEC), get(KEYS[1]), listing(None), listing("questions/"), send("QueueUrl"),
]  # fmt: skip
SUBMIT_MAY_NOT = [
    put(KEYS[0]), put(KEYS[1]), get(KEYS[0]), delete(KEYS[0]), delete(SPEC), put(SPEC, "code"),
    receive("QueueUrl"), send("DlqUrl"), purge, roles,
]  # fmt: skip


@pytest.fixture(scope="module")
def filled(account: Account) -> Account:
    """Every object that is asked for is there, so that a refusal is a refusal."""
    for key in (*KEYS, SPEC, "questions/a_00000-00001.tar.gz"):
        put(key)(account, "")
    return account


@pytest.mark.parametrize(
    ("role", "attempt"),
    [*(("WorkerRole", one) for one in WORKER_MAY), *(("SubmitRole", one) for one in SUBMIT_MAY)],
)
def test_each_can_do_its_job(filled: Account, role: str, attempt: Attempt) -> None:
    """What its work takes is allowed."""
    attempt(filled, role)


@pytest.mark.parametrize(
    ("role", "attempt"),
    [*(("WorkerRole", one) for one in WORKER_MAY_NOT), *(("SubmitRole", one) for one in SUBMIT_MAY_NOT)],
)
def test_everything_else_is_denied(filled: Account, role: str, attempt: Attempt) -> None:
    """Other prefixes, other buckets, reading what it only writes, other queues' messages, IAM."""
    with pytest.raises(ClientError) as denied:
        attempt(filled, role)
    assert denied.value.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}


def test_the_policies_of_bucket_and_queues_ask_for_tls(account: Account) -> None:
    """Whoever it is, a request without TLS is refused by bucket and queues."""
    s3, sqs = account.client("s3"), account.client("sqs")
    said = [s3.get_bucket_policy(Bucket=account.outputs["BucketName"])["Policy"]]
    for queue in ("QueueUrl", "DlqUrl"):
        answer = sqs.get_queue_attributes(QueueUrl=account.outputs[queue], AttributeNames=["Policy"])
        said.append(answer["Attributes"]["Policy"])
    for policy in said:
        (statement,) = json.loads(policy)["Statement"]
        assert statement["Effect"] == "Deny"
        assert statement["Condition"]["Bool"]["aws:SecureTransport"] in {"false", False}
