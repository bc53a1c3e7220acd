"""How a flow run ends: Completed when the dataset is complete, a red Incomplete with the count when it is not."""

from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.report import Report


class DatasetIncomplete(DataFactoryError):  # noqa: N818 - the state it makes is called Incomplete
    """The run ended with samples missing or torn; `report` says which."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.verdict)
        self.report = report


def ending(report: Report) -> State[Any]:
    """The final state that tells the truth about the dataset."""
    if report.complete:
        return Completed(message=report.headline, data=report)
    # Prefect takes an exception here, and fails the run in red under the name that people look for.
    return Failed(name="Incomplete", message=report.verdict, data=DatasetIncomplete(report))
