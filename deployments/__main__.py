"""``python -m deployments``: everything this checkout puts on a Prefect server; twice changes nothing.

The work pool, its queues, the deployments of `prefect.yaml`, the automations of `automations/`.
"""

import asyncio
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import click
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import WorkQueue
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.settings import get_current_settings
from prefect.workers.process import ProcessWorker

from deployments import automations

POOL = "datafactory"
# What `make up` keeps the password of its server in.
PASSWORD = Path(".datafactory/ui/password")
# One driver at a time for each AWS; a limit that a person has set stays.
LIMITED_QUEUES = ("local", "aws")
OPEN_QUEUES = ("looks",)


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask, whosever server it is.")
def main(*, yes: bool) -> None:
    """Put the deployments and the automations on the server that PREFECT_API_URL names."""
    agree_on_server(yes=yes)
    for line in asyncio.run(prepare()):
        click.echo(line)
    deploy()
    for line in asyncio.run(automate()):
        click.echo(line)
    click.echo("deployments and automations are up to date")


def agree_on_server(*, yes: bool) -> None:
    """Say which server is about to change, and ask where it is not this checkout's own.

    Raises:
        ClickException: none is named, or nobody is there to ask.
        Abort: the answer was no.
    """
    api = get_current_settings().api
    if not api.url:
        raise click.ClickException(
            "PREFECT_API_URL is not set: eval \"$(datafactory ui env)\" for the server of 'make up', "
            "or export another's address"
        )
    click.echo(f"Prefect server: {without_secrets(api.url)}")
    auth = api.auth_string.get_secret_value() if api.auth_string else None
    if yes or is_of_this_checkout(api.url, auth):
        return
    if not sys.stdin.isatty():
        raise click.ClickException("that is not this checkout's server; to change it all the same, add --yes")
    click.confirm("That is not this checkout's server. Put the deployments there?", abort=True)


def without_secrets(url: str) -> str:
    """The address without a user, a password, or a query, which may be a key."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def is_of_this_checkout(url: str, auth: str | None, password: Path = PASSWORD) -> bool:
    """Whether it is the server of `make up` here: on this machine, with the password that it alone has."""
    if urlsplit(url).hostname not in ("127.0.0.1", "localhost") or not password.is_file():
        return False
    return auth == password.read_text(encoding="utf-8").strip()


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
