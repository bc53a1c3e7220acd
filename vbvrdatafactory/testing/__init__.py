"""AWS in memory, to test what you build on the factory with: no network, no account, no waiting.

>>> from vbvrdatafactory.sqs.submitter import TaskSubmitter
>>> with in_memory_aws() as cloud:
...     done = TaskSubmitter().submit_tasks(["maze"], total_samples=50, batch_size=25, seed=7)
...     [str(message.indices) for message in cloud.messages()]
['0-24', '25-49']

It behaves as SQS and S3 do as far as the factory depends on them; the same tests run on this and on an emulator of
AWS. Time passes only when you advance the clock.
"""

from vbvrdatafactory.testing.clock import Clock
from vbvrdatafactory.testing.cloud import InMemoryAws, in_memory_aws
from vbvrdatafactory.testing.sqs import InMemorySqs

__all__ = ["Clock", "InMemoryAws", "InMemorySqs", "in_memory_aws"]
