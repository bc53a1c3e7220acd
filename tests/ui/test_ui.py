"""The Prefect that people expect: up by one command, deployed once for all, run from a form."""

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.client.schemas.objects import FlowRun
from prefect.events.schemas.automations import AutomationCore
from prefect.states import Completed, Running
from prefect_aws.workers.ecs_worker import ECSJobConfiguration, ECSWorker

from deployments.automations import NOTIFY, described
from infra import paths
from infra.lost_runs import end_lost_runs
from infra.processes import exists
from infra.ui import POOL
from tests.ui.pages import Page
from vbvrdatafactory import aws
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.plan import make_spec
from vbvrdatafactory.s3.listing import take_inventory
from vbvrdatafactory.s3.specs import write_spec

pytestmark = [pytest.mark.aws, pytest.mark.prefect, pytest.mark.slow]

MAZES, PUZZLES = "V-1_maze_path_data-generator", "V-2_sliding_puzzle_data-generator"
PATIENCE_SECONDS = 300.0


def eventually(look: Callable[[], Any]) -> Any:
    """What `look` returns as soon as it is something."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (seen := look()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)
    return seen


def deployment_id(here, name: str) -> UUID:
    with here.ask() as client:
        return client.read_deployment_by_name(name).id


def runs_of(here, deployment: str) -> list[FlowRun]:
    """The runs of a deployment, but for those a schedule plans."""
    chosen = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment_id(here, deployment)]))
    with here.ask() as client:
        return [run for run in client.read_flow_runs(flow_run_filter=chosen) if not run.auto_scheduled]


def emit(here, event: str, resource: str, *related: dict[str, str], **payload: object) -> None:
    """Send one event to the server."""
    with here.ask() as client:
        told = {
            "id": str(UUID(bytes=os.urandom(16), version=4)),
            "occurred": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "event": event,
            "resource": {"prefect.resource.id": resource},
            "related": list(related),
            "payload": payload,
        }
        client._client.post("/events", json=[told]).raise_for_status()


def whole(here, generator: str) -> int:
    return take_inventory(aws.bucket(here.up.aws.config))[generator].whole(IndexRange(0, 1000))


@pytest.mark.browser
def test_a_form_makes_a_dataset(here, browser) -> None:
    """Two generators chosen by search in the form of a deployment make a complete dataset; the run page shows it."""
    page = Page(browser)
    page.sign_in(here.up.page, here.plain.sign_in_code())
    page.open(f"{here.up.page}/v2/deployments/deployment/{deployment_id(here, 'generate-dataset/local')}/run")
    page.fill("dataset", "browser")
    page.choose([PUZZLES, MAZES])
    page.fill("samples", "4")
    page.take_picture("form")
    page.click("//button[normalize-space()='Submit']")
    page.click("//*[normalize-space()='View run']")
    page.see("//*[normalize-space()='Completed']")
    page.take_picture("run", afresh=True)
    page.click("//*[@role='tab' and starts-with(., 'Artifacts')]")
    page.click("//*[contains(text(), 'browser-completeness')]")
    page.click("//a[contains(@href, '/artifacts/artifact/')]")
    page.see(f"//td[normalize-space()='{MAZES}']/following-sibling::td[normalize-space()='4']")
    page.see("//td[normalize-space()='total']/following-sibling::td[normalize-space()='8']")
    page.take_picture("completeness")
    assert {name: whole(here, name) for name in (MAZES, PUZZLES)} == {MAZES: 4, PUZZLES: 4}


@pytest.mark.browser
def test_the_form_says_what_is_wrong(here, browser) -> None:
    """A number out of its range is refused in the form, with the range, and starts nothing."""
    before = len(runs_of(here, "generate-dataset/local"))
    page = Page(browser)
    page.sign_in(here.up.page, here.plain.sign_in_code())
    page.open(f"{here.up.page}/v2/deployments/deployment/{deployment_id(here, 'generate-dataset/local')}/run")
    page.fill("max_rounds", "101")
    page.click("//button[normalize-space()='Submit']")
    field = page.see("//label[starts-with(., 'max_rounds ')]").get_attribute("for")
    assert "100" in page.see(f"//*[@id='{field}']").get_property("validationMessage")
    assert len(runs_of(here, "generate-dataset/local")) == before


def test_a_second_terminal_runs_a_deployment(here, second_terminal) -> None:
    """Prefect deployment run with the address that make up prints ends with a complete dataset; globs are taken."""
    ran = second_terminal(
        *("deployment", "run", "generate-dataset/local", "--watch"),
        *("-p", "samples=2", "-p", "dataset=terminal", "-p", 'generators=["V-3*"]'),
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert whole(here, "V-3_bouncing_balls_data-generator") >= 2


def without(dump: Any, *names: str) -> Any:
    """A dump of the server's without some fields, however deep."""
    if isinstance(dump, list):
        return [without(each, *names) for each in dump]
    if isinstance(dump, dict):
        return {key: without(value, *names) for key, value in dump.items() if key not in names}
    return dump


