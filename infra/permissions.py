"""The least the worker may do: one bucket's objects, one queue's messages, one log group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_logs as logs
    from aws_cdk import aws_sqs as sqs


def worker_policy(
    *, bucket_arns: Sequence[str], queue: sqs.IQueue, dead_letters: sqs.IQueue, log_group: logs.ILogGroup
) -> iam.PolicyDocument:
    """What the worker's role allows; the only wildcard is "any object of this bucket"."""
    return iam.PolicyDocument(
        statements=[
            _allow(
                [f"{arn}/*" for arn in bucket_arns],
                "s3:GetObject",
                "s3:PutObject",
                "s3:DeleteObject",
                "s3:AbortMultipartUpload",
                "s3:ListMultipartUploadParts",
            ),
            _allow(bucket_arns, "s3:ListBucket", "s3:ListBucketMultipartUploads"),
            _allow(
                [queue.queue_arn],
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:ChangeMessageVisibility",
                "sqs:GetQueueAttributes",
                # A message for a generator that runs elsewhere is sent again, and costs no receive.
                "sqs:SendMessage",
            ),
            _allow([dead_letters.queue_arn], "sqs:SendMessage"),
            _allow([log_group.log_group_arn], "logs:CreateLogStream", "logs:PutLogEvents"),
        ]
    )


def _allow(resources: Sequence[str], *actions: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(resources=list(resources), actions=list(actions))
