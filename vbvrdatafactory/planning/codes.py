"""Which code of a generator made how many of its samples, by its ledger."""

from pydantic import BaseModel, ConfigDict, Field


class Code(BaseModel):
    """Samples of one generator that the same code made."""

    model_config = ConfigDict(frozen=True)

    code: str = Field(description="Digest of the generator's code")
    commit: str = Field(default="", description="Empty where it is not known")
    samples: int
