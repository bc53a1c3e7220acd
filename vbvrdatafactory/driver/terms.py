"""By what an estimate is made: the settings of the function that consumes the queue, and the prices of its region."""

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from vbvrdatafactory.core.config import DEFAULT_REGION
from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.driver.stack import concurrency_quota
from vbvrdatafactory.planning.pricing import Terms
from vbvrdatafactory.planning.worker_limits import WorkerLimits
from vbvrdatafactory.pricelist import read_prices
from vbvrdatafactory.sqs.consumers import find_function

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import FunctionConfigurationResponseTypeDef as Function


def find_terms(services: Services, *, strict: bool = True) -> Terms:
    """The terms of the workers that are deployed; of what can't be read, those that the stack has by default.

    Args:
        services: the clients, and the region.
        strict: whether the prices have to be those of the region; else, where there are none, another region's are taken,
            which says so wherever a price is told.

    Raises:
        ConfigError: there are no prices of the region.
    """
    config = services.config
    try:
        prices = read_prices(config.aws_region, config.prices_file)
    except ConfigError as error:
        if strict:
            raise
        services.log.warning("prices are those of %s: %s", DEFAULT_REGION, error)
        prices = read_prices(DEFAULT_REGION)
    return Terms(worker_limits(services), prices)


def worker_limits(services: Services) -> WorkerLimits:
    """The settings of the function that consumes the task queue, as far as this identity may read them."""
    try:
        found = find_function(services.sqs, services.functions, services.config.sqs_queue_url)
        quota = concurrency_quota(services.functions) if found else None
    except (ClientError, BotoCoreError, ConfigError) as error:
        services.log.debug("the worker's settings are assumed: %s", error)
        found, quota = None, None
    if found is None:
        return WorkerLimits()
    mapping, function = found
    most = mapping.get("ScalingConfig", {}).get("MaximumConcurrency") or WorkerLimits().concurrency
    return WorkerLimits(
        memory_mb=function.get("MemorySize", WorkerLimits().memory_mb),
        timeout_seconds=float(function.get("Timeout", WorkerLimits().timeout_seconds)),
        temp_mb=function.get("EphemeralStorage", {}).get("Size", 512),
        concurrency=min(most, quota) if quota else most,
        side_by_side=max(1, mapping.get("BatchSize", 1)),
        processor="arm64" if _architecture(function) == "arm64" else "x86_64",
        # The embedded AWS starts all at once.
        ramp_per_minute=0 if services.config.is_embedded else WorkerLimits().ramp_per_minute,
        is_known=True,
    )


def _architecture(function: "Function") -> str:
    return next(iter(function.get("Architectures", [])), "x86_64")
