"""Works on the parts of a release in several processes: Python uses one core in each."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cached_property
from itertools import islice
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

from obstore.store import ObjectStore

from vbvrdatafactory import aws
from vbvrdatafactory.core.errors import ReleaseError
from vbvrdatafactory.driver.release_place import Place

_T = TypeVar("_T")
_R = TypeVar("_R")


class Context(NamedTuple):
    """What a process works with.

    Args:
        store: the dataset's bucket.
        target: where the release is built.
        scratch: a folder of this machine for files that are not whole yet.
    """

    store: ObjectStore
    target: Place
    scratch: Path


# In a process of its own: what it was started with.
_here: list[Context] = []


class Pool:
    """Processes that work on parts, until the block ends.

    Args:
        source: the dataset's bucket, below its prefix.
        target: where the release is built.
        scratch: a folder of this machine.
        processes: how many; 0 works in this one, as does a replacement of AWS, which other processes don't have.
    """

    def __init__(self, source: Place, target: Place, scratch: Path, processes: int) -> None:
        self._source, self._target, self._scratch = source, target, scratch
        self._processes = 0 if aws.replacement() else processes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if "_executor" in self.__dict__:
            self._executor.shutdown(cancel_futures=True)

    @cached_property
    def _executor(self) -> ProcessPoolExecutor:
        arguments = (self._source, self._target, self._scratch)
        # A fork would take over locks of threads that it has not got.
        return ProcessPoolExecutor(self._processes, multiprocessing.get_context("spawn"), _start, arguments)

    @cached_property
    def _context(self) -> Context:
        return Context(self._source.store(), self._target, self._scratch)

    def run(self, work: Callable[[Context, _T], _R], parts: Iterable[_T]) -> Iterator[_R]:
        """The results, each as soon as it is there.

        Raises:
            ReleaseError: a process was killed.
            Exception: what `work` raises; parts that were begun are finished, no other is begun.
        """
        left = iter(parts)
        if not self._processes:
            for one in left:
                yield work(self._context, one)
            return
        try:
            yield from self._side_by_side(work, left)
        except BrokenProcessPool as error:
            raise ReleaseError(
                "a process of the build was killed, as for want of memory; run it again, with fewer --workers"
            ) from error

    def _side_by_side(self, work: Callable[[Context, _T], _R], left: Iterator[_T]) -> Iterator[_R]:
        """The results; two parts are there for each process."""
        running: set[Future[_R]] = set()
        while True:
            room = 2 * self._processes - len(running)
            running |= {self._executor.submit(_work, work, one) for one in islice(left, room)}
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()


def _start(source: Place, target: Place, scratch: Path) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _here[:] = [Context(source.store(), target, scratch)]


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for work for ever."""
    if parent := multiprocessing.parent_process():
        wait_for([parent.sentinel])
        os._exit(1)


def _work(work: Callable[[Context, _T], _R], part: _T) -> _R:
    return work(_here[0], part)
