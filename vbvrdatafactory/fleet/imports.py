"""Which modules a generator imports that are not its own: read from the source that its script leads to.

Nothing is run. Files that the script does not lead to, such as tests and scripts of its author's, do not count.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vbvrdatafactory.core.contract import ENTRY_POINT

_FONTS = (".ttf", ".otf", ".ttc")
_ABSENT = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


class Import(NamedTuple):
    """The first import of a module.

    Args:
        module: its top-level name.
        file: where it is imported, relative to the generator's folder.
        line: the line there.
        is_optional: whether the code goes on without it: it stands in a ``try`` that catches its absence.
    """

    module: str
    file: str
    line: int
    is_optional: bool

    @property
    def place(self) -> str:
        """Where it is imported, as in ``core/video_utils.py:12``."""
        return f"{self.file}:{self.line}"


class Source(NamedTuple):
    """What a generator's source says of its surroundings.

    Args:
        files: its own Python files that the script leads to, the script among them.
        imports: by module, those that are neither Python's nor its own.
        fonts: names of font files in it, without folders.
    """

    files: tuple[Path, ...]
    imports: dict[str, Import]
    fonts: tuple[str, ...]


def read_source(folder: Path) -> Source:
    """What the generator in `folder` imports, as its script leads to it; a file with a syntax error says nothing."""
    reader = _Reader(folder)
    reader.read(folder / ENTRY_POINT)
    return Source(tuple(reader.seen), reader.imports, tuple(sorted(reader.fonts)))


class _Reader:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # `sys.path` may be changed in any way, so whatever is called like a file of its own is its own.
        self._own = {path.stem for path in folder.rglob("*.py")} | {
            p.parent.name for p in folder.rglob("*.py")
        }
        self.seen: dict[Path, None] = {}
        self.imports: dict[str, Import] = {}
        self.fonts: set[str] = set()

    def read(self, path: Path) -> None:
        path = path.resolve()
        if path in self.seen or not path.is_file() or not path.is_relative_to(self._folder.resolve()):
            return
        self.seen[path] = None
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, RecursionError):
            return
        self._take_fonts(tree)
        for node, is_optional in _imports(tree, is_optional=False):
            for name in _modules(node):
                self._take(path, node, name, is_optional=is_optional)

    def _take(self, path: Path, node: ast.Import | ast.ImportFrom, name: str, *, is_optional: bool) -> None:
        level = node.level if isinstance(node, ast.ImportFrom) else 0
        top = name.partition(".")[0]
        if level or top in self._own:
            for found in self._files(path, name, level):
                self.read(found)
        elif top and top not in sys.stdlib_module_names:
            here = Import(top, str(path.relative_to(self._folder.resolve())), node.lineno, is_optional)
            before = self.imports.get(top)
            if before is None or (before.is_optional and not is_optional):
                self.imports[top] = here

    def _files(self, path: Path, name: str, level: int) -> Iterator[Path]:
        """Files that a module of its own may be in, the packages that it lies in among them."""
        roots = [path.parents[level - 1]] if level else [self._folder, path.parent, self._folder / "examples"]
        parts = [part for part in name.split(".") if part]
        for root in roots:
            for end in range(len(parts) + 1):
                place = root.joinpath(*parts[:end])
                yield place / "__init__.py"
                if end:
                    yield place.with_suffix(".py")

    def _take_fonts(self, tree: ast.AST) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                name = node.value.replace("\\", "/").rpartition("/")[2]
                if name.lower().endswith(_FONTS) and len(name) > 4 and name.isprintable():
                    self.fonts.add(name)


def _imports(tree: ast.AST, *, is_optional: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Every import below `tree`, but those for type checkers, and whether it stands in a try that catches it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, is_optional
        elif isinstance(node, ast.Try) and _catches_absence(node):
            for child in node.body:
                yield from _imports(ast.Module([child], []), is_optional=True)
            for part in (*node.handlers, *node.orelse, *node.finalbody):
                yield from _imports(part, is_optional=True)
        elif not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
            yield from _imports(node, is_optional=is_optional)


def _catches_absence(node: ast.Try) -> bool:
    caught = [ast.dump(handler.type) if handler.type else "Exception" for handler in node.handlers]
    return any(f"'{name}'" in text or text == name for text in caught for name in _ABSENT)


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The modules that an import may load: of `from a import b` also `a.b`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    return [base, *(f"{base}.{alias.name}".strip(".") for alias in node.names if alias.name != "*")]
