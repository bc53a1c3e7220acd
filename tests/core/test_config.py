"""Addresses come from arguments, the environment, a file, in that order; an unset one explains itself."""

from pathlib import Path

import pytest

from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.errors import ConfigError, DataFactoryError

ADDRESSES = [
    ("SQS_QUEUE_URL", "QueueUrl"),
    ("SQS_DLQ_URL", "DlqUrl"),
    ("OUTPUT_BUCKET", "BucketName"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, so that no `.env` of the checkout is read."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("variable", "output"), ADDRESSES)
def test_an_unset_address_names_its_variable_and_its_source(variable: str, output: str) -> None:
    """Using an address that is not set says which variable, and which output of the stack holds it."""
    with pytest.raises(ConfigError, match=rf"{variable} is not set.*{output}.*cdk deploy.*local up"):
        getattr(Config(), variable.lower())


@pytest.mark.parametrize(("variable", "output"), ADDRESSES)
def test_an_empty_variable_counts_as_unset(
    variable: str, output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`export OUTPUT_BUCKET=` is no bucket name."""
    monkeypatch.setenv(variable, "")
    with pytest.raises(ConfigError, match=output):
        getattr(Config(), variable.lower())


def test_defaults_are_the_documented_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any variable: us-east-2, no profile, no endpoint, ./generators."""
    monkeypatch.delenv("AWS_REGION", raising=False)
    config = Config()
    assert (config.aws_region, config.aws_profile, config.aws_endpoint_url) == ("us-east-2", None, None)
    assert config.generators_path == Path("generators")


def test_the_env_file_is_read(folder: Path) -> None:
    """A `.env` in the working folder gives the addresses; variables of others in it are left alone."""
    (folder / ".env").write_text("OUTPUT_BUCKET=from-file\nSOMEBODY_ELSES=1\n")
    assert Config().output_bucket == "from-file"


def test_the_process_environment_wins_over_the_env_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the shell exports is what counts."""
    (folder / ".env").write_text("OUTPUT_BUCKET=from-file\nAWS_REGION=eu-west-1\n")
    monkeypatch.setenv("OUTPUT_BUCKET", "from-shell")
    assert (Config().output_bucket, Config().aws_region) == ("from-shell", "eu-west-1")


def test_an_argument_wins_over_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Config(output_bucket=…)` needs no environment; None means as the environment says."""
    monkeypatch.setenv("OUTPUT_BUCKET", "from-shell")
    assert Config(output_bucket="from-call").output_bucket == "from-call"
    assert Config(output_bucket=None).output_bucket == "from-shell"


def test_an_unknown_argument_is_refused_with_the_known_ones() -> None:
    """A misspelt field is no silent default."""
    with pytest.raises(ConfigError, match=r"'bucket'.*output_bucket"):
        Config(bucket="b")


def test_a_named_env_file_is_read_instead(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DATAFACTORY_ENV_FILE points at another file than `.env`."""
    (folder / ".env").write_text("OUTPUT_BUCKET=left-alone\n")
    (folder / "local.env").write_text("OUTPUT_BUCKET=local\n")
    monkeypatch.setenv("DATAFACTORY_ENV_FILE", "local.env")
    assert Config().output_bucket == "local"


def test_a_named_env_file_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was asked for by name and is missing is not skipped in silence."""
    monkeypatch.setenv("DATAFACTORY_ENV_FILE", "gone.env")
    with pytest.raises(ConfigError, match=r"gone\.env.*datafactory local up"):
        _ = Config().aws_region


def test_an_env_file_that_cannot_be_read_is_one_clear_error(folder: Path) -> None:
    """Bytes that are no text end in a ConfigError that names the file."""
    (folder / ".env").write_bytes(b"OUTPUT_BUCKET=\xff\xfe\n")
    with pytest.raises(ConfigError, match=r"\.env cannot be read"):
        _ = Config().output_bucket


def test_a_config_reads_the_environment_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses do not change under a running program."""
    monkeypatch.setenv("OUTPUT_BUCKET", "first")
    config = Config()
    assert config.output_bucket == "first"
    monkeypatch.setenv("OUTPUT_BUCKET", "second")
    assert config.output_bucket == "first"


def test_a_failed_read_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting the variable after the error is enough; nothing of the failure is remembered."""
    config = Config()
    monkeypatch.setenv("DATAFACTORY_ENV_FILE", "gone.env")
    with pytest.raises(ConfigError):
        _ = config.output_bucket
    monkeypatch.delenv("DATAFACTORY_ENV_FILE")
    monkeypatch.setenv("OUTPUT_BUCKET", "found")
    assert config.output_bucket == "found"


@pytest.mark.parametrize(
    ("endpoint", "embedded"),
    [
        ("http://127.0.0.1:4566", True),
        ("http://localhost:4566", True),
        ("http://[::1]:4566", True),
        ("http://LOCALHOST:4566", True),
        ("http://127.0.0.2:4566", True),
        ("http://s3.localhost:4566", True),
        ("http://localhost.example.com", False),
        ("http://notlocalhost", False),
        ("https://sqs.us-east-2.amazonaws.com", False),
        ("http://127.0.0.1.example.com", False),
        (None, False),
    ],
)
def test_only_loopback_counts_as_embedded(endpoint: str | None, embedded: bool) -> None:
    """Real credentials go anywhere but to this machine; a look-alike host name does not fool it."""
    assert Config(aws_endpoint_url=endpoint).is_embedded is embedded


def test_every_error_of_ours_has_one_parent() -> None:
    """The command catches DataFactoryError and shows one line."""
    assert issubclass(ConfigError, DataFactoryError)
