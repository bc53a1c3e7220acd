"""What a run that was cancelled leaves behind, read from the queue: its process is dead, or about to be.

Prefect runs this in the flow's process or in the Prefect worker's, which does not have the flow's environment:
the addresses then come from the deployment.
"""

from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun

from vbvrdatafactory.core.config import ENV_FILE_VARIABLE, Config
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.sqs.depth import depth

_ADDRESSES = (
    "sqs_queue_url",
    "sqs_dlq_url",
    "output_bucket",
    "aws_region",
    "aws_profile",
    "aws_endpoint_url",
    "generators_path",
)


def leftovers_of(flow_run: FlowRun) -> str:
    """How much of a cancelled run is in flight still, and what to do, in one line."""
    here = Services(settings_of(flow_run))
    seen = depth(here.sqs, here.config.sqs_queue_url)
    dataset = flow_run.parameters.get("dataset", "dataset")
    still = f"{seen.total:,} messages are in the queue still ({seen}), and will be made" if seen.total else ""
    return (
        f"{dataset}: cancelled, nothing new is sent; {still or 'the queue is empty'}. "
        "Run it again, or fill-gaps, and it goes on from what is in the bucket"
    )


def settings_of(flow_run: FlowRun) -> Config:
    """The addresses that the flow run was given."""
    given = environment_of(flow_run)
    return Config(
        env_file=given.get(ENV_FILE_VARIABLE),
        **{name: given.get(name.upper()) for name in _ADDRESSES},
    )


def environment_of(flow_run: FlowRun) -> dict[str, Any]:
    """The variables that the deployment and the run set beside the process's own."""
    found: dict[str, Any] = {}
    if flow_run.deployment_id:
        deployment = get_client(sync_client=True).read_deployment(flow_run.deployment_id)
        found |= (deployment.job_variables or {}).get("env") or {}
    found |= (flow_run.job_variables or {}).get("env") or {}
    return found
