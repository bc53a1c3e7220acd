"""Error messages of commands: one line with the value and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vbvrdatafactory.core.errors import DataFactoryError

if TYPE_CHECKING:
    from vbvrdatafactory.cli.context import App


# What the extra `fleet` installs, as it is imported.
_OF_FLEET = {"httpx", "packaging", "pip_requirements_parser", "tomli_w", "uv"}

# What the extra `release` installs.
_OF_RELEASE = {
    "datasets",
    "huggingface_hub",
    "imagehash",
    "mlcroissant",
    "numpy",
    "PIL",
    "pyarrow",
    "webdataset",
    "yaml",
}


class Failure(click.ClickException):
    """Ends the command with its message and exit code 1."""


def explain(error: Exception, app: App) -> str:
    """One line about `error`."""
    first = (str(error).strip().splitlines() or ["no details"])[0]
    return explain_expected(error, app) or (
        f"unexpected {type(error).__name__}: {first}; 'datafactory -v' with the same command shows the traceback"
    )


def explain_expected(error: Exception, app: App) -> str | None:
    """One line about an expected error, which a person can act on; None for any other."""
    if isinstance(error, DataFactoryError):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and error.name in _OF_FLEET:
        return f"{error.name} is not installed; pip install 'vbvrdatafactory[fleet]' brings what this command needs"
    if (
        isinstance(error, ModuleNotFoundError)
        and (name := (error.name or "").partition(".")[0]) in _OF_RELEASE
    ):
        return (
            f"{name} is not installed; pip install 'vbvrdatafactory[release]' brings what this command needs"
        )
    if explained := _of_aws(error, app):
        return explained
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return None


def _of_aws(error: Exception, app: App) -> str | None:
    from vbvrdatafactory.cli.aws_failures import explain_aws

    try:
        return explain_aws(error, app.config)
    except DataFactoryError:
        # The explanation needs an address that is not set.
        return None
