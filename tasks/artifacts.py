"""What a person sees on the run page: live progress with its end, the completeness table, a summary.

A server that is away for a while must neither end nor delay a run that goes well without it: live progress is
written by a thread of its own, and an artifact that can't be written is logged and left out.
"""

import os
import threading
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from datetime import UTC, datetime
from queue import SimpleQueue
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from prefect.artifacts import Artifact, MarkdownArtifact, ProgressArtifact, TableArtifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.client.schemas.objects import Artifact as Created
from prefect.logging import get_run_logger
from prefect.settings import PREFECT_UI_URL

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.config import config
from vbvrdatafactory.core.escaping import code_for_markdown, for_markdown, for_terminal
from vbvrdatafactory.planning.pricing import PlanPrice
from vbvrdatafactory.report import live, plan_page
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.markdown import completeness_rows, to_summary

Answer = TypeVar("Answer")

# Every update is kept by the server as an event too: the longer a run, the less often it needs one.
_EACH_SECONDS, _EACH_SECONDS_AT_MOST, _UPDATES = 5.0, 30.0, 400
# The UI shows a description above the Markdown, whose first line is the answer already.
_LIVE = "How far the run is, updated while it goes on"
_PLAN = "What the run takes, estimated before it spends"
_SUMMARY = "What is in the bucket, and why the rest is not"
_RELEASE = "What the release has, and what is wrong with it"
# The last update is worth a moment's wait, not more.
_LAST_SECONDS = 5.0


# The progress that the flow run shows; its tasks find it in the context.
_shown: "ContextVar[LiveProgress | None]" = ContextVar("live_progress", default=None)


class LiveProgress:
    """One progress bar and one page of Markdown for a run, made once and then updated in place.

    ``show`` returns at once, whatever the server does. Use it as a context manager, or call ``close``.

    Args:
        dataset: its name.
        total: samples that the run is about.
    """

    def __init__(self, dataset: str, total: int) -> None:
        self._key = artifact_key(dataset)
        self._page, self._bar = _Updated(), _Updated()
        self._progress = live.RunProgress(total)
        self._writer = _Writer()
        self._began: float | None = None
        self._next = 0.0
        self._last: tuple[float, datetime, live.RunSnapshot] | None = None

    def show(self, now: float, seen: live.RunSnapshot) -> None:
        """Remember how the run stands at `now`, any monotonic clock's seconds; show it if it is time again.

        A note stands until another comes, or the status changes.
        """
        self._progress.saw(now, seen)
        before = self._last[-1] if self._last else None
        changed = before is None or before.status is not seen.status
        if before and not changed and not seen.note:
            seen = seen._replace(note=before.note)
        self._last = (now, datetime.now(UTC), seen)
        self._began = now if self._began is None else self._began
        if changed or now >= self._next:
            self._next = now + _pause(now - self._began)
            self._write(*self._last)

    def headline(self, now: float, seen: live.RunSnapshot) -> str:
        """The same answer for the log."""
        return self._progress.headline(seen, now)

    def close(self) -> None:
        """Show the last look as that of a run that is over, and wait a moment for it to be written."""
        if self._last:
            now, at, seen = self._last
            self._write(now, at, seen._replace(over=True))
        self._writer.close(_LAST_SECONDS)

    def _write(self, now: float, at: datetime, seen: live.RunSnapshot) -> None:
        line, percent = self._progress.headline(seen, now), self._progress.percent
        text = self._progress.to_markdown(seen, now, at)
        bar = ProgressArtifact(key=f"{self._key}-progress", progress=percent, description=for_markdown(line))
        page = MarkdownArtifact(key=f"{self._key}-live", markdown=text, description=_LIVE)

        def write() -> None:
            self._bar.show(bar)
            self._page.show(page)

        self._writer.write(write)

    def __enter__(self) -> Self:
        self._token = _shown.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _shown.reset(self._token)
        self.close()


def show_progress(now: float, seen: live.RunSnapshot) -> str:
    """Show a snapshot taken at `now` on the run page; returns the progress in one line, empty where none is shown."""
    shown = _shown.get()
    if shown is None:
        return ""
    shown.show(now, seen)
    return shown.headline(now, seen)


