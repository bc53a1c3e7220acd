"""Errors in one line."""


def one_line(error: BaseException) -> str:
    """The type and the message of an error, without the pages in which obstore tells how it came about.

    >>> one_line(OSError("no route  Debug source: Generic {"))
    'OSError: no route'
    """
    return shorten(f"{type(error).__name__}: {error}")


def shorten(text: str) -> str:
    """The first 600 characters of a text in one line."""
    return " ".join(text.partition("Debug source")[0].split())[:600]
