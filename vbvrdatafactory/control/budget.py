"""The failure budget: how many failed batches end a run early."""

from typing import NamedTuple

from vbvrdatafactory.core.humanize import format_count
from vbvrdatafactory.planning.evidence import Outcomes

# A percentage of fewer finished batches is not judged.
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
        """How the run exceeds its budget, as a phrase; None where it does not."""
        if self.max_failures is not None and run.failed > self.max_failures:
            return f"{format_count(run.failed, 'batch', 'batches')} failed, at most {self.max_failures:,} may fail"
        percent = 100 * run.failed / run.finished if run.finished else 0.0
        if run.finished >= JUDGED_FROM and percent > self.max_failure_percent:
            return f"{run.failed:,} of {run.finished:,} finished batches failed, at most {self.max_failure_percent} % may fail"
        return None
