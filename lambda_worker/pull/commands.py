"""``datafactory worker``: the Lambda's handler on any machine. How it begins, and how it ends."""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click
import psutil

from lambda_worker.handler import log as handler_log
from lambda_worker.processor import can_isolate, make_processor
from lambda_worker.pull.host import default_concurrency
from lambda_worker.pull.loop import PullOptions, PullWorker
from lambda_worker.pull.outage import FAULTS, is_away
from lambda_worker.pull.screen import Screen, screen
from lambda_worker.pull.visibility import TaskQueue
from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.core.humanize import format_duration
from vbvrdatafactory.fleet.catalogue import list_generators
from vbvrdatafactory.numbers import FiniteRange

if TYPE_CHECKING:
    from types import FrameType

log = logging.getLogger(__name__)

_EPILOG = """
\b
Examples:
  datafactory worker                                until Ctrl-C or SIGTERM
  datafactory worker --concurrency 4 --batch-timeout 60
  datafactory worker --until-empty && datafactory report
"""

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@click.command(epilog=_EPILOG)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    metavar="N",
    help="Batches at a time [default: one for each usable core, as far as memory lasts].",
)
@click.option(
    "--batch-timeout",
    type=FiniteRange(min=0, max=700, min_open=True),
    default=15,
    show_default=True,
    metavar="MINUTES",
    help="What one batch may take.",
)
@click.option(
    "--until-empty", is_flag=True, help="End when several polls in succession find the queue empty."
)
@click.option("--visibility-timeout", type=click.IntRange(1, 43200), default=120, hidden=True)
@click.pass_context
def worker(
    ctx: click.Context,
    concurrency: int | None,
    batch_timeout: float,
    visibility_timeout: int,
    *,
    until_empty: bool,
) -> None:
    """Process messages of the task queue on this machine, as the Lambda does.

    Runs beside the Lambda and beside other workers: nothing is shared but the queue. SIGTERM or Ctrl-C releases
    the messages of running batches at once; a second one does not wait for anything.
    """
    config = Config(env_file=ctx.find_root().params.get("env_file"))
    is_safe = can_isolate() or config.trust_generators
    options = PullOptions(
        concurrency or (default_concurrency() if is_safe else 1), 60 * batch_timeout, until_empty=until_empty
    )
    if options.concurrency > 1 and not is_safe:
        click.echo(
            "datafactory: note: this host can't isolate batches from each other (no Landlock); a hostile generator could "
            "rewrite its neighbour's samples. TRUST_GENERATORS=1 says that all are trusted",
            err=True,
        )
    # Without an end, fewer requests; with one, sooner there.
    queue = TaskQueue(
        aws.sqs(config), config.sqs_queue_url, visibility_timeout, wait_seconds=1 if until_empty else 3
    )
    verbose = bool(ctx.find_root().params.get("verbose"))
    with screen(handler_log, log, verbose=verbose) as shown:
        _run(config, queue, options, shown)


def _run(config: Config, queue: TaskQueue, options: PullOptions, shown: Screen) -> None:
    probe = _probe(config)
    generators = _check(config, queue, probe)
    log.info(
        "receiving from %s, storing in %s, %d batches at a time; %d generators in %s",
        queue.url,
        config.output_bucket,
        options.concurrency,
        generators,
        config.generators_path,
    )
    processor = make_processor(config, options.concurrency)
    pulling = PullWorker(queue, processor.process, probe, options, shown.show)
    started = time.monotonic()
    with _stopped_by_signals(pulling):
        totals = pulling.run()
    shown.close()
    seconds = time.monotonic() - started
    click.echo(f"{totals} in {format_duration(seconds)} ({60 * totals.samples / seconds:,.0f}/min)")
    if pulling.has_leftovers:
        _leave()


def _probe(config: Config) -> Callable[[], None]:
    """A small request to the bucket, which fails where S3 is away."""
    s3, bucket = aws.s3(config), config.output_bucket

    def probe() -> None:
        s3.list_objects_v2(Bucket=bucket, MaxKeys=1)

    return probe


def _check(config: Config, queue: TaskQueue, probe: Callable[[], None]) -> int:
    """How many generators there are, once the addresses are right; a service that is away may come back.

    Raises:
        ConfigError, ClientError, BotoCoreError: something that waiting will not cure.
    """
    generators = len(list_generators(config.generators_path))
    if not generators:
        raise ConfigError(
            f"there is no generator in GENERATORS_PATH={str(config.generators_path)!r}, so every batch would fail; "
            "set it to the folder that holds them"
        )
    for ask in (queue.depth, probe):
        try:
            ask()
        except FAULTS as error:
            if not is_away(error):
                raise
    return generators


@contextmanager
def _stopped_by_signals(pulling: PullWorker) -> Iterator[None]:
    def stop(_number: int, _frame: "FrameType | None") -> None:
        pulling.stop()

    # What is ignored stays so: nohup is to survive its terminal.
    numbers = [number for number in _STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)


def _leave() -> None:
    """End with batches still running: no process of theirs is left, and no thread of theirs can hold us."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    sys.stdout.flush()
    os._exit(0)
