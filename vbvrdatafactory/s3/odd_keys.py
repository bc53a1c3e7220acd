"""Lists pages with keys that are no paths, such as ``questions/a//b``: S3 has them, and obstore fails the whole page.

boto3 lists such a page instead, a hundred times slower.
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

# Called with each key that is no path.
OnOddKey = Callable[[str], None]


class Stored(NamedTuple):
    """An object in a listing; the fields are named as obstore's columns are."""

    path: str
    size: int
    e_tag: str | None
    last_modified: datetime


class Page(NamedTuple):
    """Up to 1,000 entries of a listing, without the keys that are no paths.

    Args:
        objects: the objects.
        folders: common prefixes, where a delimiter was given.
        last: the page's last key, a path or not.
        is_last: whether the listing ends with this page.
    """

    objects: list[Stored]
    folders: list[str]
    last: str
    is_last: bool


class OddListing:
    """Lists with boto3 where obstore failed because of a key.

    Args:
        store: the bucket.
        failure: obstore's error.
        on_odd_key: called with every key that is no path.

    Raises:
        BaseError: `failure` itself, where it is about something else or the store is not S3.
    """

    def __init__(self, store: ObjectStore, failure: BaseError, on_odd_key: OnOddKey) -> None:
        is_about_a_key = isinstance(failure, InvalidPathError) or "invalid list response" in str(failure)
        if not (is_about_a_key and isinstance(store, S3Store)):
            raise failure
        self._bucket, self._below = aws.address(store, "")
        self._client = aws.s3_of(store)
        self._on_odd_key = on_odd_key

    def pages(self, prefix: str, *, after: str = "", delimiter: str = "") -> Iterator[Page]:
        """The keys that begin with `prefix`, in order, after the key `after`."""
        found = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket,
            Prefix=f"{self._below}{prefix}",
            StartAfter=f"{self._below}{after}" if after else "",
            Delimiter=delimiter,
        )
        return map(self._page, found)

    def _page(self, answer: "ListObjectsV2OutputTypeDef") -> Page:
        entries = [(entry, entry["Key"].removeprefix(self._below)) for entry in answer.get("Contents", [])]
        for _, key in entries:
            if not keys.is_path(_name(key)):
                self._on_odd_key(key)
        return Page(
            [
                Stored(_name(key), entry["Size"], entry.get("ETag"), entry["LastModified"])
                for entry, key in entries
                if keys.is_path(_name(key))
            ],
            [entry["Prefix"].removeprefix(self._below) for entry in answer.get("CommonPrefixes", [])],
            entries[-1][1] if entries else "",
            not answer["IsTruncated"],
        )


def _name(key: str) -> str:
    """The key as obstore returns it: without the trailing slash of the empty object that consoles create for a folder."""
    return key.removesuffix("/")
