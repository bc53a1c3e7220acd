"""Which modules a generator imports that are not its own: read from the source that its script leads to.

Nothing is run. Files that the script does not lead to, such as tests and scripts of its author's, do not count.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vbvrdatafactory.core.contract import ENTRY_POINT
from vbvrdatafactory.core.parsing import parse_python

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

    def read(self, script: Path) -> None:
        pending = [iter([script])]
        while pending:
            path = next(pending[-1], None)
            if path:
                pending.append(self._read(path))
            else:
                pending.pop()

    def _read(self, path: Path) -> Iterator[Path]:
        """Take what a file says; returns the files that it leads to."""
        path = path.resolve()
        if path in self.seen or not path.is_file() or not path.is_relative_to(self._folder.resolve()):
            return
        self.seen[path] = None
        try:
            tree = parse_python(path.read_bytes())
        except SyntaxError:
            return
        self._take_fonts(tree)
        for node, is_optional in _imports(tree):
            for name in _modules(node):
                yield from self._take(path, node, name, is_optional=is_optional)

    def _take(
        self, path: Path, node: ast.Import | ast.ImportFrom, name: str, *, is_optional: bool
    ) -> Iterator[Path]:
        level = node.level if isinstance(node, ast.ImportFrom) else 0
        top = name.partition(".")[0]
        if level or top in self._own:
            yield from self._files(path, name, level)
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


def _imports(tree: ast.AST) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Every import below `tree`, but those for type checkers, and whether it stands in a try that catches it."""
    left = [(tree, False)]
    while left:
        node, is_optional = left.pop()
        children = [(child, is_optional) for child in ast.iter_child_nodes(node)]
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, is_optional
            continue
        if isinstance(node, ast.Try) and any(_catches_absence(handler) for handler in node.handlers):
            others = (*node.handlers, *node.orelse, *node.finalbody)
            children = [(child, True) for child in (*node.body, *others)]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in _names(node.test):
            continue
        left += reversed(children)


def _catches_absence(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or not _ABSENT.isdisjoint(_names(handler.type))


def _names(expression: ast.expr) -> set[str]:
    """Names and attributes in an expression."""
    nodes = [*ast.walk(expression)]
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return names | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The modules that an import may load: of `from a import b` also `a.b`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    return [base, *(f"{base}.{alias.name}".strip(".") for alias in node.names if alias.name != "*")]
