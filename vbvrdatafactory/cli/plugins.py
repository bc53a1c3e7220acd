"""Commands that other packages bring, by the entry point group ``vbvrdatafactory.commands``.

The checkout brings ``local`` that way, so an installed wheel, which has no infra, still names it and says
what it needs. A plugin is imported when its command runs; the root's help reads its summary from the source.
"""

import ast
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from vbvrdatafactory.cli.failures import Failure

GROUP = "vbvrdatafactory.commands"
_OWN_DISTRIBUTION = "vbvrdatafactory"


class Plugin(click.Command):
    """Stands for a plugin's command until it is run."""

    def __init__(self, point: EntryPoint) -> None:
        super().__init__(point.name, short_help=_summary(point))
        self._point = point

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click's
    ) -> click.Context:
        """The context of the command itself, which click runs instead of this."""
        return _command(self._point).make_context(info_name, args, parent, **extra)


@cache
def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def names() -> list[str]:
    """Names of the commands that plugins bring."""
    return sorted(_points())


def find(name: str) -> click.Command | None:
    """The plugin's command, not imported yet; None where there is no such name."""
    point = _points().get(name)
    return Plugin(point) if point else None


def _command(point: EntryPoint) -> click.Command:
    try:
        command = point.load()
    except Exception as error:
        raise _cannot_load(point, f"{type(error).__name__}: {error}") from error
    if not isinstance(command, click.Command):
        raise _cannot_load(point, f"it is a {type(command).__name__}, not a click command")
    return command


def _cannot_load(point: EntryPoint, why: str) -> Failure:
    owner = point.dist.name if point.dist else "its package"
    if owner != _OWN_DISTRIBUTION:
        move = f"install what {owner} needs, or uninstall it"
    elif find_spec(point.module.partition(".")[0]):
        move = "run 'make .venv/.ready' in the checkout: it puts back the packages of requirements.lock"
    else:
        move = "it needs a checkout of the project; there, make .venv/.ready installs it"
    return Failure(f"the command {point.name!r} cannot be loaded from {point.value} ({why}); {move}")


def _summary(point: EntryPoint) -> str:
    """The first line of the command's docstring, by its name in the module's source."""
    try:
        functions = [node for node in _source(point).body if isinstance(node, ast.FunctionDef)]
    except (ImportError, OSError, SyntaxError, ValueError):
        return "(cannot be loaded; run it to see why)"
    docs = [ast.get_docstring(node) for node in functions if node.name == point.attr]
    return (docs[0] or "").partition("\n")[0] if docs else ""


def _source(point: EntryPoint) -> ast.Module:
    spec = find_spec(point.module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(point.module)
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
