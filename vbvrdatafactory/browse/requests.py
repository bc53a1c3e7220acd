"""Which requests are answered, and with which part of a file."""

import re
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from secrets import compare_digest
from typing import NamedTuple

# Whoever sends none is no browser; "none" is the user who typed the address.
_NOT_ANOTHER_SITE = {None, "none", "same-origin"}
_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")


class Part(NamedTuple):
    """Bytes `start` to `stop` (excluded) of a file."""

    start: int
    stop: int


def refusal(headers: Mapping[str, str], port: int) -> str:
    """Why a request is not answered: it is a page of another origin that asks. Empty if it is answered.

    `Host` names what was asked for, so that no name of somebody else's leads here.
    """
    host = headers.get("Host", "")
    if host not in (f"127.0.0.1:{port}", f"localhost:{port}"):
        return f"the Host of a request has to be 127.0.0.1:{port} or localhost:{port}"
    if headers.get("Origin", f"http://{host}") != f"http://{host}":
        return "no page of another origin is answered"
    if headers.get("Sec-Fetch-Site") not in _NOT_ANOTHER_SITE:
        return "no page of another site is answered"
    return ""


def has_cookie(headers: Mapping[str, str], name: str, secret: str) -> bool:
    """Whether the request brings the cookie `name` with this value."""
    try:
        found = SimpleCookie(headers.get("Cookie", "")).get(name)
    except CookieError:
        return False
    return found is not None and compare_digest(found.value.encode(), secret.encode())


def parse_range(header: str | None, size: int) -> Part | None:
    """The bytes that a `Range` header asks for; None for all: there is none, or it is of several parts.

    Raises:
        ValueError: the file of `size` bytes has none of them.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or not (match[1] or match[2]):
        return None
    if match[1]:
        start, stop = int(match[1]), min(int(match[2]) + 1, size) if match[2] else size
    else:
        start, stop = max(0, size - int(match[2])), size
    if start >= stop:
        raise ValueError(f"a file of {size:,} bytes has no bytes {header!r}")
    return Part(start, stop)
