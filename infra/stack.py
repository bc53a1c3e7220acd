"""The whole pipeline as one stack: queue -> worker function -> bucket, and a queue for dead letters.

The same class is deployed to AWS (the worker is a container image) and created on the embedded AWS
(the worker is a zip file on S3, named by string parameters of the template).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs

from infra.alarms import Alarms
from infra.nag import acknowledge, acknowledge_objects
from infra.permissions import READ, REMOVED, SUBMIT_OBJECTS, WRITTEN, below, submit_policy, worker_policy
from infra.settings import MB_PER_PROCESSOR, StackSettings
from infra.worker import HANDLER, SUBMIT_HANDLER, image_function, uri_function, zip_function

if TYPE_CHECKING:
    from collections.abc import Callable

    from constructs import Construct


class PipelineStack(cdk.Stack):
    """Bucket, queues, worker, and the least the worker needs to be allowed."""

    def __init__(self, scope: Construct, settings: StackSettings, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(scope, settings.stack_name, analytics_reporting=False, **kwargs)
        self._settings = settings
        self.bucket = self._make_bucket()
        self.dead_letters = self._make_queue("DeadLetters", days=settings.dead_letter_retention_days)
        self.queue = self._make_queue(
            "Tasks",
            days=settings.queue_retention_days,
            visibility_timeout=cdk.Duration.seconds(settings.visibility_timeout),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.dead_letters, max_receive_count=settings.max_receives
            ),
        )
        self.worker = self._make_worker()
        self.submit = self._make_submit()
        self.mapping = self._make_event_source_mapping()
        self._make_alarms()
        self._make_outputs()
        # What a dataset costs shows by its stack, once this tag is activated in the account's billing.
        cdk.Tags.of(self).add("vbvr-datafactory", self._name)

    def _make_bucket(self) -> s3.Bucket:
        """The dataset. It outlives the stack; CloudFormation names it unless the settings do."""
        bucket = s3.Bucket(
            self,
            "Dataset",
            bucket_name=self._settings.bucket_name,
            # A first deployment that fails leaves none behind; from then on it outlives the stack.
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            lifecycle_rules=[
                s3.LifecycleRule(abort_incomplete_multipart_upload_after=cdk.Duration.days(2)),
            ],
        )
        if bucket.policy:
            # Else the bucket would lose its TLS-only policy with the stack.
            bucket.policy.apply_removal_policy(cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
            if self._settings.bucket_name:
                # CloudFormation takes up what is there only where its name stands in the template, and refuses a second
                # policy of a bucket.
                policy = cast("s3.CfnBucketPolicy", bucket.policy.node.default_child)
                policy.add_property_override("Bucket", self._settings.bucket_name)
                policy.node.add_dependency(bucket)
        acknowledge(
            bucket, "S1", "Access logs would add a second write to each of millions; receipts tell who."
        )
        return bucket

    def _make_queue(self, name: str, *, days: int, **options: Any) -> sqs.Queue:  # noqa: ANN401
        return sqs.Queue(
            self,
            name,
            retention_period=cdk.Duration.days(days),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            **options,
        )

    def _make_worker(self) -> lambda_.Function:
        log_group = self._make_log_group("WorkerLog")
        return self._make(
            self,
            "Worker",
            HANDLER,
            self._settings,
            environment={
                **self._addresses,
                **({"TRUST_GENERATORS": "1"} if self._settings.trust_generators else {}),
            },
            role=self._make_role(log_group),
            log_group=log_group,
            memory_size=self._settings.lambda_memory_mb,
            timeout=cdk.Duration.minutes(self._settings.lambda_timeout_minutes),
            ephemeral_storage_size=cdk.Size.mebibytes(self._settings.ephemeral_storage_mb),
        )

    def _make_submit(self) -> lambda_.Function:
        """Asks for a dataset without a clone: the worker's image with another command."""
        log_group = self._make_log_group("SubmitLog")
        name = f"{self._name}-submit-tasks"
        role = iam.Role(
            self,
            "SubmitRole",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={
                "Submit": submit_policy(
                    bucket_arn=self.bucket.bucket_arn,
                    prefixes=self._settings.prefixes,
                    queue=self.queue,
                    log_group=log_group,
                    function_arn=self.format_arn(
                        service="lambda",
                        resource="function",
                        resource_name=name,
                        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                    ),
                )
            },
        )
        acknowledge_objects(role, self.bucket.bucket_arn, below(self._settings.prefixes, SUBMIT_OBJECTS))
        return self._make(
            self,
            "Submit",
            SUBMIT_HANDLER,
            self._settings,
            environment=self._addresses,
            function_name=name,
            role=role,
            log_group=log_group,
            memory_size=MB_PER_PROCESSOR,
            timeout=cdk.Duration.minutes(15),
        )

    @property
    def _name(self) -> str:
        """The stack's name; who creates it from a template chooses it then."""
        return cdk.Aws.STACK_NAME if self._settings.worker_packaging == "uri" else self._settings.stack_name

    @property
    def _make(self) -> Callable[..., lambda_.Function]:
        return {"image": image_function, "zip": zip_function, "uri": uri_function}[
            self._settings.worker_packaging
        ]

    @property
    def _addresses(self) -> dict[str, str]:
        return {
            "OUTPUT_BUCKET": self.bucket.bucket_name,
            "SQS_QUEUE_URL": self.queue.queue_url,
            "SQS_DLQ_URL": self.dead_letters.queue_url,
        }

    def _make_log_group(self, name: str) -> logs.LogGroup:
        group = logs.LogGroup(self, name, removal_policy=cdk.RemovalPolicy.DESTROY)
        group.node.default_child.retention_in_days = self._settings.log_retention_days  # type: ignore[union-attr]
        return group

    def _make_role(self, log_group: logs.LogGroup) -> iam.Role:
        extra = [s3.Bucket.from_bucket_name(self, name, name) for name in self._settings.extra_output_buckets]
        bucket_arns = [bucket.bucket_arn for bucket in (self.bucket, *extra)]
        policy = worker_policy(
            bucket_arns=bucket_arns,
            prefixes=self._settings.prefixes,
            queue=self.queue,
            dead_letters=self.dead_letters,
            log_group=log_group,
        )
        role = iam.Role(
            self,
            "WorkerRole",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={"Worker": policy},
        )
        for arn in bucket_arns:
            acknowledge_objects(role, arn, below(self._settings.prefixes, [*{*WRITTEN, *READ, *REMOVED}]))
        return role

    def _make_event_source_mapping(self) -> lambda_.EventSourceMapping:
        """One message an invocation; no reserved concurrency, which would starve the queue's pollers."""
        return lambda_.EventSourceMapping(
            self,
            "TasksToWorker",
            target=self.worker,
            event_source_arn=self.queue.queue_arn,
            batch_size=self._settings.batch_size,
            max_concurrency=self._settings.sqs_max_concurrency,
            report_batch_item_failures=True,
        )

    def _make_alarms(self) -> None:
        """The embedded AWS has no metrics, and refuses alarms on expressions: there are none there."""
        if self._settings.worker_packaging == "zip":
            return
        Alarms(
            self,
            queue=self.queue,
            dead_letters=self.dead_letters,
            worker=self.worker,
            timeout=cdk.Duration.minutes(self._settings.lambda_timeout_minutes),
            retention=cdk.Duration.days(self._settings.queue_retention_days),
            email=self._settings.alarm_email,
        ).make_dashboard()

    def _make_outputs(self) -> None:
        outputs = {
            "QueueUrl": self.queue.queue_url,
            "DlqUrl": self.dead_letters.queue_url,
            "BucketName": self.bucket.bucket_name,
            "FunctionName": self.worker.function_name,
            "SubmitFunctionName": self.submit.function_name,
            "EventSourceMappingId": self.mapping.event_source_mapping_id,
        }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)
