"""``python -m flows.deploy``: everything this checkout puts on a Prefect server; twice changes nothing.

The work pool, its queues, the deployments of `prefect.yaml`, the automations of `automations/`.
"""

import asyncio
import subprocess
import sys

import click
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import WorkQueue
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.workers.process import ProcessWorker

from flows import automations

POOL = "datafactory"
# One driver at a time for each AWS; a limit that a person has set stays.
LIMITED_QUEUES = ("local", "aws")
OPEN_QUEUES = ("looks",)


@click.command()
def main() -> None:
    """Put the deployments and the automations on the server that PREFECT_API_URL names."""
    for line in asyncio.run(prepare()):
        click.echo(line)
    deploy()
    for line in asyncio.run(automate()):
        click.echo(line)
    click.echo("deployments and automations are up to date")


async def prepare() -> list[str]:
    """Make the work pool and its queues where they are missing; returns what was done."""
    async with get_client() as client:
        done = await ensure_pool(client)
        for name in (*LIMITED_QUEUES, *OPEN_QUEUES):
            done += await ensure_queue(client, name, 1 if name in LIMITED_QUEUES else None)
        return done


async def ensure_pool(client: PrefectClient) -> list[str]:
    """A pool of another type under that name is left as it is."""
    template = ProcessWorker.get_default_base_job_template()
    try:
        await client.create_work_pool(
            WorkPoolCreate(name=POOL, type=ProcessWorker.type, base_job_template=template)
        )
    except ObjectAlreadyExists:
        return []
    return [f"made work pool {POOL!r}"]


async def ensure_queue(client: PrefectClient, name: str, limit: int | None) -> list[str]:
    """`prefect deploy` makes queues too, without a limit."""
    try:
        queue: WorkQueue = await client.read_work_queue_by_name(name, work_pool_name=POOL)
    except ObjectNotFound:
        await client.create_work_queue(name, work_pool_name=POOL, concurrency_limit=limit)
        return [f"made work queue {name!r}" + (f", {limit} run at a time" if limit else "")]
    if limit is None or queue.concurrency_limit is not None:
        return []
    await client.update_work_queue(queue.id, concurrency_limit=limit)
    return [f"work queue {name!r} now lets {limit} run at a time"]


def deploy() -> None:
    """Deploy all of `prefect.yaml`, as a person would.

    Raises:
        ClickException: Prefect could not, with what it said.
    """
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise click.ClickException(f"prefect deploy --all failed:\n{done.stdout}{done.stderr}")


async def automate() -> list[str]:
    """Bring the automations up to date."""
    async with get_client() as client:
        return await automations.install(client)


if __name__ == "__main__":
    main()
