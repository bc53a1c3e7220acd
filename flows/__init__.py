"""The flows: paragraphs that read aloud. No boto3, no page loops, no string building."""

import logging

from vbvrdatafactory.core.errors import DataFactoryError


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of a task run is worth reading: that it was completed goes without saying.

    What we say ourselves, with the next move, is a line without the traceback that Prefect adds.
    """
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, DataFactoryError):
        record.msg, record.args, record.exc_info = "%s", (str(error),), None
    return not record.getMessage().startswith("Finished in state Completed")


# Prefect says it of every task run, at the level of what our tasks have to say.
logging.getLogger("prefect.task_runs").addFilter(_is_news)
