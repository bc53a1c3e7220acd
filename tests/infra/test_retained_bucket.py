"""The bucket that a deleted stack leaves, and a new stack around it, by the CloudFormation of the embedded AWS."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra import paths
from infra.addresses import EmbeddedInfo
from infra.local import EmbeddedAws
from infra.settings import STACK_ID
from tests.infra.conftest import client
from vbvrdatafactory import aws
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.s3.listing import sizes, take_inventory

pytestmark = pytest.mark.aws

GENERATOR = "T-kept"
TINY = Path(__file__).parents[1] / "data" / "tiny_generator"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[EmbeddedAws]:
    """An embedded AWS with the real worker and a small generator."""
    shutil.copytree(TINY, tmp_path / "generators" / GENERATOR)
    one = EmbeddedAws(tmp_path / "state", tmp_path / "generators", concurrency=2)
    yield one
    one.down()


def make(info: EmbeddedInfo, start: int) -> None:
    """Have the worker make two samples from this index on; wait until they and their receipt are there."""
    message = TaskMessage(type=GENERATOR, num_samples=2, start_index=start, seed=start + 1)
    client(info, "sqs").send_message(QueueUrl=info.queue_url, MessageBody=message.model_dump_json())
    store, deadline = aws.bucket(info.config, info.bucket), time.monotonic() + 30
    wanted = IndexRange(0, start + 2)
    while take_inventory(store)[GENERATOR].missing(wanted) or len(receipts(info)) < start // 2 + 1:
        assert time.monotonic() < deadline, "no samples and receipt within 30 s"
        time.sleep(0.1)


def objects(info: EmbeddedInfo) -> dict[str, str]:
    """Everything in the bucket, with its ETag."""
    store = aws.bucket(info.config, info.bucket)
    return {one["path"]: one["e_tag"] for page in store.list() for one in page}


def receipts(info: EmbeddedInfo) -> list[str]:
    store = aws.bucket(info.config, info.bucket)
    return [key for key, _ in sizes(store, f"{keys.RECEIPTS}{GENERATOR}/")]


def policy(info: EmbeddedInfo) -> dict[str, Any]:
    found = client(info, "s3").get_bucket_policy(Bucket=info.bucket)["Policy"]
    return dict(json.loads(found))


def refuses_without_tls(found: dict[str, Any]) -> bool:
    return any(
        one["Effect"] == "Deny" and one["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for one in found["Statement"]
    )


def by_its_name(here: EmbeddedAws, info: EmbeddedInfo) -> EmbeddedInfo:
    """One change set makes the stack and imports what has its name: ``cdk deploy --import-existing-resources``."""
    return here.up()


def by_an_import(here: EmbeddedAws, info: EmbeddedInfo) -> EmbeddedInfo:
    """A stack of the bucket alone, imported, then the rest of it: ``cdk import``, then ``cdk deploy``."""
    cloudformation = client(info, "cloudformation")
    whole = json.loads(paths.LOCAL_TEMPLATE.read_text())
    resources = whole["Resources"].items()
    ((name, bucket),) = [(name, one) for name, one in resources if one["Type"] == "AWS::S3::Bucket"]
    identified = {"BucketName": info.bucket}
    imported = {"ResourceType": bucket["Type"], "LogicalResourceId": name, "ResourceIdentifier": identified}
    change_set = {"StackName": STACK_ID, "ChangeSetName": "import"}
    cloudformation.create_change_set(
        **change_set,
        ChangeSetType="IMPORT",
        TemplateBody=json.dumps({"Resources": {name: bucket}}),
        ResourcesToImport=[imported],
    )
    cloudformation.get_waiter("change_set_create_complete").wait(**change_set, WaiterConfig={"Delay": 1})
    cloudformation.execute_change_set(**change_set)
    cloudformation.get_waiter("stack_import_complete").wait(StackName=STACK_ID, WaiterConfig={"Delay": 1})
    kept = cloudformation.list_stack_resources(StackName=STACK_ID)["StackResourceSummaries"]
    assert [one["PhysicalResourceId"] for one in kept] == [info.bucket]
    return here.up()


@pytest.mark.parametrize("take_up", [by_its_name, by_an_import])
def test_a_new_stack_works_with_the_bucket_of_the_old_one(
    here: EmbeddedAws, take_up: Callable[[EmbeddedAws, EmbeddedInfo], EmbeddedInfo]
) -> None:
    """Samples, records and the TLS-only policy outlive the stack, and the new stack's worker goes on in that bucket."""
    info = here.up()
    make(info, 0)
    before, guarded = objects(info), policy(info)
    assert refuses_without_tls(guarded)

    client(info, "cloudformation").delete_stack(StackName=STACK_ID)
    client(info, "cloudformation").get_waiter("stack_delete_complete").wait(
        StackName=STACK_ID, WaiterConfig={"Delay": 1}
    )
    assert not client(info, "sqs").list_queues().get("QueueUrls"), "the rest went with the stack"
    assert (objects(info), policy(info)) == (before, guarded)

    after = take_up(here, info)
    assert after.bucket == info.bucket
    assert (objects(after), policy(after)) == (before, guarded)
    make(after, 2)
    assert objects(after).items() > before.items()
    buckets = client(after, "s3").list_buckets()["Buckets"]
    assert {one["Name"] for one in buckets} == {info.bucket, "vbvr-datafactory-code"}, (
        "no second dataset bucket"
    )
