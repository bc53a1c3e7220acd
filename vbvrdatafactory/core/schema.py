"""Records that may grow: what is filed or sent says by which schema it is written.

A field may be added without a new version where a reader that ignores it does nothing wrong. A change that such a
reader would get wrong has a new version, and a reader that does not know it stops.
"""

from typing import Any, ClassVar

from pydantic import BaseModel, Field, model_validator

from vbvrdatafactory.core.errors import NewerSchemaError


class Versioned(BaseModel):
    """A model with a ``schema_version``; one that was written without has version 1.

    Validated as any model is, it refuses unknown fields where its configuration says so: that is for what people
    send. What was filed is read with ``model_validate_json(data, extra="ignore")``.
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
