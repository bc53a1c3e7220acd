"""Parses a stranger's Python, JSON and TOML: text that is nested too deeply is wrong text, not an error of ours.

Python's parsers end in RecursionError or MemoryError there, which are no errors of syntax to whoever calls them.
"""

import ast
import json
import tomllib
from contextlib import suppress
from typing import Any

_TOO_DEEP = "it is nested too deeply"
_TRIES = 20


def parse_python(source: str | bytes) -> ast.Module:
    """The tree of a Python file.

    It may be a thousand levels deep: walk it with `ast.walk` or a stack, not by recursion.

    Raises:
        SyntaxError: it is no Python, or nested too deeply.
    """
    try:
        return _parse(source)
    except (RecursionError, MemoryError):
        raise SyntaxError(_TOO_DEEP) from None
    except ValueError as error:
        # Python before 3.11.4 says so of a null byte.
        raise SyntaxError(str(error)) from error


def _parse(source: str | bytes) -> ast.Module:
    # CPython counts the depth of all threads in one place (see gh-106905): one that parses meanwhile, when garbage is
    # collected, has this one end in SystemError.
    for _ in range(_TRIES):
        with suppress(SystemError):
            return ast.parse(source)
    return ast.parse(source)


def parse_json(text: str | bytes) -> Any:  # noqa: ANN401 - JSON is any value
    """The value in `text`.

    Raises:
        ValueError: it is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def parse_toml(text: str) -> dict[str, Any]:
    """The table in `text`.

    Raises:
        ValueError: it is no TOML, or nested too deeply.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
