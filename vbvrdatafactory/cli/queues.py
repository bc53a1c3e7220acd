"""The depth of the task queue and the dead letter queue; errors name the variable with the queue's URL."""

from vbvrdatafactory.cli.context import App
from vbvrdatafactory.core.errors import ConfigError, DataFactoryError
from vbvrdatafactory.sqs.depth import Depth, depth


def task_queue(app: App) -> Depth:
    """The depth of the task queue."""
    return _depth(app, "SQS_QUEUE_URL", app.config.sqs_queue_url)


def dead_letter_queue(app: App) -> Depth:
    """The depth of the dead letter queue."""
    return _depth(app, "SQS_DLQ_URL", app.config.sqs_dlq_url)


def has_dead_letter_queue(app: App) -> bool:
    """Whether SQS_DLQ_URL is set."""
    try:
        return bool(app.config.sqs_dlq_url)
    except ConfigError:
        return False


def _depth(app: App, variable: str, url: str) -> Depth:
    client = app.sqs
    try:
        return depth(client, url)
    except client.exceptions.QueueDoesNotExist as error:
        raise DataFactoryError(
            f"there is no queue at {variable}={url} in {app.config.aws_region}; "
            "are the URL and AWS_REGION the stack's?"
        ) from error
