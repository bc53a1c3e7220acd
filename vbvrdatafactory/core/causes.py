"""Why batches fail."""

from enum import StrEnum


class Cause(StrEnum):
    """Why a batch failed, in failure records, reports and retry decisions."""

    INVALID_MESSAGE = "invalid-message"
    UNKNOWN_GENERATOR = "unknown-generator"
    NO_ENVIRONMENT = "no-environment"
    MISSING_DEPENDENCY = "missing-dependency"
    CRASH = "crash"
    WRONG_COUNT = "wrong-count"
    TORN_SAMPLES = "torn-samples"
    WRONG_GROUND_TRUTH = "wrong-ground-truth"
    DEADLINE = "deadline"
    MEMORY = "memory"
    DISK = "disk"
    UPLOAD = "upload"
    ACCESS_DENIED = "access-denied"
    WORKER_LOST = "worker-lost"
    NEWER_SCHEMA = "newer-schema"

    @property
    def is_seeds_fault(self) -> bool:
        """Whether the generator may succeed with another seed and a smaller batch."""
        return self in _SEEDS_FAULT

    @property
    def is_transient(self) -> bool:
        """Whether a retry of the same batch may succeed; with any other cause it would fail again."""
        return self in _TRANSIENT


# Another worker may have the generator that this one lacks.
_TRANSIENT = {Cause.UPLOAD, Cause.WORKER_LOST, Cause.UNKNOWN_GENERATOR, Cause.NEWER_SCHEMA}
_SEEDS_FAULT = {
    Cause.CRASH,
    Cause.WRONG_COUNT,
    Cause.TORN_SAMPLES,
    Cause.WRONG_GROUND_TRUTH,
    Cause.DEADLINE,
    Cause.MEMORY,
}