class _Updated:
    """An artifact that is made when it is shown first, and changed from then on."""

    def __init__(self) -> None:
        self._id: UUID | None = None

    def show(self, artifact: Artifact) -> None:
        """Show what `artifact` holds."""
        known = self._id
        if known is None:
            self._id = guarded(lambda: _create(artifact))
            return
        update = ArtifactUpdate(data=artifact.format(), description=artifact.description)
        guarded(lambda: get_client(sync_client=True).update_artifact(known, update))


class _Writer:
    """Makes the newest of the calls it is given, one at a time, in a thread that never holds the process."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        # Prefect finds its settings, its run and its logger in the context.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._run,), name="artifacts", daemon=True
        )
        self._thread.start()

    def write(self, call: Callable[[], object]) -> None:
        """Have `call` made soon, unless a newer one comes before it is its turn."""
        self._calls.put(call)

    def close(self, wait_seconds: float) -> None:
        """Have the newest call made, and wait so long for it; then it is left to itself."""
        self._calls.put(None)
        self._thread.join(wait_seconds)

    def _run(self) -> None:
        ended = False
        while not ended:
            calls = [self._calls.get()]
            while not self._calls.empty():
                calls.append(self._calls.get())
            ended = calls[-1] is None
            newest = next((call for call in reversed(calls) if call), None)
            if newest:
                guarded(newest)


def publish_plan(price: PlanPrice) -> None:
    """What a plan takes on the run page, its address in the log."""
    text = plan_page.to_markdown(price)
    artifact = MarkdownArtifact(key=f"{artifact_key(price.dataset)}-plan", markdown=text, description=_PLAN)
    guarded(lambda: _create(artifact))


def publish(report: Report, *, filed: bool = True) -> None:
    """The completeness table and the summary of `report` on the run page, their addresses in the log.

    Args:
        report: what the bucket held.
        filed: whether the report lies in the bucket too.
    """
    key, headline = artifact_key(report.dataset), report.headline
    summary = to_summary(report, places_of(report) if filed else [])
    table = completeness_rows(report)
    guarded(lambda: _create(MarkdownArtifact(key=f"{key}-summary", markdown=summary, description=_SUMMARY)))
    guarded(
        lambda: _create(
            TableArtifact(key=f"{key}-completeness", table=table, description=for_markdown(headline))
        )
    )


def publish_release(name: str, text: str) -> None:
    """The page of a release on the run page."""
    key = f"{artifact_key(name)}-release"
    guarded(lambda: _create(MarkdownArtifact(key=key, markdown=text, description=_RELEASE)))


def places_of(report: Report) -> list[str]:
    """Where the full report lies, as Markdown: a link to open, and on the embedded AWS the file."""
    key = keys.dataset_file(report.dataset, "report.html")
    uri = f"s3://{report.bucket}/{key}"
    if folder := os.environ.get("DATAFACTORY_BUCKET_FOLDER"):
        return [code_for_markdown(f"{folder}/{key}"), code_for_markdown(uri)]
    if config.is_embedded:
        return [code_for_markdown(uri)]
    console = f"https://s3.console.aws.amazon.com/s3/object/{report.bucket}"
    return [f"[{uri}]({console}?{urlencode({'region': config.aws_region, 'prefix': key})})"]


def artifact_key(name: str) -> str:
    """`name` in the letters that Prefect allows in an artifact's key: a-z, 0-9 and dashes."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name.lower())


def guarded(call: Callable[[], Answer]) -> Answer | None:
    """What `call` returns; None, with the reason in the log, where the Prefect server did not take it."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - any fault of the server or the way to it
        get_run_logger().warning(
            "an artifact was left out: %s: %s", type(error).__name__, for_terminal(str(error))
        )
        return None


def _create(artifact: Artifact) -> UUID:
    """Make the artifact and log where it is: the UI's side bar has no entry for artifacts."""
    made = artifact.create()
    if not isinstance(made, Created):
        # It is a coroutine where an event loop runs.
        raise TypeError(f"Prefect returned {made!r} for a new artifact")
    if (ui := PREFECT_UI_URL.value()) and artifact.type != "progress":
        get_run_logger().info("%s: %s/artifacts/artifact/%s", artifact.key, ui, made.id)
    return made.id


def _pause(elapsed: float) -> float:
    """Seconds until the next update, after so many seconds of a run."""
    return min(_EACH_SECONDS_AT_MOST, max(_EACH_SECONDS, elapsed / _UPDATES))
