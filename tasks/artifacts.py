"""What a person sees on the run page: a progress bar that moves, the completeness table, a summary.

A server that is away for a while must not end a run that goes well without it: an artifact that can't be
written is logged and left out.
"""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.logging import get_run_logger

from vbvrdatafactory.core.report import COLUMNS, Report

Answer = TypeVar("Answer")


class Progress:
    """A progress artifact in percent; it only moves when the number does."""

    def __init__(self, key: str, description: str) -> None:
        self._shown = 0.0
        self._id: UUID | None = guarded(
            lambda: _uuid(create_progress_artifact(progress=0.0, key=key, description=description))
        )

    def move(self, percent: float) -> None:
        """Show `percent`, 0 to 100."""
        percent = round(min(100.0, max(self._shown, percent)), 1)
        artifact = self._id
        if artifact and percent != self._shown:
            guarded(lambda: update_progress_artifact(artifact_id=artifact, progress=percent))
            self._shown = percent


def publish(report: Report) -> None:
    """The completeness table and the summary of `report` on the run page."""
    rows = [dict(zip(COLUMNS, tally.cells, strict=True)) for tally in [*report.generators, report.total]]
    key = artifact_key(report.dataset)
    guarded(lambda: create_table_artifact(table=rows, key=f"{key}-completeness", description=report.headline))
    markdown, summary = report.to_markdown(), f"{key}-summary"
    guarded(lambda: create_markdown_artifact(markdown, key=summary, description=report.headline))


def artifact_key(name: str) -> str:
    """`name` in the letters that Prefect allows in an artifact's key: a-z, 0-9 and dashes."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name.lower())


def guarded(call: Callable[[], Answer]) -> Answer | None:
    """What `call` returns; None, with the reason in the log, where the Prefect server did not take it."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - any fault of the server or the way to it
        get_run_logger().warning("an artifact was left out: %s: %s", type(error).__name__, error)
        return None


def _uuid(created: object) -> UUID:
    if not isinstance(created, UUID):
        raise TypeError(f"Prefect returned {created!r} for a new artifact")
    return created