def what_is_there(here) -> dict[str, Any]:
    """All that python -m deployments puts on a server, but for when it was last looked at."""
    with here.ask() as client:
        deployments = [each.model_dump(mode="json") for each in client.read_deployments()]
        queues = client._client.post(f"/work_pools/{POOL}/queues/filter", json={}).json()
        automations = client._client.post("/automations/filter", json={}).json()
        block = client._client.get(f"/block_types/slug/custom-webhook/block_documents/name/{NOTIFY}").json()
    return {
        "deployments": without(deployments, "updated", "status", "last_polled"),
        "queues": {each["name"]: (each["id"], each["concurrency_limit"]) for each in queues},
        "automations": {each["name"]: (each["id"], each["updated"]) for each in automations},
        "block": block["updated"],
    }


def switch(here, deployment: str, on: bool) -> bool:
    """Switch the only schedule of a deployment; how it stood before."""
    with here.ask() as client:
        found = client.read_deployment_by_name(deployment)
        (schedule,) = found.schedules
        client._client.patch(f"/deployments/{found.id}/schedules/{schedule.id}", json={"active": on})
    return schedule.active


def test_up_twice_changes_nothing(here) -> None:
    """A second make up says that it ran, and leaves each deployment, schedule, queue, automation and block as it was.

    The nightly runs start switched off; one that somebody switched on stays on.
    """
    assert [switch(here, f"fill-gaps/{name}", on=name == "aws") for name in ("local", "aws")] == [
        False,
        False,
    ]
    before, said = what_is_there(here), list[str]()
    again = here.prefect.up(said.append)
    assert (again.ran_before, again.page) == (True, here.up.page)
    assert what_is_there(here) == before
    server = f"Prefect server: {here.up.api}\n"
    assert said[2:] == [f"{server}deployments and automations are up to date"]
    # A schedule had been switched, so it deployed; now it need not even do that.
    here.prefect.up(said.append)
    assert said[-1] == "deployments and automations are up to date"
    assert what_is_there(here) == before
    assert switch(here, "fill-gaps/aws", on=False)


def test_each_flow_is_deployed_for_each_aws(here) -> None:
    """Six flows for two targets, with the drivers of a target in a queue that lets one through at a time."""
    there = what_is_there(here)
    drivers = [each for each in there["deployments"] if each["work_queue_name"] != "looks"]
    assert (len(there["deployments"]), len(drivers)) == (12, 6)
    assert all(there["queues"][each["work_queue_name"]][1] == 1 for each in drivers)
    assert all(each["work_queue_name"] in each["tags"] for each in drivers)


def test_an_incomplete_dataset_is_filled_once(here) -> None:
    """fill-gaps runs once for what generate-dataset left, on that dataset, and not for what it left itself."""
    name = "V-3_bouncing_balls_data-generator"
    spec = make_spec(dataset="left", generators=[name], samples=3)
    write_spec(aws.bucket(here.up.aws.config), spec)
    for deployment in ("fill-gaps/local", "generate-dataset/aws", "generate-dataset/local"):
        by = {
            "prefect.resource.id": f"prefect.deployment.{deployment_id(here, deployment)}",
            "prefect.resource.role": "deployment",
        }
        emit(here, "vbvr.dataset.incomplete", "vbvr.dataset.left", by, missing=3)
    runs = eventually(lambda: [run for run in runs_of(here, "fill-gaps/local") if run.state.is_final()])
    assert [(run.parameters["dataset"], run.state.name) for run in runs] == [("left", "Completed")]
    assert whole(here, name) >= 3
    assert len(runs_of(here, "fill-gaps/local") + runs_of(here, "fill-gaps/aws")) == 1


def test_a_message_says_what_happened(here) -> None:
    """Without any account, a message lands among the server's artifacts, with what the event carried."""
    emit(here, "vbvr.generator.broken", "vbvr.generator.O-41_nonogram", dataset="vbvr-v2", cause="crash")

    def message() -> str | None:
        with here.ask() as client:
            found = client._client.post("/artifacts/filter", json={"limit": 200}).json()
        return next((each["data"] for each in found if "O-41" in str(each["data"])), None)

    text = eventually(message)
    assert text.startswith("**O-41_nonogram: generator broken**")
    assert "- dataset: vbvr-v2\n- cause: crash" in text


