"""Explains errors of AWS and its clients in one line; botocore and obstore report the same error differently."""

import re

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from obstore.exceptions import BaseError as ObstoreError
from obstore.exceptions import InvalidPathError

from vbvrdatafactory.core.config import Config

_NO_CREDENTIALS = (
    "no AWS credentials were found; set AWS_PROFILE, or log in with 'aws configure' or 'aws sso login'; "
    'for the embedded AWS, set AWS_ENDPOINT_URL: eval "$(datafactory local env)"'
)
_BAD_CREDENTIALS = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
_NO_QUEUE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "InvalidAddress"}
_WRONG_REGION = {"AuthorizationHeaderMalformed", "PermanentRedirect"}


def explain_aws(error: Exception, config: Config) -> str | None:
    """One line about an error of AWS or of a client; None for any other."""
    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        return _of_code(details.get("Code", "?"), details.get("Message", ""), error.operation_name, config)
    if isinstance(error, BotoCoreError):
        return _of_botocore(error, config)
    text = str(error).partition("\n\nDebug source")[0]
    # obstore's Boto3CredentialProvider raises a plain ValueError.
    if "session.get_credentials" in text:
        return _NO_CREDENTIALS
    if isinstance(error, InvalidPathError):
        return (
            f"the bucket has a key that is no valid path; delete it and run again ({' '.join(text.split())})"
        )
    # A missing object or bucket comes as a FileNotFoundError.
    if isinstance(error, ObstoreError) or "Error performing" in text:
        return _of_obstore(text, config)
    return None


def _of_code(code: str, message: str, operation: str, config: Config) -> str:
    message = message.strip().rstrip(".")
    if code in _NO_QUEUE:
        return (
            f"the queue does not exist in {config.aws_region}; are SQS_QUEUE_URL and AWS_REGION the stack's?"
        )
    if code == "NoSuchBucket":
        return (
            f"bucket {config.output_bucket!r} does not exist; "
            "set OUTPUT_BUCKET (output BucketName of the stack) or --bucket"
        )
    if code in _WRONG_REGION:
        return f"bucket {config.output_bucket!r} is not in {config.aws_region}; set AWS_REGION to its region"
    if code in _BAD_CREDENTIALS:
        return f"AWS does not accept the credentials ({code}: {message}); log in again, or set AWS_PROFILE"
    if code in _DENIED:
        return (
            f"access denied to {operation} ({message}); ask for that permission, or set another AWS_PROFILE"
        )
    return f"{operation} failed: {code}: {message}"


def _of_botocore(error: BotoCoreError, config: Config) -> str:
    if isinstance(error, (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)):
        return _NO_CREDENTIALS
    if isinstance(error, ProfileNotFound):
        return (
            f"AWS_PROFILE={config.aws_profile!r} is no profile here; 'aws configure list-profiles' lists them"
        )
    if isinstance(error, (SSOError, TokenRetrievalError)):
        return f"the AWS login is over; run 'aws sso login' ({error})"
    if isinstance(error, (ConnectionError, HTTPClientError)):
        return _unreachable(str(error), config)
    return str(error)


def _of_obstore(text: str, config: Config) -> str:
    """An error of obstore; its text has the response of S3 as XML."""
    if code := _field("Code", text):
        verb = re.search(r"Error performing (\w+)", text)
        operation = f"{verb[1] if verb else 'S3'} in bucket {config.output_bucket!r}"
        return _of_code(code, _field("Message", text), operation, config)
    if "error sending request" in text:
        return _unreachable("no connection after 10 tries", config)
    if "builder error" in text:
        return f"AWS_ENDPOINT_URL={config.aws_endpoint_url} cannot be used for S3: beyond this machine it must be https"
    if "redirect" in text:
        return _of_code("PermanentRedirect", "", "", config)
    if "403 Forbidden" in text or "401 Unauthorized" in text:
        return _of_code("AccessDenied", "S3 gives no reason", f"bucket {config.output_bucket!r}", config)
    return text.splitlines()[0]


def _unreachable(details: str, config: Config) -> str:
    if config.aws_endpoint_url:
        return f"nothing answers at AWS_ENDPOINT_URL={config.aws_endpoint_url} ({details})"
    return (
        f"AWS cannot be reached in {config.aws_region}; is the network up, and AWS_REGION right? ({details})"
    )


def _field(name: str, text: str) -> str:
    match = re.search(rf"<{name}>([^<]*)</{name}>", text)
    return match[1] if match else ""
