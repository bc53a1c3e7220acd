"""Where a running embedded AWS is, in the terms of `Config`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vbvrdatafactory.core.config import DEFAULT_REGION, Config


@dataclass(frozen=True)
class EmbeddedInfo:
    """The addresses of a running embedded AWS; `bucket_folder` is where its objects lie on disk."""

    endpoint: str
    queue_url: str
    dead_letter_url: str
    bucket: str
    bucket_folder: Path
    function_name: str
    event_source_mapping_id: str
    generators_path: Path
    env_file: Path
    pid: int
    region: str = DEFAULT_REGION

    @property
    def variables(self) -> dict[str, str]:
        """The variables that lead every command of ours to it."""
        return {
            "SQS_QUEUE_URL": self.queue_url,
            "SQS_DLQ_URL": self.dead_letter_url,
            "OUTPUT_BUCKET": self.bucket,
            "AWS_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint,
            "GENERATORS_PATH": str(self.generators_path),
            "DATAFACTORY_BUCKET_FOLDER": str(self.bucket_folder),
        }

    @property
    def config(self) -> Config:
        fields = {name.lower(): value for name, value in self.variables.items()}
        del fields["datafactory_bucket_folder"]  # it is for people
        return Config(env_file=self.env_file, **fields)


@dataclass(frozen=True)
class EmbeddedStatus:
    """What is there: ``info`` only if the server answers and its stack is whole."""

    state_dir: Path
    pid: int | None = None
    endpoint: str | None = None
    stack_status: str | None = None
    info: EmbeddedInfo | None = None

    @property
    def running(self) -> bool:
        return self.pid is not None
