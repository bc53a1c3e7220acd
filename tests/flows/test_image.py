"""The image of the flows for ECS holds all that a flow imports, and nothing it copies is missing."""

import ast
from pathlib import Path

DOCKERFILE = Path("flows/Dockerfile").read_text(encoding="utf-8").splitlines()
COPIED = {source for line in DOCKERFILE if line.startswith("COPY ") for source in line.split()[1:-1]}


def test_what_is_copied_is_there() -> None:
    """Each COPY names a file or folder of the checkout."""
    assert [source for source in COPIED if not Path(source).exists()] == []


def test_what_the_flows_import_is_copied() -> None:
    """Every package of this checkout that flows and tasks import is in the image."""
    rooms = {path.parent.name for path in Path().glob("*/__init__.py")}
    modules = [module for room in ("flows", "tasks") for module in Path(room).glob("*.py")]
    imported = {
        node.module.split(".")[0]
        for module in modules
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module
    }
    assert imported & rooms
    assert imported & rooms <= COPIED
