"""`datafactory stack`, against the stack on the embedded AWS."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from dotenv import dotenv_values

from infra.local import EmbeddedAws
from tests.infra.conftest import client
from vbvrdatafactory.cli.main import cli

pytestmark = pytest.mark.aws
Run = Callable[..., Result]


@pytest.fixture
def run(embedded: EmbeddedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `datafactory stack …` in an empty folder, with the embedded AWS as its AWS."""
    info = embedded.up()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", info.endpoint)
    return lambda *arguments: CliRunner().invoke(cli, ["stack", *arguments])


def test_addresses_are_written(run: Run, embedded: EmbeddedAws, tmp_path: Path) -> None:
    """Nobody copies three addresses by hand: they are in .env, and what else is there stays."""
    (tmp_path / ".env").write_text("AWS_REGION=us-east-2\nSQS_QUEUE_URL=old\n")
    done = run("outputs")
    info = embedded.status().info
    assert (done.exit_code, info is not None) == (0, True), done.output
    assert dotenv_values(tmp_path / ".env") == {
        "AWS_REGION": "us-east-2",
        "SQS_QUEUE_URL": info.queue_url,
        "SQS_DLQ_URL": info.dead_letter_url,
        "OUTPUT_BUCKET": info.bucket,
    }
    assert "there is no stack 'Other' in us-east-2" in run("outputs", "--stack", "Other").output


def test_the_status_says_what_stops_a_run(run: Run, embedded: EmbeddedAws) -> None:
    """A good stack can be used; with its mapping disabled nothing would be made, and the command fails."""
    good = run("status")
    assert (good.exit_code, "A run can use it." in good.stdout) == (0, True), good.output
    info = embedded.status().info
    client(info, "lambda").update_event_source_mapping(UUID=info.event_source_mapping_id, Enabled=False)
    stopped = run("status")
    assert (stopped.exit_code, "nobody takes messages" in stopped.stderr) == (1, True)
    assert run("status", "--stack", "Other").exit_code == 1


def test_watching_ends_when_the_stack_is_settled(run: Run) -> None:
    """Its events are shown, the oldest first, and how it ended."""
    done = run("watch", "--interval", "0.1")
    lines = done.stdout.splitlines()
    assert (done.exit_code, lines[-1]) == (0, "VBVRDataFactoryPipelineStack: CREATE_COMPLETE")
    assert any("Tasks" in line for line in lines)
