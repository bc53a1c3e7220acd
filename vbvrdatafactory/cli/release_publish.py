"""`datafactory release publish`: sends a release to the Hugging Face Hub or to a bucket."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import click

from vbvrdatafactory.cli.context import App

if TYPE_CHECKING:
    from vbvrdatafactory.driver.release_publish import Target
    from vbvrdatafactory.driver.release_source import Source

_SECONDS_BETWEEN_LINES = 30

_EPILOG = """
\b
HF_TOKEN        a token that may write to the repository; else that of 'hf auth login'
HF_ENDPOINT     another Hub than huggingface.co

\b
Examples:
  datafactory release publish ./my-release --to hf:my-org/my-dataset --dry-run
  datafactory release publish ./my-release --to hf:my-org/my-dataset
  datafactory release publish ./my-release --to s3://my-bucket/releases/my-dataset
"""


@click.command(epilog=_EPILOG)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--to", required=True, metavar="TARGET", help="hf:ORG/NAME or s3://BUCKET/PREFIX.")
@click.option("--public", is_flag=True, help="Make a repository that does not exist yet public, not private.")
@click.option("--has-grant", is_flag=True, help="More than 1 TB: the Hub has agreed to take it.")
@click.option(
    "--replace",
    is_flag=True,
    help="Take the place of another build of the release, a later revision, or files without a release.json.",
)
@click.option("--no-check", is_flag=True, help="Do not read it all first, as 'release check' does.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent; send nothing.")
@click.pass_context
def publish(  # noqa: PLR0913 - click gives each option as an argument
    ctx: click.Context,
    folder: Path,
    to: str,
    *,
    public: bool,
    has_grant: bool,
    replace: bool,
    no_check: bool,
    dry_run: bool,
) -> None:
    """Send the release in FOLDER to TARGET, and prove that all of it arrived.

    Sends what TARGET lacks: a call that was interrupted is continued by the same call again. The card goes last, and what replaces
    something goes with it, so that nobody reads half a release. At the end sizes and digests are compared with those that TARGET
    lists.
    """
    import time

    from vbvrdatafactory.cli import output
    from vbvrdatafactory.core.humanize import format_bytes, format_count
    from vbvrdatafactory.driver.release_publish import check_limits
    from vbvrdatafactory.driver.release_publish import publish as send
    from vbvrdatafactory.driver.release_source import Source
    from vbvrdatafactory.driver.release_targets import find_target

    target = find_target(to, ctx.ensure_object(App).config, private=not public)
    source = Source(folder, target.repository)
    check_limits(source, target, has_grant=has_grant)
    if dry_run:
        _show_plan(source, target, replace=replace)
        return
    if not no_check:
        _check(folder)
    with _Progress() as progress:
        done = send(
            source,
            target,
            time,
            output.note,
            has_grant=has_grant,
            replace=replace,
            on_total=progress.begin,
            on_sent=progress.advance,
        )
    output.say(
        f"{target.name} holds {source.release.name}, revision {source.release.revision}: {format_count(done.files, 'file')}, "
        f"{format_bytes(done.bytes)}, all with the right size and digest; {done.sent:,} sent, {done.deleted:,} deleted."
    )


def _check(folder: Path) -> None:
    from vbvrdatafactory.cli import output
    from vbvrdatafactory.cli.failures import Failure
    from vbvrdatafactory.cli.release_check import read

    checked = read(folder)
    if not checked.is_good:
        for each in checked.found.kept:
            output.say(str(each))
        raise Failure(
            f"{sum(checked.found.counts.values()):,} things are wrong with it, and nothing was sent; --no-check sends it all the same"
        )


def _show_plan(source: "Source", target: "Target", *, replace: bool) -> None:
    from vbvrdatafactory.cli import output
    from vbvrdatafactory.core.humanize import format_bytes, format_count
    from vbvrdatafactory.driver.release_publish import NoTargetError, check_target
    from vbvrdatafactory.release.publishing import left, strays

    try:
        listed = target.listed()
    except NoTargetError as error:
        output.say(f"{error}; it would be made")
        listed = {}
    check_target(source, target, listed, replace=replace)
    lacking = left(source.files, listed)
    output.say(
        f"{format_count(len(source.files), 'file')}, {format_bytes(sum(file.size for file in source.files))}; of them "
        f"{len(lacking):,} would be sent, {format_bytes(sum(file.size for file in lacking))}, "
        f"and {len(strays(source.files, listed)):,} deleted."
    )


class _Progress:
    """How much was sent, and how long the rest takes: a bar on a terminal, elsewhere a line every half minute."""

    def __init__(self) -> None:
        from threading import Lock

        self._lock, self._total, self._sent = Lock(), 0, 0
        self._advance: Callable[[int], None] = lambda _: None

    def __enter__(self) -> Self:
        from contextlib import ExitStack

        self._open = ExitStack()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def begin(self, total: int) -> None:
        from vbvrdatafactory.cli import output

        self._total = total
        if output.console(sys.stderr).is_terminal:
            self._advance = self._open.enter_context(output.progress("sending", total, in_bytes=True))
        else:
            self._advance = self._open.enter_context(_lines(total))

    def advance(self, more: int) -> None:
        with self._lock:
            self._advance(more)


@contextmanager
def _lines(total: int) -> Iterator[Callable[[int], None]]:
    import time

    from vbvrdatafactory.cli import output
    from vbvrdatafactory.core.humanize import format_bytes, format_estimate

    began = said = time.monotonic()
    sent = 0

    def advance(more: int) -> None:
        nonlocal sent, said
        sent += more
        now = time.monotonic()
        if now - said >= _SECONDS_BETWEEN_LINES and sent:
            said = now
            rest = format_estimate((now - began) * max(0, total - sent) / sent)
            output.note(f"sent {format_bytes(sent)} of {format_bytes(total)}; about {rest} left")

    yield advance
