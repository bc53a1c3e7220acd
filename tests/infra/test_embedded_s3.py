"""What the embedded S3 says is what its disk holds, while it runs and after."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError

from infra.addresses import EmbeddedInfo
from infra.local import EmbeddedAws
from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config

pytestmark = pytest.mark.aws


@pytest.fixture(scope="module")
def info(shared: EmbeddedAws) -> EmbeddedInfo:
    return shared.up()


@pytest.fixture(scope="module")
def s3(info: EmbeddedInfo) -> Any:
    return aws.s3(info.config)


@pytest.fixture
def folder(info: EmbeddedInfo, s3: Any) -> Iterator[Path]:
    """The folder of four objects on disk; their keys are odd ones too, which lie under another name."""
    for key in KEYS:
        s3.put_object(Bucket=info.bucket, Key=key, Body=b"content", Metadata={"kept": "yes"})
    yield info.bucket_folder
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=info.bucket, Prefix="disk/"):
        for found in page.get("Contents", []):
            s3.delete_object(Bucket=info.bucket, Key=found["Key"])


KEYS = ["disk/a/one", "disk/a/two", "disk/b/one", "disk//odd"]


def listed(s3: Any, bucket: str, **how: Any) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="disk/", **how)
    return [
        each.get("Key") or each["Prefix"]
        for page in pages
        for each in page.get("Contents", []) + page.get("CommonPrefixes", [])
    ]


def is_missing(s3: Any, bucket: str, key: str) -> bool:
    """Whether every way to ask for the object says that it is not there."""
    asked = [
        lambda: s3.head_object(Bucket=bucket, Key=key),
        lambda: s3.get_object(Bucket=bucket, Key=key),
        lambda: s3.copy_object(Bucket=bucket, Key="disk/copy", CopySource={"Bucket": bucket, "Key": key}),
    ]
    answers = []
    for ask in asked:
        try:
            ask()
        except ClientError as error:
            answers.append(error.response["ResponseMetadata"]["HTTPStatusCode"] == 404)
        else:
            answers.append(False)
    assert len(set(answers)) == 1, answers
    return answers[0]


def test_a_file_that_was_deleted_is_no_object(info: EmbeddedInfo, s3: Any, folder: Path) -> None:
    """Right after rm, neither a listing nor a call that names it finds the object; its neighbours stay."""
    (folder / "disk/a/one").unlink()
    assert is_missing(s3, info.bucket, "disk/a/one")
    (folder / "disk/b/one").unlink()
    assert listed(s3, info.bucket) == ["disk//odd", "disk/a/two"]


def test_an_odd_keys_file_may_be_deleted_too(info: EmbeddedInfo, s3: Any, folder: Path) -> None:
    """A key that no path can have lies under a name of its own, and is missed as well."""
    for file in (folder / ".ministack-keys").glob("disk*odd"):
        file.unlink()
    assert listed(s3, info.bucket) == sorted(KEYS[:3])


@pytest.mark.parametrize("how", [{}, {"Delimiter": "/"}, {"PaginationConfig": {"PageSize": 1}}])
def test_a_folder_that_was_deleted_is_gone(
    info: EmbeddedInfo, s3: Any, folder: Path, how: dict[str, Any]
) -> None:
    """A folder deleted whole is in no listing, by pages or by folders, and can be put again."""
    shutil.rmtree(folder / "disk/a")
    found = listed(s3, info.bucket, **how)
    assert found == (["disk//", "disk/b/"] if "Delimiter" in how else ["disk//odd", "disk/b/one"])
    s3.put_object(Bucket=info.bucket, Key="disk/a/one", Body=b"again", IfNoneMatch="*")
    assert s3.get_object(Bucket=info.bucket, Key="disk/a/one")["Body"].read() == b"again"


def test_a_bucket_folder_that_was_deleted_leaves_an_empty_bucket(
    info: EmbeddedInfo, s3: Any, folder: Path
) -> None:
    """The bucket is still there to write to, with nothing in it."""
    shutil.rmtree(folder)
    assert s3.list_objects_v2(Bucket=info.bucket)["KeyCount"] == 0
    s3.put_object(Bucket=info.bucket, Key="disk/new", Body=b"x")
    assert listed(s3, info.bucket) == ["disk/new"]


@pytest.mark.parametrize("content", [b"", b"con", b"CONTENT", b"more than it was"])
def test_a_file_that_was_edited_is_what_it_has_become(
    info: EmbeddedInfo, s3: Any, folder: Path, content: bytes
) -> None:
    """Size, ETag and content are those of the file, cut short, changed in place or made longer."""
    before = s3.head_object(Bucket=info.bucket, Key="disk/a/one")
    (folder / "disk/a/one").write_bytes(content)
    found = s3.list_objects_v2(Bucket=info.bucket, Prefix="disk/a/one")["Contents"][0]
    got = s3.get_object(Bucket=info.bucket, Key="disk/a/one")
    assert (found["Size"], got["Body"].read()) == (len(content), content)
    assert found["ETag"] == got["ETag"] != before["ETag"]
    assert got["Metadata"] == {"kept": "yes"}


def test_a_deleted_sidecar_does_no_harm(info: EmbeddedInfo, s3: Any, folder: Path) -> None:
    """Without its .meta.json an object is still what its file is."""
    (folder / "disk/a/one.meta.json").unlink()
    assert s3.get_object(Bucket=info.bucket, Key="disk/a/one")["Body"].read() == b"content"
    assert listed(s3, info.bucket) == sorted(KEYS)


@pytest.fixture
def no_room(folder: Path) -> Path:
    """A file that cannot be written: a folder in the way of the temporary one stands for a full disk."""
    (folder / "disk/full.tmp").mkdir()
    yield folder
    shutil.rmtree(folder / "disk/full.tmp", ignore_errors=True)
    shutil.rmtree(folder / "disk/full.meta.json.tmp", ignore_errors=True)


def put(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="disk/full", Body=b"new")


def copy(s3: Any, bucket: str) -> None:
    s3.copy_object(Bucket=bucket, Key="disk/full", CopySource={"Bucket": bucket, "Key": "disk/a/one"})


def upload_parts(s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="disk/full")["UploadId"]
    where = {"Bucket": bucket, "Key": "disk/full", "UploadId": upload}
    part = s3.upload_part(**where, PartNumber=1, Body=b"new")
    s3.complete_multipart_upload(
        **where, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    )


@pytest.fixture(scope="module")
def impatient(info: EmbeddedInfo) -> Any:
    """A client that asks once."""
    once = BotoConfig(retries={"max_attempts": 0}, proxies={})
    return aws.session(info.config).client("s3", endpoint_url=info.endpoint, config=once)


@pytest.mark.parametrize("write", [put, copy, upload_parts])
@pytest.mark.parametrize("in_the_way", ["full", "full.meta.json"])
@pytest.mark.parametrize("before", [None, b"old"])
def test_what_could_not_be_written_is_not_stored(
    info: EmbeddedInfo, impatient: Any, no_room: Path, write: Any, in_the_way: str, before: bytes | None
) -> None:
    """However an object is written, content or sidecar: the call fails and says why, and no listing has it."""
    (no_room / "disk/full.tmp").rmdir()
    if before:
        impatient.put_object(Bucket=info.bucket, Key="disk/full", Body=before)
    (no_room / f"disk/{in_the_way}.tmp").mkdir()
    with pytest.raises(ClientError, match="could not write to its disk") as raised:
        write(impatient, info.bucket)
    # No status for which clients ask again and again.
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert raised.value.response["Error"]["Code"] == "InsufficientStorage"
    assert ("disk/full" in listed(impatient, info.bucket)) is (before is not None)
    assert (no_room / "disk/full").exists() is (before is not None)


def test_an_upload_can_be_completed_when_there_is_room_again(
    info: EmbeddedInfo, impatient: Any, no_room: Path
) -> None:
    """A failed completion is not remembered as done: the same call succeeds later."""
    upload = impatient.create_multipart_upload(Bucket=info.bucket, Key="disk/full")["UploadId"]
    where = {"Bucket": info.bucket, "Key": "disk/full", "UploadId": upload}
    part = impatient.upload_part(**where, PartNumber=1, Body=b"new")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    with pytest.raises(ClientError, match="could not write"):
        impatient.complete_multipart_upload(**where, MultipartUpload=parts)
    (no_room / "disk/full.tmp").rmdir()
    impatient.complete_multipart_upload(**where, MultipartUpload=parts)
    assert impatient.get_object(Bucket=info.bucket, Key="disk/full")["Body"].read() == b"new"


def test_a_folder_that_cannot_be_made_is_a_failed_write(
    info: EmbeddedInfo, impatient: Any, folder: Path
) -> None:
    """Where the object's folder cannot be made, the put fails as well."""
    (folder / "disk/blocked").symlink_to("blocked")
    with pytest.raises(ClientError, match="could not write"):
        impatient.put_object(Bucket=info.bucket, Key="disk/blocked/key", Body=b"x")
    (folder / "disk/blocked").unlink()
    assert "disk/blocked/key" not in listed(impatient, info.bucket)


def test_what_was_edited_while_it_was_down_is_seen(bare: EmbeddedAws, state_dir: Path) -> None:
    """A file's own size counts after a start, too, not the one its sidecar remembers."""
    first = bare.up()
    s3 = aws.s3(Config(aws_endpoint_url=first.endpoint))
    s3.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": first.region})
    for key in ("same", "cut", "gone"):
        s3.put_object(Bucket="mine", Key=key, Body=b"content")
    bare.down()
    (file,) = state_dir.glob("s3/*/mine/cut")
    os.truncate(file, 3)
    file.with_name("gone").unlink()
    s3 = aws.s3(Config(aws_endpoint_url=bare.up().endpoint))
    found = {each["Key"]: each["Size"] for each in s3.list_objects_v2(Bucket="mine")["Contents"]}
    assert found == {"same": 7, "cut": 3}