def test_a_run_without_a_sign_of_life_is_ended(here) -> None:
    """The shipped automation, with seconds for minutes: the silent run is Lost, the one that said its end is not."""
    (shipped,) = [
        each for each in described(here.checkout / "automations") if each["name"] == "vbvr lost runs"
    ]
    hasty = {**shipped, "name": "hasty", "trigger": {**shipped["trigger"], "within": 10}}
    with here.ask() as client:
        made = client.create_automation(AutomationCore.model_validate(hasty))
        ids = [client._client.post("/flows/", json={"name": "sleeper"}).json()["id"]]
        silent, ended = (
            client._client.post("/flow_runs/", json={"flow_id": ids[0], "tags": ["datafactory"]}).json()["id"]
            for _ in range(2)
        )
        for run in (silent, ended):
            client.set_flow_run_state(UUID(run), Running(), force=True)
            tag = {"prefect.resource.id": "prefect.tag.datafactory", "prefect.resource.role": "tag"}
            emit(here, "prefect.flow-run.heartbeat", f"prefect.flow-run.{run}", tag)
        client.set_flow_run_state(UUID(ended), Completed(), force=True)
        lost = eventually(lambda: (run := client.read_flow_run(UUID(silent))).state.is_final() and run)
        client.delete_automation(made)
        assert (lost.state.type.value, lost.state.name) == ("CRASHED", "Lost")
        assert client.read_flow_run(UUID(ended)).state.name == "Completed"


def test_runs_whose_process_is_gone_do_not_keep_the_queue(here) -> None:
    """A Running run of the pool is ended when its process is gone, and only then."""
    gone = next(pid for pid in range(2**22, 2, -1) if not exists(pid))
    report = deployment_id(here, "completeness-report/local")
    later = (time.gmtime().tm_year + 1, "-01-01T00:00:00Z")
    with here.ask() as client:
        ids = []
        for pid in (gone, os.getpid()):
            scheduled = {"type": "SCHEDULED", "state_details": {"scheduled_time": f"{later[0]}{later[1]}"}}
            run = client._client.post(
                f"/deployments/{report}/create_flow_run", json={"state": scheduled}
            ).json()
            client._client.patch(f"/flow_runs/{run['id']}", json={"infrastructure_pid": str(pid)})
            client.set_flow_run_state(UUID(run["id"]), Running(), force=True)
            ids.append(UUID(run["id"]))
        assert len(end_lost_runs(here.plain, POOL, has_worker=True)) == 1
        assert [client.read_flow_run(each).state.name for each in ids] == ["Lost", "Running"]


def test_the_flows_are_deployed_as_ecs_tasks(here, second_terminal, monkeypatch) -> None:
    """prefect.ecs.yaml makes what an ECS worker turns into a task with the image, the roles and the addresses given."""
    given = {
        "ECS_POOL": "vbvr-ecs",
        "ECS_CLUSTER": "makers",
        "ECS_IMAGE": "1.dkr.ecr.us-east-2.amazonaws.com/flows:1",
        "ECS_TASK_ROLE_ARN": "arn:aws:iam::1:role/flows",
        "ECS_EXECUTION_ROLE_ARN": "arn:aws:iam::1:role/start",
        "SQS_QUEUE_URL": "https://sqs/tasks",
        "SQS_DLQ_URL": "https://sqs/dead",
        "OUTPUT_BUCKET": "samples",
        "AWS_REGION": "us-east-2",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    (here.checkout / "prefect.ecs.yaml").symlink_to(paths.CHECKOUT / "prefect.ecs.yaml")
    template = ECSWorker.get_default_base_job_template()
    with here.ask() as client:
        client.create_work_pool(WorkPoolCreate(name="vbvr-ecs", type="ecs", base_job_template=template))
        done = second_terminal("--no-prompt", "deploy", "--all", "--prefect-file", "prefect.ecs.yaml")
        assert done.returncode == 0, done.stdout + done.stderr
        deployment = client.read_deployment_by_name("generate-dataset/ecs")

    async def as_the_worker_does() -> ECSJobConfiguration:
        async with PrefectClient(here.up.api, auth_string=here.auth) as client:
            return await ECSJobConfiguration.from_template_and_values(
                template, deployment.job_variables, client=client
            )

    job = asyncio.run(as_the_worker_does())
    assert job.task_definition["containerDefinitions"][0]["image"] == given["ECS_IMAGE"]
    assert job.task_definition["executionRoleArn"] == given["ECS_EXECUTION_ROLE_ARN"]
    asked = job.task_run_request["overrides"]
    assert asked["taskRoleArn"] == given["ECS_TASK_ROLE_ARN"]
    addresses = {name: value for name, value in given.items() if not name.startswith("ECS_")}
    assert asked["containerOverrides"][0]["environment"] == addresses


def test_down_ends_what_up_started_and_may_be_said_twice(here) -> None:
    """After make down nothing of it runs or answers; a second time it was not running."""
    api = here.plain
    assert here.prefect.down()
    assert not exists(here.up.aws.pid)
    assert not api.answers()
    assert not here.prefect.down()
