"""Pauses and resumes a dataset: writes it to the bucket, and on request switches the queue's event source mappings."""

import getpass
import socket
from datetime import UTC, datetime

from vbvrdatafactory import aws
from vbvrdatafactory.cli import output, queues
from vbvrdatafactory.cli.context import App
from vbvrdatafactory.control.pause import PauseState
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.humanize import format_count
from vbvrdatafactory.s3.pause import read_pause, write_pause
from vbvrdatafactory.s3.specs import read_spec
from vbvrdatafactory.sqs.consumers import set_consuming


def tell(app: App, dataset: str, *, paused: bool, reason: str = "", workers: bool = False) -> None:
    """Write what is wanted of the dataset's runs, and say what that means."""
    store = app.store()
    read_spec(store, dataset)
    if workers:
        queues.task_queue(app)
    before = read_pause(store, dataset)
    stopped = before is not None and before.workers
    wanted = PauseState(paused=paused, workers=stopped, reason=reason, by=me(), at=datetime.now(UTC))
    write_pause(store, dataset, wanted)
    output.say(_told(dataset, before, paused=paused))
    if workers:
        _tell_workers(app, enabled=not paused)
        write_pause(store, dataset, wanted.model_copy(update={"workers": paused}))
    elif stopped and not paused:
        output.note(f"its Lambda takes no messages yet: 'datafactory resume {dataset} --workers'")


def _told(dataset: str, before: PauseState | None, *, paused: bool) -> str:
    if paused:
        return f"{dataset} is paused: nothing new is sent until 'datafactory resume {dataset}'."
    if before and before.paused:
        return f"{dataset} goes on: it was {before}."
    if before and before.workers:
        return f"{dataset} goes on already; its Lambda took no messages."
    return f"{dataset} was not paused."


def _tell_workers(app: App, *, enabled: bool) -> None:
    count = set_consuming(app.sqs, aws.client(app.config, "lambda"), app.config.sqs_queue_url, enabled)
    if not count:
        raise DataFactoryError(
            "no event source mapping takes messages from the queue, so none was changed; workers that were "
            "started with 'datafactory worker' are stopped where they run"
        )
    what = "takes messages" if enabled else "takes no more messages; what it has in flight ends"
    output.say(f"The Lambda {what} ({format_count(count, 'event source mapping')}).")


def me() -> str:
    """The person and the machine."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
