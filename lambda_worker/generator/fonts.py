"""The digest of the system's fonts: with others about half of the public generators draw other pictures."""

import os
from contextlib import suppress
from functools import cache
from hashlib import sha256

_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts", "/System/Library/Fonts")
_SUFFIXES = (".ttf", ".otf", ".ttc", ".pfb")


@cache
def fonts_digest() -> str:
    """SHA-256 over names and sizes of the font files that programs find on this machine; empty where there are none.

    Not over their bytes: a desktop has gigabytes of them.
    """
    found = set()
    for folder in _FOLDERS:
        for root, _, names in os.walk(folder):
            for name in names:
                if name.lower().endswith(_SUFFIXES):
                    # A link that leads nowhere is no font.
                    with suppress(OSError):
                        found.add(f"{name}\0{os.path.getsize(f'{root}/{name}')}\n")  # noqa: PTH202 - thousands
    return sha256("".join(sorted(found)).encode(errors="surrogateescape")).hexdigest() if found else ""
