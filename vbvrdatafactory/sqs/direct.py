"""SendMessageBatch by the short way: a boto3 client's own signer, hooks and connections, without its models.

botocore spends half of a call on building, checking and reading what is known here, and its threads wait for
each other meanwhile: 100,000 messages are 10,000 calls. Only a plain answer is taken this way. Whatever else
comes is left to the client, which makes the same call with its own retries and raises its own errors.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSRequest
from botocore.client import BaseClient
from botocore.exceptions import BotoCoreError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef, SendMessageBatchResultTypeDef

_OPERATION = "SendMessageBatch"
_HEADERS = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{_OPERATION}"}


class DirectSender:
    """Sends with `client`; for anything but a boto3 client it is the client."""

    def __init__(self, client: "SQSClient") -> None:
        self._client = client
        # Its stubs know neither its connections nor its hooks.
        self._boto: Any = client if isinstance(client, BaseClient) else None

    def send_message_batch(
        self, queue_url: str, entries: "Sequence[SendMessageBatchRequestEntryTypeDef]"
    ) -> "SendMessageBatchResultTypeDef":
        """What SQS says of each entry.

        Raises:
            ClientError, BotoCoreError: what the client met.
        """
        answer = self._ask(queue_url, entries) if self._boto else None
        return answer or self._client.send_message_batch(QueueUrl=queue_url, Entries=entries)

    def _ask(self, queue_url: str, entries: Sequence[Any]) -> Any:  # noqa: ANN401 - JSON
        """The answer, or None where it is no plain one."""
        body = json.dumps({"QueueUrl": queue_url, "Entries": entries}).encode()
        client = self._boto.meta
        headers = {**_HEADERS, "User-Agent": client.config.user_agent}
        request = AWSRequest("POST", client.endpoint_url, headers, body)
        hooks = client.events
        try:
            # The client signs in a hook of its own; whoever stands in for AWS answers in the other.
            hooks.emit(f"request-created.sqs.{_OPERATION}", request=request, operation_name=_OPERATION)
            made = request.prepare()
            said = hooks.emit_until_response(f"before-send.sqs.{_OPERATION}", request=made)[1]
            answer = said or self._boto._endpoint.http_session.send(made)  # noqa: SLF001 - with its proxy and certificates
            return json.loads(answer.content) if answer.status_code == 200 else None
        except (BotoCoreError, ValueError):
            return None
