"""Every knob of the stack, with its range. The names in CDK context are the aliases.

``cdk deploy -c lambdaMemoryMB=1769`` sets one; `cdk.json` holds the defaults a team shares.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from vbvrdatafactory.core.defaults import STACK_NAME
from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.core.names import Prefix

if TYPE_CHECKING:
    from constructs import Node
    from pydantic_core import ErrorDetails

STACK_ID = STACK_NAME

# AWS: the queue must hide a message for six times the function's timeout, or throttled deliveries are
# counted as failed ones; a message may be hidden for twelve hours.
VISIBILITY_FACTOR = 6
MB_PER_PROCESSOR = 1769
MAX_VISIBILITY_SECONDS = 12 * 60 * 60


def _names(value: object) -> object:
    """A context value given on the command line is one string; names in it are separated by commas."""
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


def _number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdigit() else value


class StackSettings(BaseModel):
    """What a deployment may choose. The defaults suit a dataset of millions of samples on AWS."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )

    # The stack's name: another one is another pipeline, with a bucket and queues of its own.
    stack_name: str = Field(STACK_ID, pattern=r"^[A-Za-z][A-Za-z0-9-]{0,99}$")
    # 1769 MB are one processor, and one batch at a time needs no more.
    lambda_memory_mb: int = Field(1769, ge=128, le=10240, alias="lambdaMemoryMB")
    lambda_timeout_minutes: int = Field(15, ge=1, le=15)
    # Temporary files of one batch; what is beyond 512 MB costs 0.2 % of the memory's price.
    ephemeral_storage_mb: int = Field(4096, ge=512, le=10240, alias="ephemeralStorageMB")
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    # An image built from the checkout, a zip file on the embedded AWS, or an image that a template's parameter names.
    worker_packaging: Literal["image", "zip", "uri"] = "image"
    system_packages: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    # Images up to 3.11 have a C library older than the wheels of the generators' lock need.
    worker_python: Literal["3.12", "3.13"] = "3.12"
    # The image's base by digest, so that two builds have the same one; unset, the newest of AWS's with `worker_python`.
    worker_base: str | None = Field(None, pattern=r"^[^\s@]+@sha256:[0-9a-f]{64}$")
    # A file with the certificate of a proxy that inspects TLS, which the image's build trusts besides.
    build_certificate: str | None = None
    # Unset, CloudFormation names the bucket. Set, a bucket of that name can be adopted into the stack
    # (``cdk deploy --import-existing-resources``), as the dataset of an earlier stack.
    bucket_name: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")
    # Further buckets that messages may name as their `output_bucket`.
    extra_output_buckets: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()

    # Prefixes of datasets in the bucket that the roles reach besides what has none.
    prefixes: Annotated[tuple[Prefix, ...], BeforeValidator(_names)] = ()

    sqs_max_concurrency: int = Field(990, ge=2, le=1000)
    # Whether generators may run side by side in one function: Lambda can't keep one from writing into another's folders.
    trust_generators: bool = False
    # Messages of one invocation; unset, one, or one for each processor of the function where generators are trusted.
    batches_per_invocation: int | None = Field(None, ge=1, le=10)
    max_receives: int = Field(3, ge=1, le=1000)
    visibility_seconds: int | None = Field(None, ge=1, le=MAX_VISIBILITY_SECONDS)
    queue_retention_days: int = Field(7, ge=1, le=13)
    # A dead letter's clock starts when it was first sent, so it must be kept longer than the queue keeps.
    dead_letter_retention_days: int = Field(14, ge=2, le=14)

    # Is told of alarms, once it has confirmed the subscription.
    alarm_email: str | None = Field(None, pattern=r"^[^@\s]+@[^@\s]+$")
    log_retention_days: Annotated[
        Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365], BeforeValidator(_number)
    ] = 30

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.visibility_timeout < self.lambda_timeout_minutes * 60:
            raise ValueError(
                f"visibilitySeconds={self.visibility_timeout} is shorter than the function's timeout of "
                f"{self.lambda_timeout_minutes * 60} s: a message would return while it is being worked on"
            )
        if (self.batches_per_invocation or 1) > 1 and not self.trust_generators:
            raise ValueError(
                f"batchesPerInvocation={self.batches_per_invocation} needs trustGenerators=true: on Lambda nothing keeps one "
                "generator from rewriting the samples of another one in the same function"
            )
        if self.dead_letter_retention_days <= self.queue_retention_days:
            raise ValueError(
                f"deadLetterRetentionDays={self.dead_letter_retention_days} must exceed "
                f"queueRetentionDays={self.queue_retention_days}"
            )
        return self

    @property
    def visibility_timeout(self) -> int:
        """Seconds a received message stays hidden."""
        return self.visibility_seconds or VISIBILITY_FACTOR * self.lambda_timeout_minutes * 60

    @property
    def batch_size(self) -> int:
        """Messages of one invocation. AWS gives a processor for each 1769 MB."""
        side_by_side = max(1, round(self.lambda_memory_mb / MB_PER_PROCESSOR)) if self.trust_generators else 1
        return self.batches_per_invocation or side_by_side

    @classmethod
    def context_keys(cls) -> dict[str, str]:
        """Each field's name under its key in CDK context."""
        return {field.alias or name: name for name, field in cls.model_fields.items()}

    @classmethod
    def from_context(cls, node: Node) -> StackSettings:
        """The settings CDK context asks for; a bad value or a misspelt key raises `ConfigError`."""
        context: dict[str, Any] = node.get_all_context()
        keys = cls.context_keys()
        for key in context.keys() - keys.keys():
            if close := get_close_matches(key, keys, n=1, cutoff=0.85):
                raise ConfigError(f"CDK context has no key {key!r}; did you mean {close[0]!r}?")
        try:
            return cls.model_validate({key: context[key] for key in keys if key in context})
        except ValidationError as error:
            raise ConfigError("; ".join(_explain(problem) for problem in error.errors())) from error


def _explain(problem: ErrorDetails) -> str:
    """One line about one bad value: key, value, and what is allowed (pydantic's message states the limit)."""
    if not problem["loc"]:
        return problem["msg"]
    key = str(problem["loc"][0])
    limits = StackSettings.model_json_schema(by_alias=True)["properties"][key]
    numbers = next((option for option in limits.get("anyOf", [limits]) if "minimum" in option), None)
    allowed = f"allowed are {numbers['minimum']} to {numbers['maximum']}" if numbers else problem["msg"]
    return f"{key}={problem['input']!r} in CDK context is not usable: {allowed}"


# The embedded AWS on a small machine: two batches at a time and short ones. It never throttles, so a
# message need not stay hidden for six timeouts; one whose worker died returns soon after it.
LOCAL = StackSettings(
    lambda_timeout_minutes=5,
    sqs_max_concurrency=2,
    visibility_seconds=360,
    # It runs a function of any memory on the whole machine: one process for each batch at a time.
    batches_per_invocation=1,
    worker_packaging="zip",
    bucket_name="vbvr-datafactory",
)
