"""The generators of a folder and of its lock, one row each."""

import re
from pathlib import Path
from typing import NamedTuple

from vbvrdatafactory.core.contract import ENTRY_POINT
from vbvrdatafactory.core.generators_lock import GeneratorsLock
from vbvrdatafactory.fleet.catalogue import TEMPLATE, folders, folders_with_generators, others
from vbvrdatafactory.fleet.states import State, state_of
from vbvrdatafactory.lockfile import read_lock

_FAMILY = re.compile(r"([A-Z])[-_]")
_NO_LOCK = "worker's own"


class Row(NamedTuple):
    """One generator.

    Args:
        name: its name.
        family: the letter that names of its kind begin with, such as ``O``; empty where there is none.
        path: its folder.
        url: the repository that it was fetched from; empty where it was not.
        commit: that repository's commit; empty where it was not fetched.
        environment: the id of its environment, or the interpreter that somebody named.
        state: as `State` has it, with what it needs.
        why: why it is not ready, and what to do.
    """

    name: str
    family: str
    path: str
    url: str
    commit: str
    environment: str
    state: str
    why: str

    @property
    def is_usable(self) -> bool:
        return self.state == State.READY

    @property
    def is_template(self) -> bool:
        return self.state == _TEMPLATE


_TEMPLATE = "template for authors"
_UNUSABLE = "unusable"
_NO_CONTRACT = "no contract"


def list_fleet(path: Path) -> list[Row]:
    """A row for each generator under `path` and in its lock, sorted by name; then the template, then unusable folders.

    Raises:
        ConfigError: `path` is not a folder, or its lock can't be read.
    """
    lock = read_lock(path)
    here = folders_with_generators(path)
    names = sorted({*here, *(lock.generators if lock else ())})
    rows = [_row(lock, name, path) for name in names]
    if (path / TEMPLATE / ENTRY_POINT).is_file():
        rows.append(Row(TEMPLATE, "", str(path / TEMPLATE), "", "", "", _TEMPLATE, ""))
    odd = {name: (_UNUSABLE, why) for name, why in folders(path).items() if why}
    odd |= {name: (_NO_CONTRACT, why) for name, why in others(path).items()}
    return [*rows, *(Row(name, "", str(path / name), "", "", "", *said) for name, said in odd.items())]


def _row(lock: GeneratorsLock | None, name: str, path: Path) -> Row:
    family = found[1] if (found := _FAMILY.match(name)) else ""
    if lock is None:
        return Row(name, family, str(path / name), "", "", _NO_LOCK, State.READY, "")
    state, why = state_of(lock, name, path)
    locked, environment = lock.generators.get(name), lock.environment_of(name)
    place = (environment.interpreter if environment else "") or (locked.environment if locked else "") or ""
    shown = f"{state}: {locked.needs}" if locked and state is State.NEEDS else str(state)
    url, commit = (locked.url, locked.commit) if locked else ("", "")
    return Row(name, family, str(path / name), url, commit, place, shown, why)
