"""AWS in memory, in place of AWS: every door of the factory leads to it while a block lasts."""

import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import obstore
import pytest
from click.testing import CliRunner

from tasks.account import connect
from vbvrdatafactory import aws
from vbvrdatafactory.cli.main import cli
from vbvrdatafactory.core.config import Config, config
from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.s3.pause import read_pause
from vbvrdatafactory.s3.specs import write_spec
from vbvrdatafactory.sqs.consumers import diagnose_consumers
from vbvrdatafactory.sqs.dead_letters import DeadLetters
from vbvrdatafactory.sqs.depth import Depth, depth
from vbvrdatafactory.sqs.submitter import TaskSubmitter
from vbvrdatafactory.testing import InMemoryAws, in_memory_aws

README = Path("README.md").read_text(encoding="utf-8")
SPEC = make_spec(dataset="spring", generators=["maze"], samples=60, batch_size=25)


def test_the_public_submitter_sends_to_it() -> None:
    """Neither client nor address is passed: what a user's code calls is tested as it is."""
    with in_memory_aws() as cloud:
        done = TaskSubmitter().submit_tasks(["maze"], total_samples=60, batch_size=25, seed=42)
        sent = [(m.type, m.start_index, m.num_samples, m.seed) for m in cloud.messages()]
    assert (done["total_successful"], sent) == (3, [*Plan(SPEC)])


def test_every_client_is_its_own() -> None:
    """Those of the library, of tasks and of threads; the bucket is the one that the configuration names."""
    found = []
    with in_memory_aws() as cloud:
        thread = threading.Thread(target=lambda: found.append(aws.sqs(config)))
        thread.start()
        thread.join()
        assert [*found, aws.sqs(config), connect().sqs] == [cloud.sqs] * 3
        assert [aws.bucket(config), connect().bucket] == [cloud.store] * 2
        assert aws.bucket(config, "another") is cloud.bucket("another") is not cloud.store


def test_it_ends_with_the_block() -> None:
    """After it the configuration is the one before, and so is what tasks use; blocks may nest."""
    before = Config(output_bucket="mine")
    with in_memory_aws() as outer:
        with in_memory_aws() as inner:
            assert connect().sqs is inner.sqs
        assert connect().sqs is outer.sqs
        assert config.output_bucket == outer.config.output_bucket
    assert aws.replacement() is None
    with config.replaced_by(before):
        assert (config.output_bucket, config.but(aws_region="eu-west-1").output_bucket) == ("mine", "mine")
        assert aws.bucket(config).config["bucket"] == "mine"


def test_it_ends_with_an_error_too() -> None:
    """A test that fails leaves nothing behind."""
    with pytest.raises(ZeroDivisionError), in_memory_aws():
        1 / 0  # noqa: B018
    assert aws.replacement() is None
    assert config.answering is config


def test_what_the_shell_says_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses of another AWS, and a block of credentials that only a Prefect server has."""
    for name in ("AWS_ENDPOINT_URL", "SQS_QUEUE_URL", "OUTPUT_BUCKET", "AWS_CREDENTIALS_BLOCK"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/x")
    with in_memory_aws() as cloud:
        assert (config.sqs_queue_url, config.is_embedded) == (cloud.queue_url, False)
        assert connect().bucket is cloud.store


def test_letters_come_after_so_many_receives() -> None:
    """As the stack has it: the third receive is the last, and time passes when the test says so."""
    with in_memory_aws(visibility_seconds=60, max_receives=3) as cloud:
        TaskSubmitter().submit(Plan(SPEC).messages())
        for _ in range(3):
            assert (
                len(cloud.sqs.receive_message(QueueUrl=cloud.queue_url, MaxNumberOfMessages=10)["Messages"])
                == 3
            )
            assert depth(cloud.sqs, cloud.queue_url) == Depth(0, 3, 0)
            cloud.clock.advance(61)
        assert "Messages" not in cloud.sqs.receive_message(QueueUrl=cloud.queue_url)
        letters = DeadLetters(cloud.sqs, cloud.dlq_url)
        assert [letter.receive_count for letter in letters.read()] == [4, 4, 4]
        assert len(letters.redrive(cloud.queue_url).sent) == 3
        assert [m.start_index for m in cloud.messages()] == [0, 25, 50]


def test_nobody_takes_messages_there() -> None:
    """Why a queue is not worked on is said as it would be of an account without the stack."""
    with in_memory_aws() as cloud:
        found = diagnose_consumers(cloud.sqs, connect().functions, cloud.queue_url)
    assert (found.consuming, found.reason) == (
        False,
        "no event source mapping receives messages from the queue",
    )


def test_a_command_runs_on_it() -> None:
    """Commands read the environment: with that of the account they send to it and pause in its bucket."""
    with in_memory_aws() as cloud:
        write_spec(cloud.store, SPEC)
        done = CliRunner().invoke(cli, ["pause", "spring", "--reason", "lunch"], env=cloud.environment)
        assert done.exit_code == 0, done.output
        assert read_pause(cloud.store, "spring").reason == "lunch"


def test_the_bucket_takes_a_key_once_where_that_is_asked() -> None:
    """Conditional writes hold, so that leases do."""
    store = InMemoryAws().store
    first = obstore.put(store, "lease", b"1", mode="create")
    with pytest.raises(obstore.exceptions.AlreadyExistsError):
        obstore.put(store, "lease", b"2", mode="create")
    obstore.put(store, "lease", b"3", mode={"e_tag": first["e_tag"]})
    with pytest.raises(obstore.exceptions.PreconditionError):
        obstore.put(store, "lease", b"4", mode={"e_tag": first["e_tag"]})
    assert abs((datetime.now(UTC) - obstore.head(store, "lease")["last_modified"]).total_seconds()) < 60


def test_a_service_that_is_not_there_is_named() -> None:
    """A test that needs more than queues, buckets and who takes messages hears so."""
    refused = pytest.raises(LookupError, match="'cloudformation' in memory, only sqs and lambda")
    with in_memory_aws(), refused:
        aws.client(config, "cloudformation")


def test_a_name_that_no_bucket_can_have_is_refused_as_ever() -> None:
    """The double is not kinder than AWS."""
    with in_memory_aws(), pytest.raises(ConfigError, match="not a valid bucket name"):
        aws.bucket(config, "My_Bucket")


def test_the_readme_shows_how() -> None:
    """The example there runs as it stands, and the message that was received comes back."""
    [example] = [part for part in README.split("```python\n")[1:] if "in_memory_aws" in part]
    names: dict[str, Any] = {}
    exec(example.partition("```")[0], names)
    cloud = names["cloud"]
    assert depth(cloud.sqs, cloud.queue_url) == Depth(2, 0, 0)


def test_it_needs_no_test_tool() -> None:
    """It is imported where neither pytest nor moto is."""
    script = (
        "import sys; sys.modules |= dict.fromkeys(['moto', 'pytest', 'prefect', 'hypothesis']);"
        "from vbvrdatafactory.testing import in_memory_aws\n"
        "with in_memory_aws() as cloud: print(cloud.messages())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
