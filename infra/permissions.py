"""The least the worker may do: samples and its records in a bucket, one queue's messages, one log group.

It can neither read nor write specs, locks, pauses and reports, which decide what is sent and what counts as done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam

from vbvrdatafactory.core import keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_logs as logs
    from aws_cdk import aws_sqs as sqs


# Objects of a bucket that the worker writes, reads and removes.
WRITTEN = tuple(
    f"{prefix}*" for prefix in (keys.QUESTIONS, keys.RECEIPTS, keys.FAILURES, keys.UNREADABLE, keys.BANDS)
)
READ = (f"{keys.RECEIPTS}*", f"{keys.BANDS}*", f"{keys.QUESTIONS}*.tar.gz")
REMOVED = (f"{keys.QUESTIONS}*",)
# Objects that the submit function writes and reads.
SUBMIT_OBJECTS = (f"{keys.DATASETS}*", f"{keys.OWN}*")


def below(prefixes: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """The patterns, and the same below each prefix of a dataset."""
    return [*patterns, *(f"{prefix}/{pattern}" for prefix in prefixes for pattern in patterns)]


def worker_policy(
    *,
    bucket_arns: Sequence[str],
    prefixes: Sequence[str],
    queue: sqs.IQueue,
    dead_letters: sqs.IQueue,
    log_group: logs.ILogGroup,
) -> iam.PolicyDocument:
    """What the worker's role allows; the only wildcards are "any object below this prefix"."""
    listed = below(prefixes, [f"{prefix}*" for prefix in (keys.QUESTIONS, keys.RECEIPTS, keys.BANDS)])
    return iam.PolicyDocument(
        statements=[
            _allow(_objects(bucket_arns, *below(prefixes, WRITTEN)), "s3:PutObject"),
            # Whether a batch was made before: its receipt, and the size of its archive.
            _allow(_objects(bucket_arns, *below(prefixes, READ)), "s3:GetObject"),
            # Of a run that is done again, what its first turn let out.
            _allow(
                _objects(bucket_arns, *below(prefixes, REMOVED)),
                "s3:DeleteObject",
                "s3:AbortMultipartUpload",
                "s3:ListMultipartUploadParts",
            ),
            iam.PolicyStatement(
                resources=list(bucket_arns),
                actions=["s3:ListBucket"],
                conditions={"StringLike": {"s3:prefix": listed}},
            ),
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


def submit_policy(
    *,
    bucket_arn: str,
    prefixes: Sequence[str],
    queue: sqs.IQueue,
    log_group: logs.ILogGroup,
    function_arn: str,
) -> iam.PolicyDocument:
    """What the submit function's role allows: look at the bucket, keep spec, lock and pause, send, go on by itself."""
    return iam.PolicyDocument(
        statements=[
            _allow(_objects([bucket_arn], f"{keys.DATASETS}*"), "s3:PutObject"),
            _allow(_objects([bucket_arn], *below(prefixes, [f"{keys.OWN}*"])), "s3:GetObject"),
            _allow([bucket_arn], "s3:ListBucket"),
            _allow([queue.queue_arn], "sqs:SendMessage", "sqs:GetQueueAttributes"),
            _allow([function_arn], "lambda:InvokeFunction"),
            _allow([log_group.log_group_arn], "logs:CreateLogStream", "logs:PutLogEvents"),
        ]
    )


def _objects(bucket_arns: Sequence[str], *patterns: str) -> list[str]:
    return [f"{arn}/{pattern}" for arn in bucket_arns for pattern in patterns]


def _allow(resources: Sequence[str], *actions: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(resources=list(resources), actions=list(actions))
