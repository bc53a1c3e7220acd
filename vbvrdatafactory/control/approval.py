"""Whether somebody approved what a dataset's runs will spend: a record in the bucket that they read before they send."""

from pydantic import ConfigDict, Field

from vbvrdatafactory.core.humanize import format_usd
from vbvrdatafactory.core.schema import Time, Versioned


class Approval(Versioned):
    """What the runs of a dataset may spend, from the time of the approval on.

    Args:
        max_cost_usd: at most so much, by list prices.
        by: the person and machine.
        at: when.
    """

    model_config = ConfigDict(frozen=True)

    max_cost_usd: float = Field(ge=0, allow_inf_nan=False)
    by: str = ""
    at: Time

    def __str__(self) -> str:
        who = f" by {self.by}" if self.by else ""
        return f"{format_usd(self.max_cost_usd)} approved{who} at {self.at:%Y-%m-%d %H:%M:%S %Z}"
