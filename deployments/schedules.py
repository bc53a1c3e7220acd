"""The build step of `prefect.yaml` that ships a schedule switched off, and then leaves the switch alone."""

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound


async def switched(deployment: str, slug: str) -> dict[str, bool]:
    """``active: False`` for a schedule the server does not have yet; nothing, and so no change, for one it has.

    Args:
        deployment: its flow's name, a slash, its own name.
        slug: the schedule's.
    """
    async with get_client() as client:
        try:
            known = (await client.read_deployment_by_name(deployment)).schedules
        except ObjectNotFound:
            known = []
    return {} if any(schedule.slug == slug for schedule in known) else {"active": False}
