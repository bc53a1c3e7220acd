"""Each trouble with AWS is one line with the value and the next move."""

import time

import botocore.exceptions as boto
import pytest
from obstore.exceptions import GenericError, PermissionDeniedError

from vbvrdatafactory.cli.context import App
from vbvrdatafactory.cli.failures import explain

QUEUE = "https://sqs.us-east-2.amazonaws.com/1/q"


@pytest.fixture
def app(bare):
    bare.setenv("OUTPUT_BUCKET", "my-bucket")
    bare.setenv("SQS_QUEUE_URL", QUEUE)
    return App()


def client_error(code, message="why", operation="SendMessage"):
    return boto.ClientError({"Error": {"Code": code, "Message": message}}, operation)


def s3_error(code, message="why", verb="GET"):
    return GenericError(
        f"Generic S3 error: Error performing {verb} https://x/my-bucket in 1ms - Server returned non-2xx status code: "
        f"400: <Error><Code>{code}</Code><Message>{message}</Message></Error>\n\nDebug source:\nGeneric {{"
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (client_error("AccessDenied"), "access denied to SendMessage (why); ask for that permission"),
        (
            client_error("ExpiredToken"),
            "AWS does not accept the credentials (ExpiredToken: why); log in again",
        ),
        (client_error("InvalidClientTokenId"), "does not accept the credentials"),
        (client_error("AWS.SimpleQueueService.NonExistentQueue"), "the queue does not exist in us-east-2"),
        (client_error("Strange", "Quite.\n"), "SendMessage failed: Strange: Quite"),
        (boto.NoCredentialsError(), "no AWS credentials were found; set AWS_PROFILE"),
        (boto.SSOTokenLoadError(error_msg="old"), "run 'aws sso login'"),
        (boto.EndpointConnectionError(endpoint_url="https://sqs"), "AWS cannot be reached in us-east-2"),
        (boto.ReadTimeoutError(endpoint_url="https://sqs"), "AWS cannot be reached in us-east-2"),
        (s3_error("NoSuchBucket"), "bucket 'my-bucket' does not exist; set OUTPUT_BUCKET"),
        (FileNotFoundError(str(s3_error("NoSuchBucket"))), "bucket 'my-bucket' does not exist"),
        (s3_error("AccessDenied", verb="PUT"), "access denied to PUT in bucket 'my-bucket' (why)"),
        (s3_error("ExpiredToken"), "does not accept the credentials"),
        (s3_error("SlowDown", "Reduce"), "GET in bucket 'my-bucket' failed: SlowDown: Reduce"),
        (
            PermissionDeniedError("no: Error performing GET x: 403 Forbidden: "),
            "access denied to bucket 'my-bucket'",
        ),
        (GenericError("HTTP error: error sending request"), "AWS cannot be reached"),
        (GenericError("Received redirect without LOCATION"), "is not in us-east-2; set AWS_REGION"),
        (ValueError("Received None from session.get_credentials"), "no AWS credentials were found"),
        (GenericError("odd\n\nDebug source:\nGeneric {"), "odd"),
        (PermissionError(13, "Permission denied", "/root/x"), "Permission denied: /root/x"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (RuntimeError(""), "unexpected RuntimeError: no details"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_explained(app, error, said):
    """Each error of AWS and its clients is told as one line."""
    line = explain(error, app)
    assert said in line
    assert "\n" not in line


def test_explaining_needs_no_address(bare):
    """An error is told in one line even where the address that it is about is not set."""
    assert "NoSuchBucket" in explain(client_error("NoSuchBucket", operation="ListBucket"), App())


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("OUTPUT_BUCKET", "Not a bucket!", "'Not a bucket!' is not a valid bucket name"),
        ("OUTPUT_BUCKET", "no-such-bucket", "bucket 'no-such-bucket' does not exist; set OUTPUT_BUCKET"),
        ("AWS_REGION", "Ohio, please", "AWS_REGION='Ohio, please' is no region"),
        ("AWS_ENDPOINT_URL", "localhost:4566", "AWS_ENDPOINT_URL='localhost:4566' is no address"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:99999", "is no address"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1", "nothing listens at AWS_ENDPOINT_URL=http://127.0.0.1:1;"),
    ],
)
def test_wrong_values(run, place, monkeypatch, variable, value, said):
    """A wrong value of a variable is told with the variable, and without waiting."""
    monkeypatch.setenv(variable, value)
    began = time.monotonic()
    result = run("report")
    assert said in result.stderr
    assert (len(result.stderr.splitlines()), result.exit_code) == (1, 1)
    # The clients would retry for 20 seconds.
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("command", "variable"),
    [
        (["report"], "OUTPUT_BUCKET"),
        (["download", "out"], "OUTPUT_BUCKET"),
        (["submit", "-g", "all"], "SQS_QUEUE_URL"),
        (["submit", "-g", "all"], "OUTPUT_BUCKET"),
        (["monitor"], "SQS_QUEUE_URL"),
        (["dlq", "redrive"], "SQS_QUEUE_URL"),
    ],
)
def test_unset_variable(run, place, monkeypatch, command, variable):
    """An address that is needed and not set is told with its name and where it comes from."""
    monkeypatch.delenv(variable)
    result = run(*command)
    assert f"{variable} is not set; it is the output" in result.stderr
    assert (len(result.stderr.splitlines()), result.exit_code) == (1, 1)


def test_no_credentials(run, bare):
    """Without credentials for AWS the command says how to log in."""
    bare.setenv("SQS_QUEUE_URL", QUEUE)
    result = run("monitor")
    assert "no AWS credentials were found" in result.stderr
    assert result.exit_code == 1


def test_unknown_profile(run, bare):
    """A profile that does not exist is named."""
    bare.setenv("SQS_QUEUE_URL", QUEUE)
    bare.setenv("AWS_PROFILE", "nobody")
    assert "AWS_PROFILE='nobody' is no profile here" in run("monitor").stderr
