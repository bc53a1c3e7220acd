"""What a cancelled run leaves in the queue, said in one line."""

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from tasks import leftovers
from tasks.leftovers import environment_of, leftovers_of, settings_of
from vbvrdatafactory.testing import InMemoryAws


def flow_run(env: dict[str, str] | None = None, deployment: bool = False, **parameters: Any) -> Any:
    variables = {"env": env} if env is not None else None
    return SimpleNamespace(
        deployment_id=uuid4() if deployment else None, job_variables=variables, parameters=parameters
    )


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The job variables of every deployment on the Prefect server."""
    variables: dict[str, Any] = {}
    client = SimpleNamespace(read_deployment=lambda _: SimpleNamespace(job_variables=variables))
    monkeypatch.setattr(leftovers, "get_client", lambda sync_client: client)
    return variables


def test_what_is_still_in_the_queue_is_counted(cloud: InMemoryAws) -> None:
    """Waiting and in flight; the dataset and the next move are named."""
    for n in range(3):
        cloud.sqs.send_message(QueueUrl=cloud.queue_url, MessageBody=str(n))
    cloud.sqs.receive_message(QueueUrl=cloud.queue_url)
    assert leftovers_of(flow_run(cloud.environment, dataset="spring")) == (
        "spring: cancelled, nothing new is sent; 3 messages are in the queue still "
        "(2 waiting, 1 in flight, 0 delayed), and will be made. "
        "Run it again, or fill-gaps, and it goes on from what is in the bucket"
    )


def test_an_empty_queue_is_said_to_be_empty(cloud: InMemoryAws) -> None:
    """Nothing will be made any more."""
    said = leftovers_of(flow_run(cloud.environment))
    assert said.startswith("dataset: cancelled, nothing new is sent; the queue is empty. Run it again")


def test_addresses_come_from_the_deployment(deployed: dict[str, Any]) -> None:
    """The Prefect worker that ends the run does not have its environment."""
    deployed["env"] = {"SQS_QUEUE_URL": "http://there/tasks", "AWS_REGION": "eu-west-1"}
    settings = settings_of(flow_run(deployment=True))
    assert (settings.sqs_queue_url, settings.aws_region) == ("http://there/tasks", "eu-west-1")


def test_what_a_run_was_given_itself_wins(deployed: dict[str, Any]) -> None:
    """Variable by variable over the deployment's."""
    deployed["env"] = {"SQS_QUEUE_URL": "http://there/tasks", "OUTPUT_BUCKET": "there"}
    run = flow_run({"OUTPUT_BUCKET": "mine"}, deployment=True)
    assert environment_of(run) == {"SQS_QUEUE_URL": "http://there/tasks", "OUTPUT_BUCKET": "mine"}


@pytest.mark.parametrize("variables", [{}, {"env": None}])
def test_a_run_without_variables_has_those_of_its_process(
    deployed: dict[str, Any], variables: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where neither deployment nor run says anything, the environment does."""
    deployed.update(variables)
    monkeypatch.setenv("SQS_QUEUE_URL", "http://here/tasks")
    assert environment_of(flow_run(deployment=True)) == {}
    assert settings_of(flow_run()).sqs_queue_url == "http://here/tasks"


def test_a_file_of_addresses_is_read(tmp_path: Any) -> None:
    """The embedded AWS hands its addresses over in a file that a variable names."""
    file = tmp_path / "env"
    file.write_text("SQS_QUEUE_URL=http://file/tasks\n")
    settings = settings_of(flow_run({"DATAFACTORY_ENV_FILE": str(file)}))
    assert settings.sqs_queue_url == "http://file/tasks"
