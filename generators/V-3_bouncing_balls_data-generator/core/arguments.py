"""Command-line values that refuse themselves: used as argparse types, so a bad one is one line and exit 2."""

from argparse import ArgumentTypeError
from pathlib import Path


def _integer(text: str, least: int) -> int:
    if int(text) < least:
        raise ArgumentTypeError(f"{text} is too small, the least is {least}")
    return int(text)


def positive_int(text: str) -> int:
    return _integer(text, 1)


def non_negative_int(text: str) -> int:
    return _integer(text, 0)


def even_side(text: str) -> int:
    """Read an image side in pixels; yuv420p video cannot have an odd one."""
    if (value := _integer(text, 64)) % 2:
        raise ArgumentTypeError(f"{value} is odd, video needs an even number")
    return value


def output_folder(text: str) -> Path:
    if Path(text).is_file():
        raise ArgumentTypeError(f"{text!r} is a file, not a folder")
    return Path(text)
