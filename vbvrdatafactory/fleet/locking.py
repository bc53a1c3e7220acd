"""Locks the generators: the fewest environments, who runs in which, and what was changed for that.

What a generator asks for is corrected by overrides.toml, resolved together with what others ask for, installed, and
tried: all that its script leads to is imported there, in the sandbox. What it forgot to ask for is added if it is well
known, and said; what no environment can have is said too.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vbvrdatafactory.core.generators_lock import (
    INSTALLED,
    GeneratorsLock,
    LockedEnvironment,
    LockedGenerator,
    environment_digest,
    environment_id,
)
from vbvrdatafactory.fleet.catalogue import folders_with_generators
from vbvrdatafactory.fleet.entry import Entry, Trial
from vbvrdatafactory.fleet.environments import Rivals, build_all
from vbvrdatafactory.fleet.interpreters import describe
from vbvrdatafactory.fleet.known import libraries_not_found, needed_libraries
from vbvrdatafactory.fleet.lock_writer import only_one, read_requirements, write_lock, write_requirements
from vbvrdatafactory.fleet.overrides import Override, read_overrides
from vbvrdatafactory.fleet.solving import Asking, Solution, Solver, versions
from vbvrdatafactory.fleet.uv import Uv
from vbvrdatafactory.lockfile import is_installed, read_lock

# Something that is added may lead to the next that is missing.
_TURNS = 5

# Imports modules with an interpreter, in the sandbox.
TryImports = Callable[[Path, Sequence[str]], Mapping[str, Trial]]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Locked:
    """What was locked.

    Args:
        lock: as it was written.
        before: the lock before; an empty one where there was none.
        is_fewest: whether fewer environments are impossible.
    """

    lock: GeneratorsLock
    before: GeneratorsLock
    is_fewest: bool


def lock_generators(folder: Path, try_imports: TryImports, say: Say = lambda _: None) -> Locked:
    """Lock the generators in a folder, and install what was locked.

    Args:
        folder: the folder of the generators.
        try_imports: tries imports in the sandbox.
        say: is told what is being done.

    Raises:
        DataFactoryError: uv failed, an environment can't be installed, or another process syncs or locks the folder.
    """
    with only_one(folder):
        return _Locking(folder, try_imports, say).run()


class _Locking:
    def __init__(self, folder: Path, try_imports: TryImports, say: Say) -> None:
        self._folder, self._try, self._say = folder.absolute(), try_imports, say
        self._before = read_lock(folder) or GeneratorsLock()
        self._overrides = read_overrides(folder)
        self._uv = Uv(self._overrides.python, self._overrides.platform, self._overrides.build)
        self._texts_before = {name: read_requirements(folder, name) for name in self._before.environments}
        self._solver = Solver(self._uv.resolve, self._most_like)
        self._system: dict[str, tuple[str, ...]] = {}

    def run(self) -> Locked:
        entries = [self._entry(name) for name in folders_with_generators(self._folder)]
        self._say(f"resolving what {len(entries):,} generators ask for")
        for entry in entries:
            if entry.is_ours:
                entry.add_known(self._solver.names(entry.asking))
        solution = self._solve(entries)
        for _ in range(_TURNS):
            self._install(solution)
            if not self._try_all(entries, solution):
                break
            solution = self._solve(entries)
        return Locked(self._write(entries, solution), self._before, solution.is_fewest)

    def _entry(self, name: str) -> Entry:
        override = self._overrides.generators.get(name, Override())
        return Entry.read(self._folder / name, override, self._before.generators.get(name))

    def _most_like(self, askings: Iterable[Asking]) -> str:
        """What the environment before has that is most like what is asked now, so that its versions stay."""
        wanted = {text for asking in askings for text in asking}

        def likeness(text: str) -> int:
            return len(wanted & {f"{name}=={version}" for name, version in versions(text).items()})

        return max(self._texts_before.values(), key=likeness, default="")

    def _solve(self, entries: Iterable[Entry]) -> Solution:
        solution = self._solver.solve(Counter(entry.asking for entry in entries if entry.is_ours))
        for entry in entries:
            if entry.is_ours and (why := solution.unsolved.get(entry.asking)):
                entry.problem = f"what it asks for can't be installed: {why}"
        return solution

    def _install(self, solution: Solution) -> None:
        made = [(self._made(text), text) for text, _ in solution.environments]
        new = {_id(one): text for one, text in made if not is_installed(self._folder, one)}
        if not new:
            return
        self._say(f"installing {len(new):,} of {len(made):,} environments")
        for error in build_all(self._folder, self._uv, new).values():
            if not isinstance(error, Rivals):
                raise error
            self._solver.add_rivals(error.distributions)

    def _try_all(self, entries: Sequence[Entry], solution: Solution) -> bool:
        """Import everything in its environment; whether something else is asked for now."""
        changed = False
        for text, askings in solution.environments:
            made = self._made(text)
            if not is_installed(self._folder, made):
                # Its distributions were found to be rivals.
                changed = True
                continue
            mine = [entry for entry in entries if entry.is_ours and entry.asking in askings]
            modules = sorted({module for entry in mine for module in entry.source.imports})
            self._say(f"trying {len(modules)} imports of {len(mine):,} generators in {_id(made)}")
            trials = self._try(self._folder / INSTALLED / _id(made) / "bin" / "python", modules)
            self._system[_id(made)] = _of_the_system(trials.values())
            # All of them, not up to the first that changed.
            changed |= any([entry.take(trials) for entry in mine])  # noqa: C419
        return changed

    def _write(self, entries: Sequence[Entry], solution: Solution) -> GeneratorsLock:
        where = {asking: self._made(text) for text, askings in solution.environments for asking in askings}
        generators, environments = {}, {}
        fonts: dict[str, set[str]] = defaultdict(set)
        for entry in entries:
            environment = self._environment_of(entry, where)
            name = _id(environment) if environment else None
            generators[entry.name] = entry.locked(name)
            if environment:
                environments[_id(environment)] = environment
                fonts[_id(environment)].update(entry.source.fonts)
        apart = _apart(solution, {asking: _id(made) for asking, made in where.items()})
        environments = {
            name: one.model_copy(update={"fonts": tuple(sorted(fonts[name])), "apart": apart.get(name, {})})
            for name, one in environments.items()
        }
        lock = self._with_absent(generators, environments)
        texts = {_id(self._made(text)): text for text, _ in solution.environments}
        write_requirements(
            self._folder, {n: {**self._texts_before, **texts}.get(n, "") for n in lock.environments}
        )
        write_lock(self._folder, lock)
        return lock

    def _environment_of(
        self, entry: Entry, where: Mapping[Asking, LockedEnvironment]
    ) -> LockedEnvironment | None:
        if entry.override.interpreter and not entry.problem:
            return describe(entry.override.interpreter, self._before)
        return where[entry.asking] if entry.is_ours else None

    def _with_absent(
        self, generators: Mapping[str, LockedGenerator], environments: Mapping[str, LockedEnvironment]
    ) -> GeneratorsLock:
        """The new lock, with the generators that are in the lock and not on this machine as they were."""
        absent = {
            name: locked
            for name, locked in self._before.generators.items()
            if name not in generators and locked.url
        }
        theirs = {locked.environment for locked in absent.values()}
        kept = {name: one for name, one in self._before.environments.items() if name in theirs}
        return GeneratorsLock(
            python=self._uv.python,
            platform=self._uv.platform,
            build=self._overrides.build,
            generators={**absent, **generators},
            environments={**kept, **environments},
        )

    def _made(self, text: str) -> LockedEnvironment:
        """The environment that installs what `text` lists."""
        digest = environment_digest(text, self._uv.python, self._uv.platform)
        system = self._system.get(environment_id(digest), ())
        return LockedEnvironment(
            digest=digest, python=self._uv.python, libraries=versions(text), system=system
        )


def _id(environment: LockedEnvironment) -> str:
    return environment_id(environment.digest)


def _of_the_system(trials: Iterable[Trial]) -> tuple[str, ...]:
    """The shared libraries of the system that imports loaded, or did not find."""
    found = {
        name
        for trial in trials
        for name in (*libraries_not_found(trial.text), *needed_libraries(trial.libraries))
    }
    return tuple(sorted(found))


def _apart(solution: Solution, where: Mapping[Asking, str]) -> dict[str, dict[str, str]]:
    """Why two environments are not one, by the ids of both."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for askings, why in solution.apart.items():
        names = {where[asking] for asking in askings if asking in where}
        for name in names:
            for other in names - {name}:
                found[name].setdefault(other, why)
    return found
