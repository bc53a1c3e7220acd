"""SendMessageBatch with a boto3 client's signer and settings, without botocore's service model.

botocore spends half of a call on building, validating and parsing what is fixed here, and its threads contend
for the interpreter lock meanwhile: 100,000 messages are 10,000 calls (measured by `bench/control.py submit`). Only
an HTTP 200 is taken this way. After anything else the boto3 client makes the same call, with its own retries, and
raises its own errors.
"""

import json
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSRequest
from botocore.client import BaseClient
from botocore.exceptions import BotoCoreError, SSLError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef, SendMessageBatchResultTypeDef

_OPERATION = "SendMessageBatch"
# As botocore's clients have it: headers and body are two writes, and the second must not wait for an ACK.
_NO_DELAY = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
_HEADERS = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{_OPERATION}"}


class DirectSender:
    """Sends batches for `client`, which may be used by many threads at once.

    Args:
        client: a boto3 SQS client. For any other object with its methods, every call is the object's own.
    """

    def __init__(self, client: "SQSClient") -> None:
        self._client = client
        self._http: URLLib3Session | None = _http_session(client) if isinstance(client, BaseClient) else None

    def send_message_batch(
        self, queue_url: str, entries: "Sequence[SendMessageBatchRequestEntryTypeDef]"
    ) -> "SendMessageBatchResultTypeDef":
        """Send up to ten entries; the response has each under ``Successful`` or ``Failed``.

        Raises:
            ClientError, BotoCoreError: raised by the client.
        """
        response = self._send(self._http, queue_url, entries) if self._http else None
        return response or self._client.send_message_batch(QueueUrl=queue_url, Entries=entries)

    def _send(self, http: URLLib3Session, queue_url: str, entries: Sequence[Any]) -> Any:  # noqa: ANN401 - JSON
        """The parsed body of an HTTP 200, else None."""
        body = json.dumps({"QueueUrl": queue_url, "Entries": entries}).encode()
        meta: Any = self._client.meta  # its stubs don't have `user_agent`
        headers = {**_HEADERS, "User-Agent": meta.config.user_agent}
        request = AWSRequest("POST", meta.endpoint_url, headers, body)
        try:
            # The client signs in a handler of the first event. A handler of the second, such as moto's, may respond.
            meta.events.emit(f"request-created.sqs.{_OPERATION}", request=request, operation_name=_OPERATION)
            prepared = request.prepare()
            handled = meta.events.emit_until_response(f"before-send.sqs.{_OPERATION}", request=prepared)[1]
            response = handled or http.send(prepared)
            return json.loads(response.content) if response.status_code == 200 else None
        except SSLError:
            # A CA bundle of the client's configuration is known to the client alone.
            self._http = None
        except (BotoCoreError, ValueError):
            pass
        return None


def _http_session(client: BaseClient) -> URLLib3Session:
    """Connections with the proxies, timeouts, client certificate and pool size of the client's configuration."""
    config: Any = client.meta.config  # its stubs have none of these
    proxies = get_environ_proxies(client.meta.endpoint_url) if config.proxies is None else config.proxies
    settings: dict[str, Any] = {
        "proxies": proxies,
        "proxies_config": config.proxies_config,
        "client_cert": config.client_cert,
        "timeout": (config.connect_timeout, config.read_timeout),
        "max_pool_connections": config.max_pool_connections,
        "socket_options": _NO_DELAY,
    }
    return URLLib3Session(**settings)
