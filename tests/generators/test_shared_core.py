"""What keeps the folders self-contained and alike."""

import ast
import sys

import pytest
from PIL import Image

from tests.generators.program import ALL, MAZE, REFERENCES, TEMPLATE, Program

PACKAGES = {"numpy": "numpy", "PIL": "pillow", "av": "av"}


def imported(program: Program) -> set[str]:
    names: set[str] = set()
    for path in program.folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names.add(node.module.split(".")[0])
    return names


def test_all_four_have_the_same_core() -> None:
    """The core package is byte for byte the same in the template and in all three generators, and it is small."""
    cores = [{p.name: p.read_bytes() for p in (program.folder / "core").glob("*.py")} for program in ALL]
    assert all(core == cores[0] for core in cores)
    assert sum(text.count(b"\n") for text in cores[0].values()) < 200


def test_requirements_are_what_is_imported(program: Program) -> None:
    """A generator imports the standard library, itself, and exactly the packages in its requirements.txt."""
    foreign = imported(program) - sys.stdlib_module_names - {"core", "src"}
    required = {
        line.split(">=")[0] for line in (program.folder / "requirements.txt").read_text().splitlines()
    }
    assert {PACKAGES[name] for name in foreign} == required


@pytest.mark.parametrize("program", REFERENCES, ids=lambda program: program.task)
def test_previews_are_small(program: Program) -> None:
    """Each README shows a preview of three frames that is under 40 KB."""
    preview = program.folder / "preview.png"
    assert "](preview.png)" in (program.folder / "README.md").read_text()
    assert preview.stat().st_size < 40_000
    assert Image.open(preview).size == (792, 256)


def test_the_readme_lists_every_generator_of_ours() -> None:
    """generators/README.md links each reference generator and the template."""
    text = (MAZE.folder.parent / "README.md").read_text()
    assert all(f"({program.folder.name}/README.md)" in text for program in (*REFERENCES, TEMPLATE))
