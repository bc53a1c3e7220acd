"""Lists what obstore refuses: keys that can't be a path, such as ``questions/a//b``, which S3 takes all the same.

obstore fails the whole page that holds one. boto3 lists that page: a hundred times slower, whatever is in it.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from obstore.exceptions import BaseError, InvalidPathError
from obstore.store import ObjectStore, S3Store

from vbvrdatafactory import aws
from vbvrdatafactory.core import keys

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

# Called with each key that can't be a path.
LeftOut = Callable[[str], None]


class Stored(NamedTuple):
    """An object as a listing shows it; the fields are called as obstore's columns are."""

    path: str
    size: int
    e_tag: str | None
    last_modified: datetime


class Page(NamedTuple):
    """Up to a thousand entries of a listing, without the keys that can't be a path.

    `last` is the page's last key, odd or not; `is_last` whether the listing ends with it.
    """

    objects: list[Stored]
    folders: list[str]
    last: str
    is_last: bool


class OddListing:
    """Lists what obstore refused to list.

    Args:
        store: the bucket.
        refusal: what obstore said.
        left_out: hears of every key that can't be a path.

    Raises:
        BaseError: `refusal` itself, where it is about something else or the store is not S3.
    """

    def __init__(self, store: ObjectStore, refusal: BaseError, left_out: LeftOut) -> None:
        is_about_a_key = isinstance(refusal, InvalidPathError) or "invalid list response" in str(refusal)
        if not (is_about_a_key and isinstance(store, S3Store)):
            raise refusal
        self._bucket = str(store.config["bucket"])
        self._client = aws.s3_of(store)
        self._left_out = left_out

    def pages(self, prefix: str, *, after: str = "", delimiter: str = "") -> Iterator[Page]:
        """The keys that begin with `prefix`, from the one behind `after` on."""
        found = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, StartAfter=after, Delimiter=delimiter
        )
        return (_page(answer, self._left_out) for answer in found)


def _page(answer: "ListObjectsV2OutputTypeDef", left_out: LeftOut) -> Page:
    contents = answer.get("Contents", [])
    for entry in contents:
        if not keys.is_path(_name(entry["Key"])):
            left_out(entry["Key"])
    return Page(
        [
            Stored(_name(entry["Key"]), entry["Size"], entry.get("ETag"), entry["LastModified"])
            for entry in contents
            if keys.is_path(_name(entry["Key"]))
        ],
        [entry["Prefix"] for entry in answer.get("CommonPrefixes", [])],
        contents[-1]["Key"] if contents else "",
        not answer["IsTruncated"],
    )


def _name(key: str) -> str:
    """The key as obstore has it, which takes the slash off the empty object that consoles make for a folder."""
    return key.removesuffix("/")
