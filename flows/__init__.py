"""The flows: paragraphs that read aloud. No boto3, no page loops, no string building."""

import logging


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of a task run is worth reading: that it was completed goes without saying."""
    return not record.getMessage().startswith("Finished in state Completed")


# Prefect says it of every task run, at the level of what our tasks have to say.
logging.getLogger("prefect.task_runs").addFilter(_is_news)
