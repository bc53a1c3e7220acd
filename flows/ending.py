"""How a flow run ends: Completed when the dataset is complete, a red Incomplete with the count when it is not."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.report.completeness import Report

Asked = ParamSpec("Asked")


class DatasetIncomplete(DataFactoryError):  # noqa: N818 - the state it makes is called Incomplete
    """The run ended with samples missing or torn; `report` says which."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.verdict)
        self.report = report


def ending(report: Report) -> State[Any]:
    """The final state that tells the truth about the dataset."""
    if report.complete:
        return Completed(message=for_terminal(report.headline), data=report)
    # Prefect takes an exception here, and fails the run in red under the name that people look for.
    return Failed(name="Incomplete", message=for_terminal(report.verdict), data=DatasetIncomplete(report))


def told_in_one_line(flow: Callable[Asked, State[Any]]) -> Callable[Asked, State[Any]]:
    """End a flow that can't go on with the reason as its state's message, where Prefect would show a traceback.

    That is for what we say ourselves, with the next move; what nobody foresaw keeps its traceback.
    """

    @wraps(flow)
    def ended(*args: Asked.args, **kwargs: Asked.kwargs) -> State[Any]:
        try:
            return flow(*args, **kwargs)
        except DataFactoryError as error:
            return Failed(message=for_terminal(str(error)), data=error)

    return ended
