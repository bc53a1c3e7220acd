"""Makes pages of the documentation site that are written elsewhere: the reference of every package, from its docstrings,
and of every command, from its help.
"""

import importlib
import pkgutil
import re
from pathlib import Path

import click
import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from vbvrdatafactory.cli.main import cli

CHECKOUT = Path(__file__).parent.parent
PACKAGES = ("vbvrdatafactory", "lambda_worker", "tasks", "flows", "deployments")
# From the first prompt to the next empty line.
_DOCTEST = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)
_LINK_OUT = re.compile(r"\[([^\]]+)\]\(\.\./([^)#]+)[^)]*\)")


class Doctests(griffe.Extension):
    """Fences the doctests in docstrings: as text, their lists would be links."""

    def on_instance(self, *, obj: griffe.Object, **_: object) -> None:
        """Called for every module, class and function."""
        if obj.docstring:
            obj.docstring.value = _DOCTEST.sub(r"```pycon\n\g<0>\n```", obj.docstring.value)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the reference to the navigation."""
    rooms = [{room: f"reference/{room}.md"} for room in rooms_of(PACKAGES)]
    navigation: list[object] = config.nav or []
    navigation.append({"Reference": [{"Commands": "reference/commands.md"}, *rooms]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each room, with the docstrings of its modules, and one for the commands."""
    for room, modules in rooms_of(PACKAGES).items():
        described = "\n\n".join(f"::: {module}" for module in modules)
        _add(files, config, f"reference/{room}.md", f"# {room}\n\n{described}\n")
    commands = "\n".join(["# Commands\n", *_help_of(cli, "datafactory")])
    _add(files, config, "reference/commands.md", commands)
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Show links to files of the checkout as their paths: they are not part of the site.

    Raises:
        PluginError: there is no such file.
    """

    def path(link: re.Match[str]) -> str:
        if not (CHECKOUT / link[2]).exists():
            raise PluginError(f"{page.file.src_uri}: {link[0]} leads to no file of the checkout")
        return f"{link[1]} (`{link[2]}`)"

    return _LINK_OUT.sub(path, markdown)


def rooms_of(packages: tuple[str, ...]) -> dict[str, list[str]]:
    """The public modules of each package: one room for each subpackage, and one for what lies beside them."""
    found: dict[str, list[str]] = {}
    for name in packages:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            parts = module.name.split(".")
            if any(part.startswith("_") for part in parts):
                continue
            room = ".".join(parts[:2]) if module.ispkg or len(parts) > 2 else name
            found.setdefault(room, []).append(module.name)
    return dict(sorted(found.items()))


def _help_of(command: click.Command, name: str) -> list[str]:
    """The help of a command and of those below it, as Markdown."""
    context = click.Context(command, info_name=name)
    parts = [f"## {name}\n\n```text\n{command.get_help(context)}\n```\n"]
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            if found := command.get_command(context, below):
                parts += _help_of(found, f"{name} {below}")
    return parts


def _add(files: Files, config: MkDocsConfig, path: str, text: str) -> None:
    files.append(File.generated(config, path, content=text))
