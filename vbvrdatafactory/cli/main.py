"""Entry point of `datafactory`: the root command, its options, and how a failure ends.

Every failure is one line on stderr and a non-zero exit code: 1 for a failure, 2 for an invalid
command line, 130 for Ctrl-C.
"""

import logging
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from vbvrdatafactory.cli import plugins
from vbvrdatafactory.cli.context import App
from vbvrdatafactory.cli.failures import Failure, explain
from vbvrdatafactory.core.escaping import TerminalFormatter, for_terminal

INTERRUPTED = 130

_COMMANDS = (
    "certify",
    "plan",
    "approve",
    "submit",
    "monitor",
    "report",
    "verify",
    "browse",
    "adopt",
    "replay",
    "runs",
    "pause",
    "resume",
    "dlq",
    "download",
    "release",
    "generators",
    "stack",
)

_PASS_THROUGH = (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError)


class Root(click.Group):
    """Loads commands by name when they are used; reports failures in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return [*_COMMANDS, *(name for name in plugins.names() if name not in _COMMANDS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in _COMMANDS:
            return plugins.find(cmd_name)
        command: click.Command = getattr(import_module(f"vbvrdatafactory.cli.{cmd_name}"), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except _PASS_THROUGH:
            raise
        except Exception as error:
            app = ctx.ensure_object(App)
            if app.verbose:
                click.echo(for_terminal(traceback.format_exc(), keep="\n\t"), err=True, nl=False)
            raise Failure(explain(error, app)) from error

    def main(  # type: ignore[override]  # click's overloads distinguish its two modes; this has one
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = "datafactory",
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - click's signature
        **extra: object,
    ) -> object:
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except click.Abort:
            sys.exit(INTERRUPTED)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.ClickException as error:
            click.echo(f"datafactory: {_one_line(error)}", err=True)
            sys.exit(error.exit_code)
        sys.exit(code if isinstance(code, int) else 0)


def _one_line(error: click.ClickException) -> str:
    text = for_terminal(" ".join(error.format_message().split()))
    if isinstance(error, click.UsageError) and error.ctx:
        return f"{text.rstrip('.')}; see '{error.ctx.command_path} --help'"
    return text


_EPILOG = """
\b
Addresses come from the environment or a .env file:
  OUTPUT_BUCKET      the bucket of the dataset
  SQS_QUEUE_URL      the task queue
  SQS_DLQ_URL        its dead letter queue
  GENERATORS_PATH    the folder of the generators (default ./generators)
  AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL

\b
A dataset from nothing to proof:
  datafactory plan -g all -n 10000 -b auto
  datafactory submit -g all -n 10000 -b auto
  datafactory monitor --watch
  datafactory report
  datafactory download ./results
"""


@click.group(
    "datafactory",
    cls=Root,
    epilog=_EPILOG,
    context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]},
)
@click.option(
    "--env-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Read addresses from FILE instead of .env.",
)
@click.option("-v", "--verbose", is_flag=True, help="Log more, and show the traceback of a failure.")
@click.version_option(package_name="vbvrdatafactory", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, env_file: Path | None, *, verbose: bool) -> None:
    """Say which video-reasoning dataset you want; the bucket is made to hold exactly that.

    Commands send only what the bucket lacks of the requested dataset, so any command may be run again: nothing is
    made twice, and a listing of the bucket decides what is done.
    """
    # Without a handler, logging would print the library's warnings between the lines of the output.
    logging.basicConfig(level=logging.INFO if verbose else logging.CRITICAL)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(TerminalFormatter("%(name)s: %(message)s"))
    ctx.obj = App(env_file=env_file, verbose=verbose)


def main() -> None:
    """The console script."""
    cli()
