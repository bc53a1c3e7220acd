"""The budget of failures: when a run is hopeless, and what is then said."""

from typing import NamedTuple

from vbvrdatafactory.planning.evidence import Outcomes

# A share of fewer says nothing.
JUDGED_FROM = 20


class Budget(NamedTuple):
    """How many failed batches a run may have.

    Args:
        max_failures: failed batches of the run; None for any number.
        max_failure_percent: of the batches that finished in the run; 100 for any share.
    """

    max_failures: int | None = None
    max_failure_percent: int = 50

    def overspent(self, run: Outcomes) -> str | None:
        """How the run has spent more than its budget; None while it has not."""
        if self.max_failures is not None and run.failed > self.max_failures:
            return f"{run.failed:,} batches failed, {self.max_failures:,} may"
        percent = 100 * run.failed / run.finished if run.finished else 0.0
        if run.finished >= JUDGED_FROM and percent > self.max_failure_percent:
            return f"{run.failed:,} of {run.finished:,} finished batches failed, {self.max_failure_percent} % may"
        return None
