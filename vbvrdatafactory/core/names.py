"""Names that go into folders, keys and messages: what is valid, and the types that check it."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

_LONGEST_PREFIX = 200
# A generator's name is opaque, but it is the name of a folder and a part of a key.
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\- ]{0,199}")


def is_safe_name(name: str) -> bool:
    """Whether `name` is valid as the name of a folder and as one part of a key."""
    return bool(_SAFE_NAME.fullmatch(name)) and ".." not in name and not name.endswith((" ", "."))


def safe_name(name: str) -> str:
    """`name`, validated as the name of a folder and as one part of a key.

    Raises:
        ValueError: it has other characters, or is too long.
    """
    if not is_safe_name(name):
        raise ValueError(
            f"{name[:100]!r} is not a safe name: letters, digits, '.', '_', '-' and inner spaces, 200 at most"
        )
    return name


def safe_prefix(prefix: str) -> str:
    """`prefix`, validated as folders below which a dataset lies: without a slash at either end; empty for the bucket itself.

    Raises:
        ValueError: a part of it is no safe name, it is too long, or it begins as the bucket's own layout does.
    """
    parts = prefix.split("/") if prefix else []
    if not all(map(is_safe_name, parts)) or len(prefix) > _LONGEST_PREFIX:
        raise ValueError(
            f"{prefix[:_LONGEST_PREFIX]!r} is no prefix: safe names with '/' between them, {_LONGEST_PREFIX} characters at most"
        )
    if parts[:1] in (["questions"], ["_datafactory"]):
        raise ValueError(f"{prefix!r} lies within what has no prefix; take another one")
    return prefix


_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def is_bucket_name(name: str) -> bool:
    """Whether a bucket may be called so; anything else could be another path of the endpoint."""
    return bool(_BUCKET_NAME.fullmatch(name)) and ".." not in name


def _bucket_name(name: str) -> str:
    if not is_bucket_name(name):
        raise ValueError(f"{name[:100]!r} is not a valid bucket name: 3 to 63 of a-z, 0-9, '.' and '-'")
    return name


def _encodable(text: object) -> object:
    """Text that a record can hold: halves of surrogate pairs, which no UTF-8 has, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode() if isinstance(text, str) else text


SafeName = Annotated[str, AfterValidator(safe_name)]
Prefix = Annotated[str, AfterValidator(safe_prefix)]
BucketName = Annotated[str, AfterValidator(_bucket_name)]
# What a stranger said, kept as it was as far as UTF-8 can.
Text = Annotated[str, BeforeValidator(_encodable)]
HashSeed = Annotated[int, Field(strict=True, ge=0, lt=2**32)]
