"""A stranger's text that is nested too deeply is wrong text: a named error, whatever Python's parser ends in."""

import ast
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.core.generators_lock import parse_lock
from vbvrdatafactory.core.parsing import parse_json, parse_python, parse_toml

DEEP = 100_000


@pytest.mark.parametrize(
    "source",
    [
        "[" * DEEP,
        "-" * DEEP + "1",
        "a" + ".b" * DEEP,
        "1" + "+1" * DEEP,
        "f" + "()" * DEEP,
        "if 1: pass\n" + "elif 1: pass\n" * 20_000,
        b"\xff\xfe",
        b"# -*- coding: nope -*-\n",
        "a = 1\0",
    ],
    ids=["brackets", "signs", "attributes", "sums", "calls", "elif", "not-utf-8", "no-coding", "null"],
)
def test_python_that_cannot_be_parsed_is_a_syntax_error(source: str | bytes) -> None:
    """Depth, a null byte and an unknown coding are errors of syntax, never RecursionError or MemoryError."""
    with pytest.raises(SyntaxError):
        parse_python(source)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_json, "[" * DEEP),
        (parse_json, '{"a":' * DEEP + "1" + "}" * DEEP),
        (parse_json, "1" * 5000),
        (parse_json, "{"),
        (parse_toml, "a = " + "[" * DEEP),
        (parse_toml, "a = " + "{b = " * DEEP),
        (parse_toml, "a ="),
    ],
)
def test_json_and_toml_that_cannot_be_parsed_are_value_errors(
    parse: Callable[[str], object], text: str
) -> None:
    """Depth is a ValueError, as all that is no JSON or TOML."""
    with pytest.raises(ValueError, match="."):
        parse(text)


@contextmanager
def another_thread_parses(times: int) -> Iterator[list[str]]:
    """Have another thread parse while this one makes a tree, so many times: a collection of garbage lets it."""
    parsed: list[str] = []

    def parse(phase: str, _: object) -> None:
        if phase == "start" and len(parsed) < times:
            parsed.append(phase)
            other = Thread(target=ast.parse, args=("a",))
            other.start()
            other.join()

    before = gc.get_threshold()
    gc.callbacks.append(parse)
    gc.set_threshold(5)
    try:
        yield parsed
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(parse)


def test_python_is_parsed_while_another_thread_parses() -> None:
    """Whatever another thread does meanwhile, the tree is the one that the text has, and no SystemError."""
    source = "def f(a):\n    return [a, (a + 1) * 2]\n" * 50
    wanted = ast.dump(ast.parse(source))
    with another_thread_parses(times=3) as parsed:
        tree = parse_python(source)
    assert ast.dump(tree) == wanted
    assert parsed


def test_what_is_right_is_parsed() -> None:
    """What the three return is what Python's own parsers return."""
    assert ast.dump(parse_python("import a")) == ast.dump(ast.parse("import a"))
    assert parse_json('{"a": [1]}') == parse_toml("a = [1]") == {"a": [1]}


def test_a_deep_lock_is_a_named_error() -> None:
    """The generators' lock may be as deep as it likes: the error says what to do."""
    with pytest.raises(
        ConfigError, match=r"generators\.lock\.toml can't be read: it is nested too deeply; restore"
    ):
        parse_lock("a = " + "[" * DEEP)
