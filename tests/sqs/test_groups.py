"""Messages carry their generator as a group, so that SQS is fair between generators."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.sqs.submitter import TaskSubmitter

NAMES = ("O-1_first", "O-2 with spaces", "x" * 200)
MESSAGES = [TaskMessage(type=name, num_samples=1, start_index=start) for name in NAMES for start in range(4)]


class Endpoint:
    """Takes messages; refuses groups where it is told to, as a call or entry by entry."""

    def __init__(self, refuses: str = "") -> None:
        self.refuses = refuses
        self.taken: list[Any] = []

    def send_message_batch(self, **asked: Any) -> dict[str, Any]:
        entries = asked["Entries"]
        text = "The parameter MessageGroupId cannot be used"
        grouped = [entry for entry in entries if "MessageGroupId" in entry]
        if grouped and self.refuses == "call":
            response = {"Error": {"Code": "InvalidParameterValue", "Message": text}}
            raise ClientError({**response, "ResponseMetadata": {"HTTPStatusCode": 400}}, "SendMessageBatch")
        if grouped and self.refuses == "entries":
            failed = [{"Id": e["Id"], "Code": "X", "Message": text, "SenderFault": True} for e in grouped]
            return {"Failed": failed, "Successful": []}
        self.taken += entries
        return {"Successful": [{"Id": entry["Id"]} for entry in entries]}


def test_each_generator_is_a_group() -> None:
    """A name that SQS takes is the group itself; one that it does not take has a group of its own all the same."""
    endpoint = Endpoint()
    assert TaskSubmitter("q", client=endpoint).submit(MESSAGES).sent == 12
    groups = {entry["MessageGroupId"] for entry in endpoint.taken}
    assert (len(groups), NAMES[0] in groups) == (3, True)
    assert all(len(group) <= 128 and " " not in group for group in groups)


@pytest.mark.parametrize("refuses", ["call", "entries"])
def test_an_endpoint_that_knows_no_groups_takes_them_without(refuses: str) -> None:
    """Nothing breaks, and each message is sent once."""
    endpoint = Endpoint(refuses)
    result = TaskSubmitter("q", client=endpoint, threads=1, pause=0).submit(MESSAGES)
    assert (result.sent, result.unsent, len(endpoint.taken)) == (12, [], 12)
    assert not any("MessageGroupId" in entry for entry in endpoint.taken)
