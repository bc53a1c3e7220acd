"""What is known of one generator while the lock is made, and what a trial of its imports adds to that."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from vbvrdatafactory.core.generators_lock import LockedGenerator
from vbvrdatafactory.files import code_digest
from vbvrdatafactory.fleet.digests import tree_digest
from vbvrdatafactory.fleet.imports import Import, Source, read_source
from vbvrdatafactory.fleet.known import DISTRIBUTIONS, OF_A_HOST, owners
from vbvrdatafactory.fleet.overrides import Override, apply
from vbvrdatafactory.fleet.requirements import Asked, read_asked
from vbvrdatafactory.fleet.solving import Asking


class Trial(Protocol):
    """How the import of one module went, as `lambda_worker.generator.try_imports` has it."""

    @property
    def error(self) -> str: ...
    @property
    def missing(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def libraries(self) -> tuple[str, ...]: ...


@dataclass
class Entry:
    """One generator.

    Args:
        name: its name.
        asked: what it asks for, corrected.
        source: what its script leads to.
        override: a person's corrections.
        before: what the lock had of it; empty where it had nothing.
        code: the digest of its code.
        tree: the digest of all its files.
        added: what it forgot to ask for, with how that was seen.
        notes: what else a person should know.
        needs: what it imports that only a host brings.
        problem: why it can't be used; empty where it can.
    """

    name: str
    asked: Asked
    source: Source
    override: Override
    before: LockedGenerator
    code: str
    tree: str
    added: dict[str, str] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    needs: str = ""
    problem: str = ""

    @classmethod
    def read(cls, folder: Path, override: Override, before: LockedGenerator | None) -> "Entry":
        """The generator in `folder`; what was added to it before stays added while its code is the same."""
        asked = apply(read_asked(folder), override)
        was, code = before or LockedGenerator(), code_digest(folder) or ""
        tree = was.tree if was.url else tree_digest(folder)
        entry = cls(folder.name, asked, read_source(folder), override, was, code, tree, problem=asked.problem)
        if code == was.code:
            entry.added.update(was.added)
        return entry

    @property
    def asking(self) -> Asking:
        """What is to be resolved for it."""
        return tuple(sorted({*self.asked.requirements, *self.added}))

    @property
    def is_ours(self) -> bool:
        """Whether it runs in an environment that we make."""
        return not (self.problem or self.needs or self.override.interpreter)

    def add_known(self, brought: frozenset[str]) -> None:
        """Add what its source imports and the distributions `brought` do not bring, if that is well known."""
        for module, found in self.source.imports.items():
            distribution = DISTRIBUTIONS.get(module)
            if distribution and not owners(module) & brought:
                self._add(distribution, found)

    def take(self, trials: Mapping[str, Trial]) -> bool:
        """Take in how its imports went; whether it asks for something else now."""
        before = self.asking, self.is_ours
        for module, found in self.source.imports.items():
            if module in trials and trials[module].error:
                self._take(found, trials[module])
        return (self.asking, self.is_ours) != before

    def locked(self, environment: str | None) -> LockedGenerator:
        """What the lock has of it, in the environment of that id."""
        is_fetched = self.before.url != ""
        return LockedGenerator(
            url=self.before.url,
            commit=self.before.commit,
            tree=self.tree,
            code=self.before.code if is_fetched else self.code,
            environment=environment,
            needs=self.needs,
            problem=self.problem,
            added=self.added,
            changes=(*self.asked.changes, *self.notes),
        )

    def _take(self, found: Import, trial: Trial) -> None:
        is_missing = trial.missing.partition(".")[0] == found.module
        distribution = DISTRIBUTIONS.get(found.module)
        if is_missing and distribution and distribution not in self.added:
            self._add(distribution, found)
        elif found.is_optional:
            self.notes[f"it goes on without {found.module} ({found.place}): {_short(trial)}"] = None
        elif is_missing and found.module in OF_A_HOST:
            self.needs = self.needs or found.module
        elif is_missing:
            self.problem = (
                f"it imports {found.module} ({found.place}), which nothing that it asks for brings; "
                "add the distribution in overrides.toml"
            )
        else:
            self.notes[f"importing {found.module} ({found.place}) failed here: {_short(trial)}"] = None

    def _add(self, distribution: str, found: Import) -> None:
        effect = ", and would go on without it" if found.is_optional else ""
        self.added[distribution] = (
            f"it imports {found.module} ({found.place}) and does not ask for it{effect}"
        )


def _short(trial: Trial) -> str:
    return f"{trial.error}: {trial.text.splitlines()[0][:200]}" if trial.text else trial.error
