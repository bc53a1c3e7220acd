"""Publishes a release: sends what a target lacks of it, until the target lists every file with the right content.

A target is looked at before anything is sent and after each failure, so a call that was killed is continued by calling again.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from vbvrdatafactory.core.errors import DataFactoryError, UnreadableRecordError
from vbvrdatafactory.core.humanize import format_bytes, format_count
from vbvrdatafactory.driver.release_source import PublishError, Source
from vbvrdatafactory.driver.services import Clock
from vbvrdatafactory.release.layout import CARD, MANIFEST
from vbvrdatafactory.release.manifest import Release
from vbvrdatafactory.release.publishing import (
    Limits,
    ListedFile,
    Step,
    left,
    limit_problems,
    needs_grant,
    steps,
    strays,
)
from vbvrdatafactory.s3 import records

# How long it waits after failures in a row, in seconds, before it looks again; then it gives up.
_WAITS = (2.0, 5.0, 15.0, 60.0, 120.0)

Result = TypeVar("Result")
Tell = Callable[[str], None]


class NoTargetError(PublishError):
    """A target does not exist."""


class TargetError(DataFactoryError):
    """A target did not take something; later it may."""


class Target(Protocol):
    """Where a release is published: a repository of the Hub, or a prefix of a bucket."""

    name: str
    limits: Limits
    repository: str | None

    def prepare(self) -> None:
        """Make it, where it can be made."""

    def listed(self) -> Mapping[str, ListedFile]:
        """What it holds, by path."""

    def read(self, path: str) -> bytes | None:
        """A small file in it; None where there is none."""

    def send(self, step: Step, source: Source, message: str, on_sent: Callable[[int], None]) -> None:
        """Send files and delete paths; may have done a part when it fails.

        Raises:
            TargetError: it may work later.
            DataFactoryError: it will not.
        """


class Published(NamedTuple):
    """What was done: files in all and their bytes, and how many of them were sent, and deleted."""

    files: int
    bytes: int
    sent: int
    deleted: int


def publish(  # noqa: PLR0913 - what, where to, and who is told
    source: Source,
    target: Target,
    clock: Clock,
    tell: Tell,
    *,
    has_grant: bool = False,
    replace: bool = False,
    on_total: Callable[[int], None] = lambda _: None,
    on_sent: Callable[[int], None] = lambda _: None,
) -> Published:
    """Send what `target` lacks of a release, and prove that it holds all of it.

    Args:
        source: the release.
        target: where it goes.
        clock: waits after a failure.
        tell: called with what failed and is tried again.
        has_grant: whether the target takes more than it takes from anybody.
        replace: whether it may take the place of another build of the release, of a later revision, or of files that no
            manifest names.
        on_total: called with the bytes that are left, before they are sent.
        on_sent: called with how many more bytes were sent.

    Raises:
        PublishError: the target could not take it, or holds something else, or a later revision of it.
        TargetError: the target failed too often in a row.
    """
    check_limits(source, target, has_grant=has_grant)
    _patiently(target.prepare, clock, tell)
    listed = _patiently(target.listed, clock, tell)
    _patiently(partial(check_target, source, target, listed, replace=replace), clock, tell)
    on_total(sum(file.size for file in left(source.files, listed)))
    sent, deleted = len(left(source.files, listed)), len(strays(source.files, listed))
    message = f"{source.release.name}, revision {source.release.revision}"
    failures = 0
    while todo := steps(source.files, listed):
        before = listed
        try:
            for step in todo:
                target.send(step, source, message, on_sent)
        except TargetError as error:
            listed = _patiently(target.listed, clock, tell)
            failures = (
                0 if len(left(source.files, listed)) < len(left(source.files, before)) else failures + 1
            )
            _wait(failures, error, clock, tell)
        else:
            listed = _patiently(target.listed, clock, tell)
            _check_arrived(source, target, listed)
    return Published(len(source.files), sum(file.size for file in source.files), sent, deleted)


def check_limits(source: Source, target: Target, *, has_grant: bool) -> None:
    """Refuse what a target would not take, before anything is sent."""
    sizes = [(file.path, file.size) for file in source.files]
    if problems := [*limit_problems(sizes, target.limits)]:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise PublishError(f"{target.name} would not take it: {problems[0]}{more}")
    if needs_grant(source.files, target.limits) and not has_grant:
        total = format_bytes(sum(size for _, size in sizes))
        raise PublishError(
            f"it has {total}; above {format_bytes(target.limits.bytes_granted)} the Hub wants a plan or a grant: "
            "ask for one, then add --has-grant"
        )


def check_target(
    source: Source, target: Target, listed: Mapping[str, ListedFile], *, replace: bool = False
) -> None:
    """Refuse a target that holds files of no release, another release, or, unless `replace`, another build or a later revision.

    The card of a target that holds nothing else is written over: a repository may be made with one.
    """
    found = _manifest(target) if MANIFEST in listed else None
    if found is None:
        if others := strays(source.files, listed):
            raise PublishError(
                f"{target.name} has {others[0]}, which no release of ours put there; delete it, or publish elsewhere"
            )
        there = [
            file.path for file in left(source.files, listed) if file.path in listed and file.path != CARD
        ]
        if there and not replace:
            raise PublishError(
                f"{target.name} has another {there[0]}, and no {MANIFEST} that says whose it is; publish elsewhere, or "
                "--replace it"
            )
        return
    if found.name != source.release.name:
        raise PublishError(
            f"{target.name} holds the release {found.name!r}, not {source.release.name!r}; publish elsewhere"
        )
    if replace:
        return
    if found.revision > source.release.revision:
        raise PublishError(
            f"{target.name} has revision {found.revision} of it, and this is {source.release.revision}; "
            "publish the folder with the latest, or --replace it"
        )
    if not is_earlier(found, source.release):
        raise PublishError(
            f"{target.name} holds another build of {found.name!r}, revision {found.revision}: with other samples, splits or "
            "changes; publish elsewhere, or --replace it"
        )


def is_earlier(one: Release, other: Release) -> bool:
    """Whether a release is the other, or became it by changes; one of before that does not say what was planned may be."""
    is_same = one.plan == other.plan or not (one.plan and other.plan)
    # The first is that it was built, which the same build says of another time.
    return is_same and one.changes[1:] == other.changes[1 : len(one.changes)]


def _manifest(target: Target) -> Release | None:
    data = target.read(MANIFEST)
    try:
        return records.parse(data, MANIFEST, Release) if data is not None else None
    except UnreadableRecordError as error:
        raise PublishError(f"{target.name}: {error}; publish elsewhere, or delete it there") from error


def _check_arrived(source: Source, target: Target, listed: Mapping[str, ListedFile]) -> None:
    if wrong := left(source.files, listed):
        there = listed.get(wrong[0].path)
        what = f"{there.size:,} bytes, {(there.sha256 or there.git)[:16]}…" if there else "nothing"
        raise PublishError(
            f"{target.name} lists {what} as {wrong[0].path}, where {wrong[0].size:,} bytes, {wrong[0].sha256[:16]}… were sent "
            f"({format_count(len(wrong), 'file')} in all); run 'datafactory release check', then publish again"
        )


def _patiently(call: Callable[[], Result], clock: Clock, tell: Tell) -> Result:
    failures = 0
    while True:
        try:
            return call()
        except TargetError as error:
            failures += 1
            _wait(failures, error, clock, tell)


def _wait(failures: int, error: TargetError, clock: Clock, tell: Tell) -> None:
    if failures > len(_WAITS):
        raise error
    seconds = _WAITS[max(0, failures - 1)]
    tell(f"{error}; trying again in {seconds:.0f} s")
    clock.sleep(seconds)
