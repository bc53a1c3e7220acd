"""What the submit Lambda is asked: an event as people type it, checked and worked out."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from vbvrdatafactory.core.defaults import DEFAULT_BATCH_SIZE, DEFAULT_SAMPLES, DEFAULT_SEED
from vbvrdatafactory.core.errors import SpecError
from vbvrdatafactory.core.models import OutputFormat
from vbvrdatafactory.core.names import Prefix, SafeName
from vbvrdatafactory.core.seeds import Seeds
from vbvrdatafactory.driver.sending import Cursor
from vbvrdatafactory.planning.plan import (
    MAX_SEED,
    AnyBatchSize,
    Code,
    Distinctness,
    OnMismatch,
    Override,
    Samples,
)


def _one_is_a_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Request(BaseModel):
    """An event.

    Args:
        generators: names and globs; every generator of the image where none is named.
        samples: samples of each.
        batch_size, seed, output_format, dataset, require, overrides, seeds, on_mismatch, code, distinct, prefix: as in `DatasetSpec`.
        replace_spec: redefine the dataset where the bucket describes another one under its name.
        dry_run: say what would be sent; send and write nothing.
        cursor: where an earlier answer said to go on.
        go_on: where the time was too short, go on by itself, in an invocation of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    generators: Annotated[list[str], BeforeValidator(_one_is_a_list)] = Field(default=["all"], min_length=1)
    samples: Samples = DEFAULT_SAMPLES
    batch_size: AnyBatchSize = DEFAULT_BATCH_SIZE
    seed: int = Field(default=DEFAULT_SEED, ge=0, le=MAX_SEED)
    output_format: OutputFormat = "files"
    dataset: SafeName = "dataset"
    require: list[str] = []
    overrides: dict[str, Override] = {}
    seeds: Seeds = "hashed"
    on_mismatch: OnMismatch = "refuse"
    code: Code = "pinned"
    distinct: Distinctness = "any"
    prefix: Prefix = ""
    replace_spec: bool = False
    dry_run: bool = False
    cursor: Cursor | None = None
    go_on: bool = False

    @property
    def wanted(self) -> dict[str, object]:
        """The fields of the spec, but for the generators."""
        names = (
            "samples",
            "batch_size",
            "seed",
            "output_format",
            "dataset",
            "overrides",
            "seeds",
            "on_mismatch",
            "code",
            "distinct",
            "prefix",
        )
        return {**{name: getattr(self, name) for name in names}, "require": tuple(self.require)}


def read_request(event: Mapping[str, Any]) -> Request:
    """The request in an event.

    Raises:
        SpecError: it is none; the message names the field, the value, and the name that is nearest.
    """
    for name in event:
        if name not in Request.model_fields:
            near = get_close_matches(str(name), Request.model_fields, n=1, cutoff=0.5)
            hint = (
                f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(Request.model_fields)}"
            )
            raise SpecError(f"there is no field {str(name)[:200]!r}{hint}")
    try:
        return Request.model_validate(event)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SpecError(f"{where}={str(first['input'])[:200]!r}: {first['msg']}") from error
