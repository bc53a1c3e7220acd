r"""Escapes text from generators, messages, buckets and users for the medium where it is shown.

One function for each medium, called at output. Characters that are invisible, or change the display of others,
are shown as Python escapes: ``\x1b``, ``\u202e``. The rest of the text stays as it is to read.
"""

import logging
import re
import unicodedata
from html import escape

# Unicode categories control, format, surrogate, line and paragraph separator: they control a terminal or reorder text.
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# Joiners are format characters too, and part of how some scripts and emoji are written.
_HARMLESS = frozenset("\u200c\u200d")
# Fast path: most text has only these characters.
_SUSPECT = re.compile(r"[^\x20-\x7e]")

# Emphasis, code, links, images, tables, headings, struck text; an underscore only where it would be emphasis.
_MARKDOWN = re.compile(r"[\\`*\[\]|~#$]|(?<![^\W_])_|_(?![^\W_])|^[-+=]")
_NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")
# Turned into a link, a mail address or a mention without markup, differently in each dialect.
_AUTOMATIC = re.compile(r"(?<=:)(?=//)|(?<=@)|(?<=www)(?=\.)", re.IGNORECASE)
_APART = "\u200b"


def for_terminal(text: str, *, keep: str = "") -> str:
    r"""`text` on one line of a terminal or a log, without control over it.

    For rich, the console must be one without markup.

    Args:
        text: anything.
        keep: control characters that stay, such as the newlines of a traceback.

    >>> for_terminal("red: \x1b[31m, next\nline")
    'red: \\x1b[31m, next\\nline'
    """
    return _SUSPECT.sub(lambda found: found[0] if found[0] in keep else _seen(found[0]), text)


def for_markdown(text: str) -> str:
    r"""`text` as a piece of one line of Markdown that stands for itself: no markup, HTML, link or mention.

    It is right in a table's cell too. `&`, `<` and `>` are escaped as Slack wants them as well.

    >>> for_markdown("<img src=x> ![a](b) a_b *c* | d")
    '&lt;img src=x&gt; !\\[a\\](b) a_b \\*c\\* \\| d'
    """
    shown = escape(_on_one_line(text), quote=False)
    shown = _NUMBERED.sub(r"\1\\\2", _MARKDOWN.sub(r"\\\g<0>", shown))
    return _AUTOMATIC.sub(_APART, shown)


def code_for_markdown(text: str) -> str:
    """`text` as a code span of Markdown, in a table's cell too; without its backticks and bars, which could end it.

    >>> code_for_markdown("a `b` | <c>")
    "`a 'b' ¦ <c>`"
    """
    shown = _on_one_line(text).replace("`", "'").replace("|", "¦")
    return f"`{shown}`" if shown else ""


def for_html(text: str) -> str:
    """`text` between HTML's tags or in a quoted attribute."""
    return escape(for_terminal(text, keep="\n\t"))


class TerminalFormatter(logging.Formatter):
    """Formats log records for a terminal or a file that may be shown on one."""

    def format(self, record: logging.LogRecord) -> str:
        return for_terminal(super().format(record), keep="\n\t")


def _on_one_line(text: str) -> str:
    return for_terminal(" ".join(text.split()))


def _seen(character: str) -> str:
    if character in _HARMLESS or unicodedata.category(character) not in _UNSEEN:
        return character
    return character.encode("unicode_escape").decode()
