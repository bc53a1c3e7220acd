"""Which modules a generator imports, read from its source."""

from pathlib import Path

from vbvrdatafactory.fleet.imports import read_source

FILES = {
    "examples/generate.py": "import sys, numpy as np\nfrom core.writer import Writer\nfrom src import *\n",
    "core/__init__.py": "",
    "core/writer.py": (
        "from typing import TYPE_CHECKING\n"
        "from .video import save\n"
        "if TYPE_CHECKING:\n    import torch\n"
        "FONT = '/usr/share/fonts/DejaVuSans.ttf'\n"
    ),
    "core/video.py": "try:\n    import cv2\nexcept ImportError:\n    cv2 = None\n",
    "src/__init__.py": "from .task import make\nimport PIL.Image\n",
    "src/task.py": "def make():\n    import scipy.ndimage\n",
    "tests/test_it.py": "import pytest_of_the_author\n",
    "setup.py": "import setuptools_of_the_author\n",
}


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_only_what_the_script_leads_to_counts(tmp_path: Path) -> None:
    """Modules of Python, of its own, for type checkers, and of tests beside it do not."""
    found = read_source(written(tmp_path, FILES))
    assert set(found.imports) == {"numpy", "cv2", "PIL", "scipy"}


def test_a_caught_absence_is_optional(tmp_path: Path) -> None:
    """An import whose absence is caught is told from one that must be there, with its place."""
    found = read_source(written(tmp_path, FILES)).imports
    assert {name for name, one in found.items() if one.is_optional} == {"cv2"}
    assert (found["cv2"].place, found["scipy"].place) == ("core/video.py:2", "src/task.py:2")


def test_fonts_are_named(tmp_path: Path) -> None:
    """Font files that its text names are known by their names."""
    assert read_source(written(tmp_path, FILES)).fonts == ("DejaVuSans.ttf",)


def test_an_import_that_must_be_there_wins(tmp_path: Path) -> None:
    """A module that one file can go without and another can't is needed."""
    files = {
        "examples/generate.py": "import b\n",
        "b.py": "try:\n import av\nexcept Exception: pass\nimport av\n",
    }
    assert not read_source(written(tmp_path, files)).imports["av"].is_optional


def test_what_is_no_python_says_nothing(tmp_path: Path) -> None:
    """A syntax error is for its run to report."""
    assert read_source(written(tmp_path, {"examples/generate.py": "import numpy\nprint 'x'"})).imports == {}


def test_a_link_out_of_the_folder_is_not_read(tmp_path: Path) -> None:
    """A module that lies elsewhere is not the generator's."""
    (tmp_path / "outside.py").write_text("import secret\n")
    folder = written(tmp_path / "g", {"examples/generate.py": "import helper\n"})
    (folder / "helper.py").symlink_to(tmp_path / "outside.py")
    assert read_source(folder).imports == {}


def test_depth_is_no_error(tmp_path: Path) -> None:
    """Code that is nested deeper than Python recurses is read as far as it can be parsed; what can't says nothing."""
    chain = {f"m{i}.py": f"import m{i + 1}\n" for i in range(1500)}
    files = {
        **chain,
        "m1500.py": "import numpy\n",
        "examples/generate.py": "import m0, deeper, sums\n",
        "deeper.py": "import av\nx = " + "-" * 100_000 + "1\n",
        "sums.py": "import cv2\nx = a" + ".b" * 900 + "\nif a" + ".b" * 900 + ":\n import PIL\n",
    }
    assert set(read_source(written(tmp_path, files)).imports) == {"numpy", "cv2", "PIL"}
