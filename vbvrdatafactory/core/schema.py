"""Schema versions of records and messages.

A field may be added without a new version if a reader that ignores it still acts correctly. Any other change has a new
version, and a reader that does not know it raises `NewerSchemaError`.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, Field, model_validator

from vbvrdatafactory.core.errors import NewerSchemaError

# Times of records are compared: one that names no zone is UTC's, as all that are written are.
Time = Annotated[datetime, AfterValidator(lambda at: at if at.tzinfo else at.replace(tzinfo=UTC))]


class Versioned(BaseModel):
    """A model with a ``schema_version``; JSON without one has version 1.

    Plain validation refuses unknown fields where the model's configuration forbids them: that is for messages and
    specs from people. Records are read with ``model_validate_json(data, extra="ignore")``.
    """

    SCHEMA_VERSION: ClassVar[int] = 1

    schema_version: int = Field(default=1, ge=1, strict=True, description="The schema that it is written by")

    @model_validator(mode="before")
    @classmethod
    def _is_known(cls, data: Any) -> Any:  # noqa: ANN401 - whatever is to be validated
        found = data.get("schema_version") if isinstance(data, dict) else None
        if isinstance(found, int) and found > cls.SCHEMA_VERSION:
            raise NewerSchemaError(cls.__name__, found, cls.SCHEMA_VERSION)
        return data
