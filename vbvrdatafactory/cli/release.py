"""`datafactory release`: from a complete dataset to one that others load and train on."""

from importlib import import_module

import click

# Where each command is; a module is imported when its command is used.
_COMMANDS = {
    "plan": "release_build",
    "build": "release_build",
    "check": "release_check",
    "publish": "release_publish",
    "withdraw": "release_patch",
    "patch": "release_patch",
}


class _Commands(click.Group):
    """The commands by name, in the order in which they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return [*_COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(
            import_module(f"vbvrdatafactory.cli.{_COMMANDS[cmd_name]}"), cmd_name
        )
        return command


@click.group(cls=_Commands)
def release() -> None:
    """Plan, build, check and publish a release of a dataset."""
