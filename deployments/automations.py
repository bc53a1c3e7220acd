"""What `automations/*.yaml` describe, on the server: made where missing, changed where it differs, else left.

A file holds automations as Prefect spells them. In it, ``${deployment:flow/name}`` and ``${block:type/name}``
stand for ids. Whether an automation is on is asked of the file only when it is made; then it is the user's.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from httpx import HTTPStatusError
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import PrefectClient
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.settings import get_current_settings
from prefect.types import SecretDict

from vbvrdatafactory.core.errors import DataFactoryError

FOLDER = Path("automations")
NOTIFY = "vbvr-notify"
_REFERENCE = re.compile(r"\$\{(deployment|block):([^/}]+)/([^}]+)\}")
# The endpoint of a server that makes what is posted to it an artifact.
_ARTIFACTS = "/artifacts/"
# What a server answers that has no protection against forged requests.
_NO_CSRF = 422


async def install(client: PrefectClient, folder: Path = FOLDER) -> list[str]:
    """Bring the server's automations up to date with the files; returns what was done, one line each."""
    done = await install_notify_block(client)
    for wanted in described(folder):
        meant = AutomationCore.model_validate(await resolved(client, wanted))
        found = await client.read_automations_by_name(meant.name)
        done += await _bring_up_to_date(client, meant, found)
    return done


def described(folder: Path) -> Iterator[dict[str, Any]]:
    """The automations in the files of `folder`, in the order of their names.

    Raises:
        DataFactoryError: there is no file.
    """
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise DataFactoryError(f"{str(folder)!r} holds no automations; run this in the checkout")
    for file in files:
        yield from yaml.safe_load(file.read_text(encoding="utf-8"))


async def resolved(client: PrefectClient, value: Any) -> Any:  # noqa: ANN401 - any part of a YAML file
    """`value` with the ids of the deployments and blocks that it names."""
    if isinstance(value, dict):
        return {key: await resolved(client, part) for key, part in value.items()}
    if isinstance(value, list):
        return [await resolved(client, part) for part in value]
    if isinstance(value, str) and (named := _REFERENCE.search(value)):
        return value.replace(named[0], await _id(client, *named.groups()))
    return value


async def _id(client: PrefectClient, kind: str, first: str, second: str) -> str:
    if kind == "deployment":
        return str((await client.read_deployment_by_name(f"{first}/{second}")).id)
    return str((await client.read_block_document_by_name(second, first)).id)


async def _bring_up_to_date(
    client: PrefectClient, meant: AutomationCore, found: list[Automation]
) -> list[str]:
    if not found:
        await client.create_automation(meant)
        return [f"made automation {meant.name!r}, {'on' if meant.enabled else 'off'}"]
    first, *others = found
    for twin in others:
        await client.delete_automation(twin.id)
    meant = meant.model_copy(update={"enabled": first.enabled})
    if AutomationCore.model_validate(first.model_dump(exclude={"id"})) == meant:
        return [f"removed {len(others)} twins of automation {meant.name!r}"] if others else []
    await client.update_automation(first.id, meant)
    return [f"changed automation {meant.name!r}"]


async def install_notify_block(client: PrefectClient) -> list[str]:
    """Make the block that messages go through: into an artifact of this very server, until told elsewhere."""
    inbox = f"{str(client.api_url).rstrip('/')}{_ARTIFACTS}"
    await CustomWebhookNotificationBlock.register_type_and_schema(client=client)
    try:
        block = await CustomWebhookNotificationBlock.load(NOTIFY, client=client)
    except ValueError:  # what Prefect raises for a block that is not there
        block = None
    # One that a person has pointed elsewhere is theirs; a server may come back on another port.
    if block and not block.url.endswith(_ARTIFACTS):
        return []
    before = block.secrets.get_secret_value() if block else {}
    passes = await _passes(client, before)
    if block and block.url == inbox and passes == before:
        return []
    await _to_artifacts(inbox, passes).save(NOTIFY, overwrite=True, client=client)
    return [f"made block custom-webhook/{NOTIFY}"]


async def _passes(client: PrefectClient, before: dict[str, str]) -> dict[str, str]:
    """What the server asks for before it takes a message: its password, and the token against forged requests.

    A token that is good for half its time yet is kept.
    """
    auth = get_current_settings().api.auth_string
    passes = {"auth": b64encode(auth.get_secret_value().encode()).decode()} if auth else {}
    now = datetime.now(UTC)
    if before.get("renew", "") > now.isoformat() and before.get("auth") == passes.get("auth"):
        return before
    try:
        given = (await client.request("GET", "/csrf-token", params={"client": NOTIFY})).json()
    except HTTPStatusError as error:
        if error.response.status_code != _NO_CSRF:
            raise
        return passes
    renew = now + (datetime.fromisoformat(given["expiration"]) - now) / 2
    return {**passes, "token": given["token"], "renew": renew.isoformat()}


def _to_artifacts(url: str, passes: dict[str, str]) -> CustomWebhookNotificationBlock:
    headers = {"Authorization": "Basic {{auth}}"} if "auth" in passes else {}
    if "token" in passes:
        headers |= {"Prefect-Csrf-Client": NOTIFY, "Prefect-Csrf-Token": "{{token}}"}
    return CustomWebhookNotificationBlock(
        name=NOTIFY,
        url=url,
        json_data={"key": NOTIFY, "type": "markdown", "description": "{{subject}}", "data": "{{body}}"},
        headers=headers or None,
        secrets=SecretDict(passes),
    )
