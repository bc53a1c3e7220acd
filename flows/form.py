"""The types of the run form: limits, drop-downs and the catalogue to choose generators from."""

from typing import Annotated, Any, Literal

from pydantic import Field, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema

from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.core.models import MAX_BATCH
from vbvrdatafactory.fleet.catalogue import list_generators
from vbvrdatafactory.planning.plan import MAX_SEED, Samples
from vbvrdatafactory.planning.selection import families

RequiredFile = Literal["final_frame.png", "ground_truth.mp4", "metadata.json", "question_metadata.json"]
# As `safe_name`, in the words of a form, which refuses it before a run is made.
Dataset = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._\- ]{0,199}$")]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Rounds = Annotated[int, Field(ge=1, le=100)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Minutes = Annotated[float, Field(gt=0, le=7 * 24 * 60)]
Percent = Annotated[int, Field(ge=0, le=100)]
# More than any plan has batches.
MAX_FAILURES = 10**9
Failures = Annotated[
    Annotated[
        int,
        Field(ge=0, le=MAX_FAILURES),
        WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MAX_FAILURES, "title": "At most"}),
    ]
    | Annotated[None, WithJsonSchema({"type": "null", "title": "Any number"})],
    Field(),
]
BatchSizes = Annotated[
    Annotated[
        int,
        Field(ge=1, le=MAX_BATCH),
        WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_BATCH, "title": "Samples"}),
    ]
    | Annotated[
        Literal["auto"],
        WithJsonSchema({"type": "string", "enum": ["auto"], "title": "Chosen for each generator"}),
    ],
    Field(),
]
Usd = Annotated[float, Field(ge=0, le=10**9)]
Cost = Annotated[
    Annotated[Usd, WithJsonSchema({"type": "number", "minimum": 0, "maximum": 10**9, "title": "At most"})]
    | Annotated[None, WithJsonSchema({"type": "null", "title": "Any amount"})],
    Field(),
]
Overrides = dict[str, dict[Literal["samples", "batch_size"], Samples]]


class _FromCatalogue:
    """Shows a list of names as a searchable multi-select, and beside it as a list to type into.

    Prefect keeps the form as it was when the flow was deployed. The typed list takes globs, and generators
    that came later; the server accepts whatever either of the two accepts.
    """

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        typed = handler(schema)
        if not (names := choices()):
            return typed
        chosen = {**typed, "items": {"type": "string", "enum": names}}
        return {"anyOf": [{**chosen, "title": "From the list"}, {**typed, "title": "Type names or globs"}]}


Generators = Annotated[list[str], _FromCatalogue()]


def choices() -> list[str]:
    """What the multi-select offers: the families as globs, every generator by name."""
    try:
        names = list_generators(Config().generators_path)
    except ConfigError:
        # A form is also made where flows only run, without the folder; a run then names what is not set.
        names = []
    return [*families(names), *names]
