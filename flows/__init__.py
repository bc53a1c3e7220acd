"""The flows: paragraphs that read aloud. No boto3, no page loops, no string building."""

import logging

from vbvrdatafactory.core.errors import DataFactoryError


def _is_news_of_a_task(record: logging.LogRecord) -> bool:
    """Whether a line of a task run is worth reading: that it was completed goes without saying.

    What we say ourselves, with the next move, is a line without the traceback that Prefect adds.
    """
    if error := _ours(record):
        record.msg, record.args, record.exc_info = "%s", (str(error),), None
    return not record.getMessage().startswith("Finished in state Completed")


def _is_news_of_a_flow(record: logging.LogRecord) -> bool:
    """Whether a line of a flow run is worth reading: what we say ourselves is in the line of its final state."""
    return _ours(record) is None


def _ours(record: logging.LogRecord) -> DataFactoryError | None:
    error = record.exc_info[1] if record.exc_info else None
    return error if isinstance(error, DataFactoryError) else None


logging.getLogger("prefect.task_runs").addFilter(_is_news_of_a_task)
logging.getLogger("prefect.flow_runs").addFilter(_is_news_of_a_flow)
