"""The embedded AWS: the stack of `infra.stack`, running on this machine.

Its state lies in one folder and survives a stop. After a crash the queues and the stack are gone and the
bucket is not; `up` then makes a new stack around the old bucket.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from infra import bundle, cloudformation, paths, server
from infra.addresses import EmbeddedInfo, EmbeddedStatus
from infra.state import ServerRecord, StateFolder
from vbvrdatafactory import aws
from vbvrdatafactory.core.config import DEFAULT_REGION, Config
from vbvrdatafactory.core.errors import DataFactoryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CODE_BUCKET = "vbvr-datafactory-code"


class EmbeddedAws:
    """Starts, updates and stops the embedded AWS of one state folder.

    Args:
        state_dir: where all it writes is kept.
        generators_path: the folder the worker finds generators in; None is the one the stack has, or
            that of the checkout.
        worker_packages: the packages of the worker's zip file.
        template: the CloudFormation template of the stack.
        concurrency: batches at a time; None is one for each processor.
    """

    def __init__(
        self,
        state_dir: Path = paths.STATE,
        generators_path: Path | None = None,
        *,
        worker_packages: Sequence[Path] = paths.WORKER_PACKAGES,
        template: Path = paths.LOCAL_TEMPLATE,
        concurrency: int | None = None,
    ) -> None:
        self._state = StateFolder(state_dir)
        self._generators_path = generators_path
        self._worker_packages = worker_packages
        self._template = template
        # AWS takes no maximum below two.
        self._concurrency = max(2, concurrency or os.cpu_count() or 2)

    def up(self) -> EmbeddedInfo:
        """Start it unless it runs, and bring its stack up to date."""
        with self._state.locked():
            return self._up(temporary=False)

    def down(self) -> bool:
        """Stop it, keeping its state; whether there was anything to stop."""
        with self._state.locked():
            record = server.running(self._state)
            if record:
                server.stop(self._state, record)
            return record is not None

    def reset(self) -> None:
        """Stop it and delete its state, the bucket's objects with it."""
        with self._state.locked():
            record = server.running(self._state)
            if record:
                server.stop(self._state, record)
            self._state.delete()

    def status(self) -> EmbeddedStatus:
        """Look; change nothing."""
        record = server.running(self._state)
        if record is None:
            return EmbeddedStatus(self._state.root)
        endpoint = server.endpoint(record.port)
        if not server.answers(record):
            return EmbeddedStatus(self._state.root, record.pid, endpoint)
        stack = cloudformation.describe(aws.client(self._config(record), "cloudformation"))
        return EmbeddedStatus(
            self._state.root,
            record.pid,
            endpoint,
            stack.status if stack else None,
            self._info(record, stack) if stack and stack.outputs else None,
        )

    @contextmanager
    def running(self) -> Iterator[EmbeddedInfo]:
        """Have it up inside the block; what was started here stops when the last such block ends."""
        try:
            with self._state.in_use():
                with self._state.locked():
                    info = self._up(temporary=True)
                yield info
        finally:
            with self._state.locked():
                record = server.running(self._state)
                if record and record.temporary and not self._state.has_users():
                    server.stop(self._state, record)

    @contextmanager
    def starting(self) -> Iterator[EmbeddedInfo]:
        """Have it up inside the block, and from then on if that ends well; else it is as if there had been no block."""
        with self.running() as info:
            yield info
            with self._state.locked():
                record = server.running(self._state)
                if record and record.temporary:
                    self._state.write_record(replace(record, temporary=False))

    def _up(self, *, temporary: bool) -> EmbeddedInfo:
        record = server.running(self._state)
        if record and not server.answers(record, server.HUNG_SECONDS):
            server.stop(self._state, record)
            record = None
        started = record is None
        record = record or server.start(self._state, temporary=temporary)
        if record.temporary and not temporary:
            self._state.write_record(replace(record, temporary=False))
        try:
            return self._deploy(record)
        except BaseException:
            if started:
                server.stop(self._state, record)
            raise

    def _deploy(self, record: ServerRecord) -> EmbeddedInfo:
        config = self._config(record)
        client = aws.client(config, "cloudformation")
        before = cloudformation.describe(client)
        parameters = self._parameters(config, before.parameters if before else {})
        stack = cloudformation.deploy(client, self._template.read_text(), parameters)
        info = self._info(record, stack)
        self._scale(info)
        self._state.write_env_file(info.variables)
        return info

    def _parameters(self, config: Config, before: Mapping[str, str]) -> dict[str, str]:
        """The template's parameters; the worker's code is uploaded if the stack has another."""
        worker = bundle.build(self._worker_packages)
        if before.get("CodeKey") != worker.key:
            _upload(config, worker)
        generators = self._generators_path or Path(before.get("GeneratorsPath", paths.GENERATORS))
        if not generators.is_dir():
            raise DataFactoryError(
                f"the generators path {str(generators)!r} is not a folder; give another one"
            )
        return {
            "CodeBucket": CODE_BUCKET,
            "CodeKey": worker.key,
            "GeneratorsPath": str(generators.absolute()),
        }

    def _config(self, record: ServerRecord) -> Config:
        # A file of ours that exists: the one the environment names may be what this start is to write.
        self._state.env_file.touch()
        return Config(
            env_file=self._state.env_file,
            aws_endpoint_url=server.endpoint(record.port),
            aws_region=DEFAULT_REGION,
        )

    def _info(self, record: ServerRecord, stack: cloudformation.Deployed) -> EmbeddedInfo:
        return EmbeddedInfo(
            endpoint=server.endpoint(record.port),
            queue_url=stack.outputs["QueueUrl"],
            dead_letter_url=stack.outputs["DlqUrl"],
            bucket=stack.outputs["BucketName"],
            bucket_folder=self._state.bucket_folder(stack.outputs["QueueUrl"], stack.outputs["BucketName"]),
            function_name=stack.outputs["FunctionName"],
            event_source_mapping_id=stack.outputs["EventSourceMappingId"],
            generators_path=Path(stack.parameters["GeneratorsPath"]),
            env_file=self._state.env_file,
            pid=record.pid,
        )

    def _scale(self, info: EmbeddedInfo) -> None:
        """Give the queue as many workers as the machine has processors; the template cannot know."""
        functions = aws.client(info.config, "lambda")
        mapping = functions.get_event_source_mapping(UUID=info.event_source_mapping_id)
        if mapping["ScalingConfig"]["MaximumConcurrency"] != self._concurrency:
            functions.update_event_source_mapping(
                UUID=info.event_source_mapping_id, ScalingConfig={"MaximumConcurrency": self._concurrency}
            )


def _upload(config: Config, worker: bundle.Bundle) -> None:
    s3 = aws.client(config, "s3")
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=CODE_BUCKET, CreateBucketConfiguration={"LocationConstraint": DEFAULT_REGION})
    s3.put_object(Bucket=CODE_BUCKET, Key=worker.key, Body=worker.content)
