import json

import aws_cdk as cdk
import pytest

from infra.paths import CHECKOUT
from infra.settings import LOCAL, StackSettings
from vbvrdatafactory.core.errors import ConfigError


def from_context(**context: object) -> StackSettings:
    return StackSettings.from_context(cdk.App(context=context).node)


def test_defaults() -> None:
    """Without context a function has one processor's memory and 15 minutes, and 990 of them run at a time."""
    settings = from_context()
    assert settings.lambda_memory_mb == 1769
    assert settings.lambda_timeout_minutes == 15
    assert settings.sqs_max_concurrency == 990
    assert settings.max_receives == 3


def test_the_command_line_gives_strings() -> None:
    """A value given as text, as `cdk deploy -c` does, is the number it spells."""
    settings = from_context(lambdaMemoryMB="1769", lambdaTimeoutMinutes="5", logRetentionDays="7")
    assert (settings.lambda_memory_mb, settings.lambda_timeout_minutes) == (1769, 5)
    assert settings.log_retention_days == 7


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"lambdaMemoryMB": 64}, ["lambdaMemoryMB=64", "128 to 10240"]),
        ({"lambdaTimeoutMinutes": "16"}, ["lambdaTimeoutMinutes='16'", "1 to 15"]),
        ({"sqsMaxConcurrency": 1}, ["sqsMaxConcurrency=1", "2 to 1000"]),
        ({"sqsMaxConcurrency": "many"}, ["sqsMaxConcurrency='many'", "2 to 1000"]),
        ({"visibilitySeconds": 50_000}, ["visibilitySeconds=50000", "1 to 43200"]),
        ({"workerPackaging": "rpm"}, ["workerPackaging='rpm'", "'image', 'zip' or 'uri'"]),
        ({"bucketName": "No_Such"}, ["bucketName='No_Such'"]),
        ({"visibilitySeconds": 60}, ["visibilitySeconds=60", "900 s"]),
        ({"queueRetentionDays": 5, "deadLetterRetentionDays": 5}, ["deadLetterRetentionDays=5"]),
        ({"workerBase": "python:3.12"}, ["workerBase='python:3.12'", "sha256"]),
        ({"workerPython": "3.11"}, ["workerPython='3.11'", "'3.12' or '3.13'"]),
    ],
)
def test_a_bad_value_is_explained(context: dict[str, object], said: list[str]) -> None:
    """A value outside its range is refused with its key, the value, and what is allowed."""
    with pytest.raises(ConfigError) as raised:
        from_context(**context)
    assert all(part in str(raised.value) for part in said), raised.value
    assert "\n" not in str(raised.value)


def test_every_bad_value_is_named() -> None:
    """Two mistakes are told at once."""
    with pytest.raises(ConfigError, match=r"lambdaMemoryMB=1 .*; sqsMaxConcurrency=1 "):
        from_context(lambdaMemoryMB=1, sqsMaxConcurrency=1)


def test_a_misspelt_key_is_not_ignored() -> None:
    """A key that is nearly ours is refused, as it would silently change nothing."""
    with pytest.raises(ConfigError, match="'lambdaMemoryMb'; did you mean 'lambdaMemoryMB'"):
        from_context(lambdaMemoryMb=1024)


def test_keys_of_cdk_are_left_alone() -> None:
    """CDK's own flags in the context are none of our business."""
    assert from_context(**{"@aws-cdk/core:newStyleStackSynthesis": True}) == StackSettings()


def test_names_are_separated_by_commas() -> None:
    """Several names in one key are written with commas."""
    assert from_context(extraOutputBuckets="one-a, two-b").extra_output_buckets == ("one-a", "two-b")


def test_visibility_follows_the_timeout() -> None:
    """On AWS a message is hidden for six times the function's timeout."""
    assert StackSettings(lambda_timeout_minutes=10).visibility_timeout == 6 * 600


def test_local_messages_return_soon() -> None:
    """On the embedded AWS a lost message returns a minute after its function must have ended."""
    assert LOCAL.visibility_timeout == LOCAL.lambda_timeout_minutes * 60 + 60
    assert LOCAL.sqs_max_concurrency == 2


def test_cdk_json_says_what_the_defaults_say() -> None:
    """The context that `cdk.json` commits to is the documented one, and is valid."""
    context = json.loads((CHECKOUT / "cdk.json").read_text())["context"]
    assert from_context(**context) == StackSettings()
    assert context == {"lambdaMemoryMB": 1769, "lambdaTimeoutMinutes": 15, "sqsMaxConcurrency": 990}


@pytest.mark.parametrize(("memory", "batches"), [(1024, 1), (1769, 1), (3072, 2), (10240, 6)])
def test_trusted_generators_run_side_by_side(memory: int, batches: int) -> None:
    """Where all generators are trusted, as many messages come as the function's memory brings cores; else one."""
    assert StackSettings(lambda_memory_mb=memory, trust_generators=True).batch_size == batches
    assert StackSettings(lambda_memory_mb=memory).batch_size == 1
