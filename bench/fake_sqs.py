"""A loopback SQS that takes SendMessageBatch and remembers of each message that it came.

python -m bench.fake_sqs      prints the port it listens on
"""

import json
from hashlib import blake2b, md5

from bench.fake_server import FakeService, Request, command_line, response, serve

_JSON = b"application/x-amz-json-1.0"


class Queue(FakeService):
    """All queues as one: a digest is kept of every body, to tell messages from copies."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[bytes] = set()

    def answer(self, request: Request) -> bytes:
        """Every entry is taken."""
        entries = json.loads(request.body)["Entries"]
        self.counts["calls"] += 1
        self.counts["messages"] += len(entries)
        taken = [self._take(entry["Id"], entry["MessageBody"].encode()) for entry in entries]
        self.counts["distinct"] = len(self.seen)
        return response(b'{"Successful":[%b],"Failed":[]}' % ",".join(taken).encode(), _JSON)

    def _take(self, number: str, body: bytes) -> str:
        self.seen.add(blake2b(body, digest_size=8).digest())
        digest = md5(body, usedforsecurity=False).hexdigest()
        return f'{{"Id":"{number}","MessageId":"{len(self.seen)}","MD5OfMessageBody":"{digest}"}}'

    def forget(self) -> None:
        super().forget()
        self.seen.clear()


if __name__ == "__main__":
    command_line(__doc__).parse_args()
    serve(Queue())
