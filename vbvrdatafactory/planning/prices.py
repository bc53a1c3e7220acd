"""List prices of one AWS region: what an estimate multiplies by."""

from datetime import date
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

Usd = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Processor = Literal["x86_64", "arm64"]


class Prices(BaseModel):
    """Prices in US dollars, without free tiers, discounts, taxes, or the tiers that begin at billions.

    Args:
        region: the region's name, such as ``us-east-2``.
        dated: when they were looked up.
        source: where.
        lambda_gb_second: a second of one gibibyte of a function's memory, by its architecture.
        lambda_million_requests: a million invocations.
        lambda_temp_gb_second: a second of one gibibyte of /tmp beyond 512 MB.
        s3_thousand_puts: a thousand PUT, COPY, POST or LIST requests, standard storage.
        s3_thousand_gets: a thousand GET and all other requests.
        s3_gb_month: a gigabyte of standard storage for a month.
        sqs_million_requests: a million requests to a standard queue.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: str = Field(min_length=1, max_length=100)
    dated: date
    source: str = ""
    lambda_gb_second: dict[Processor, Usd]
    lambda_million_requests: Usd
    lambda_temp_gb_second: Usd
    s3_thousand_puts: Usd
    s3_thousand_gets: Usd
    s3_gb_month: Usd
    sqs_million_requests: Usd

    @field_validator("lambda_gb_second")
    @classmethod
    def _of_both(cls, found: dict[Processor, float]) -> dict[Processor, float]:
        lacking = [name for name in get_args(Processor) if name not in found]
        if lacking:
            raise ValueError(f"there is no price for {lacking[0]}")
        return found

    def __str__(self) -> str:
        return f"list prices of {self.region} of {self.dated}"
