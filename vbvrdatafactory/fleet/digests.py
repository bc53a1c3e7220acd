"""The digest of every file in a generator's folder."""

import os
import stat
from hashlib import sha256
from pathlib import Path

_LEFT_OUT = {"__pycache__", ".git"}
_PIECE = 1024 * 1024


def tree_digest(folder: Path) -> str:
    """SHA-256 over the names, kinds and bytes of all files below `folder`, without bytecode and Git's own.

    A link counts as the text of where it leads. Empty folders do not count, as in Git.
    """
    digest = sha256()
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT)
        links = [name for name in folders if (Path(root) / name).is_symlink()]
        for name in sorted([*names, *links]):
            path = Path(root) / name
            if not name.endswith(".pyc"):
                digest.update(os.fsencode(path.relative_to(folder).as_posix()) + b"\0")
                digest.update(_kind_and_content(path))
    return digest.hexdigest()


def _kind_and_content(path: Path) -> bytes:
    status, digest = path.lstat(), sha256()
    if stat.S_ISLNK(status.st_mode):
        digest.update(os.fsencode(path.readlink()))
        return b"link" + digest.digest()
    # A pipe or a socket has no content that could be read.
    if stat.S_ISREG(status.st_mode):
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    return (b"program" if status.st_mode & stat.S_IXUSR else b"file") + digest.digest()
