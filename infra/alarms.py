"""Alarms that mean something, and a dashboard whose first row says whether it is working and when it is done.

Figures of single generators are in the receipts and reports, where they cost nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_sqs as sqs
    from constructs import Construct

_MINUTE = cdk.Duration.minutes(1)
_FIVE_MINUTES = cdk.Duration.minutes(5)
_HOUR = cdk.Duration.hours(1)
# Of the function's timeout: a batch that takes longer is about to be lost.
_NEAR_THE_TIMEOUT = 0.9
# A message that has waited so long is near the end of its retention.
_OLD_SHARE = 0.5


class Alarms:
    """The alarms of one pipeline.

    Args:
        scope: the stack.
        queue: the task queue.
        dead_letters: the dead letter queue.
        worker: the function.
        timeout: of the function.
        retention: of the task queue.
        email: who is told; None tells nobody, and the console shows them all the same.
    """

    def __init__(  # noqa: PLR0913 - what it watches
        self,
        scope: Construct,
        *,
        queue: sqs.Queue,
        dead_letters: sqs.Queue,
        worker: lambda_.Function,
        timeout: cdk.Duration,
        retention: cdk.Duration,
        email: str | None,
    ) -> None:
        self._scope, self._queue, self._worker = scope, queue, worker
        self._topic = _topic(scope, email) if email else None
        self._dead = dead_letters.metric_approximate_number_of_messages_visible(
            period=_FIVE_MINUTES, statistic="Maximum"
        )
        self._waiting = queue.metric_approximate_number_of_messages_visible(
            period=_FIVE_MINUTES, statistic="Maximum"
        )
        self._finished = queue.metric_number_of_messages_deleted(period=_FIVE_MINUTES, statistic="Sum")
        self._oldest = queue.metric_approximate_age_of_oldest_message(
            period=_FIVE_MINUTES, statistic="Maximum"
        )
        self._alarms = [
            self._alarm(
                "DeadLettersAlarm", self._dead, 0, "Messages failed for good: 'datafactory dlq list' says why"
            ),
            self._alarm(
                "ErrorsAlarm",
                worker.metric_errors(period=_FIVE_MINUTES),
                0,
                "The worker itself failed: see its log",
            ),
            self._alarm(
                "ThrottlesAlarm",
                worker.metric_throttles(period=_FIVE_MINUTES),
                100,
                "The account's concurrency is used up: lower sqsMaxConcurrency, or ask for a higher quota",
                periods=3,
            ),
            self._alarm(
                "OldestMessageAlarm",
                self._oldest,
                retention.to_seconds() * _OLD_SHARE,
                "A message has waited for half of the time that the queue keeps it",
            ),
            self._alarm(
                "DurationAlarm",
                worker.metric_duration(period=_FIVE_MINUTES, statistic="Maximum"),
                timeout.to_milliseconds() * _NEAR_THE_TIMEOUT,
                "A batch nearly ran into the function's timeout: make it smaller for that generator",
            ),
            self._alarm(
                "NothingFinishedAlarm",
                self._stalled(),
                0,
                "Messages wait, and none was finished for an hour: 'datafactory monitor' says who consumes",
            ),
        ]

    def make_dashboard(self) -> None:
        """One page: is it working, when is it done; then what went wrong."""
        worker = self._worker
        rows: list[Mapping[str, list[cloudwatch.IMetric]]] = [
            {
                "Batches finished": [self._finished],
                "Messages waiting (to zero is done)": [
                    self._waiting,
                    self._queue.metric_approximate_number_of_messages_not_visible(period=_MINUTE),
                ],
            },
            {
                "Batches at once": [
                    worker.metric("ConcurrentExecutions", statistic="Maximum", period=_MINUTE)
                ],
                "Seconds of a batch": [
                    worker.metric_duration(period=_FIVE_MINUTES, statistic=one) for one in ("p50", "p99")
                ],
            },
            {
                "Dead letters": [self._dead],
                "Errors and throttles": [worker.metric_errors(), worker.metric_throttles()],
            },
        ]
        board = cloudwatch.Dashboard(self._scope, "Dashboard", default_interval=cdk.Duration.hours(12))
        for row in rows:
            board.add_widgets(
                *(
                    cloudwatch.GraphWidget(title=title, left=metrics, width=12)
                    for title, metrics in row.items()
                )
            )
        board.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=self._alarms, width=24))

    def _stalled(self) -> cloudwatch.MathExpression:
        """Above zero where messages waited all through an hour in which none was finished."""
        waiting = self._queue.metric_approximate_number_of_messages_visible(period=_HOUR, statistic="Minimum")
        finished = self._queue.metric_number_of_messages_deleted(period=_HOUR, statistic="Sum")
        return cloudwatch.MathExpression(
            expression="IF(finished == 0, waiting, 0)",
            using_metrics={"waiting": waiting, "finished": finished},
            period=_HOUR,
            label="waiting, none finished",
        )

    def _alarm(
        self, name: str, metric: cloudwatch.IMetric, threshold: float, why: str, *, periods: int = 1
    ) -> cloudwatch.Alarm:
        made = cloudwatch.Alarm(
            self._scope,
            name,
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            alarm_description=why,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        if self._topic:
            made.add_alarm_action(actions.SnsAction(self._topic))
            made.add_ok_action(actions.SnsAction(self._topic))
        return made


def _topic(scope: Construct, email: str) -> sns.Topic:
    topic = sns.Topic(scope, "AlarmTopic", enforce_ssl=True, display_name="VBVR DataFactory")
    sns.Subscription(
        scope, "AlarmSubscription", topic=topic, endpoint=email, protocol=sns.SubscriptionProtocol.EMAIL
    )
    return topic
