"""Whether a run made what a dataset asks for: with its seed, and by the code and in the environment that it accepts."""

from collections.abc import Iterable
from typing import NamedTuple

from vbvrdatafactory.core.generators_lock import Pins
from vbvrdatafactory.core.keys import ReceiptKey
from vbvrdatafactory.planning.contents import State
from vbvrdatafactory.planning.plan import DatasetSpec, Plan


def is_planned(plan: Plan, run: ReceiptKey) -> bool:
    """Whether this run has the seed that the plan gives it; True where its seed is unknown."""
    return run.seed is None or run.seed == plan.batch(run.generator, run.indices, run.salt).seed


class Judge(NamedTuple):
    """Judges runs for one dataset.

    Args:
        plan: the dataset's plan.
        now: code and environment of each generator, as the generators' lock has them now.
    """

    plan: Plan
    now: Pins = Pins()

    def of(self, run: ReceiptKey, code: str | None, environment: str | None) -> State:
        """What the samples of a run are, if they are there as its receipt says."""
        if not is_planned(self.plan, run):
            return State.STALE_SEED
        pins = self._pins
        pin = pins.generators.get(run.generator)
        if pin is None or (
            self._is_code(pin.code, code) and _is_environment(pins, pin.environment, environment)
        ):
            return State.RIGHT
        return State.STALE_CODE

    @property
    def _pins(self) -> Pins:
        spec = self.plan.spec
        return {"any": Pins(), "pinned": spec.pins, "current": self.now}[spec.code]

    @staticmethod
    def _is_code(wanted: str, found: str | None) -> bool:
        return not wanted or found is None or wanted == found


def _is_environment(pins: Pins, wanted: str | None, found: str | None) -> bool:
    """Receipts of before environments name none."""
    pinned = pins.environments.get(wanted or "")
    return pinned is None or not found or pinned.digest == found


def dataset_of(run: ReceiptKey, described: Iterable[DatasetSpec]) -> DatasetSpec | None:
    """The dataset in the bucket whose plan has this run; None where there is none."""
    return next(
        (spec for spec in described if run.generator in spec.generators and is_planned(Plan(spec), run)), None
    )


def seed_of(spec: DatasetSpec) -> str:
    """The seed of a dataset, for people."""
    return f"{spec.seed}{' with --legacy-seeds' * (spec.seeds == 'legacy')}"
