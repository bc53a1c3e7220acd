"""Makes a new generator from the template for authors."""

import shutil
from importlib.resources import as_file, files
from pathlib import Path

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.names import is_safe_name
from vbvrdatafactory.fleet.catalogue import TEMPLATE

_CHECKOUT = Path(__file__).parents[2] / "generators" / TEMPLATE
_WORKFLOW = Path(".github") / "workflows" / "check.yml"
# Runs in the author's repository; the library comes from the repository of the factory.
_CHECK = """\
name: check
on: [push, pull_request]
permissions:
  contents: read
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          path: {name}
      - uses: actions/setup-python@v5
        with:
          python-version: "3.11"
      - run: pip install "vbvrdatafactory[fleet] @ git+https://github.com/Video-Reason/VBVR-DataFactory"
      - run: datafactory generators check {name}
"""


def new_generator(parent: Path, name: str) -> Path:
    """Copy the template to `parent`/`name`, with a workflow that checks it on GitHub; returns the new folder.

    Raises:
        DataFactoryError: the name can't be a generator's, or something of that name is there.
    """
    if not is_safe_name(name) or name == TEMPLATE:
        raise DataFactoryError(
            f"{name!r} can't be a generator's name: letters, digits, '.', '_', '-' and inner spaces, 200 at most"
        )
    place = parent / name
    if place.exists() or place.is_symlink():
        raise DataFactoryError(f"{str(place)!r} is there already; choose another name, or move it away")
    with as_file(files("vbvrdatafactory.fleet") / TEMPLATE) as packaged:
        source = packaged if packaged.is_dir() else _CHECKOUT
        shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    workflow = place / _WORKFLOW
    workflow.parent.mkdir(parents=True)
    workflow.write_text(_CHECK.format(name=name), encoding="utf-8")
    return place
