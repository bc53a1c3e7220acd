"""A worker in a process of its own: takes batches as JSON in its one argument, appends how each ended to a file."""

import json
import sys
import time
from pathlib import Path

import obstore
from obstore.store import MemoryStore

from lambda_worker.batch import Worker
from lambda_worker.delivery import Delivery
from lambda_worker.failure import BatchFailed
from lambda_worker.generator import namespaces, processes, run
from lambda_worker.generator.limits import Limits
from lambda_worker.generator.sandbox import sweep
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.ranges import IndexRange, expand
from vbvrdatafactory.s3.listing import sizes, take_inventory


def main() -> None:
    asked = json.loads(sys.argv[1])
    store = MemoryStore()
    if asked["bare"]:
        namespaces.are_allowed = lambda: False
        run._LANDLOCK = None
    # As the handler does when it makes its worker.
    processes.prepare()
    sweep()
    worker = Worker(Path(asked["generators"]), lambda *_: store, limits=Limits(**asked["limits"]))
    for number, fields in enumerate(asked["batches"]):
        message = TaskMessage.model_validate(fields)
        started = time.monotonic()
        end: dict[str, object] = {"cause": None, "detail": ""}
        try:
            worker.process(Delivery(message, message.seed or 0, number + 1, asked["seconds"]))
        except BatchFailed as failed:
            end = {
                "cause": failed.cause,
                "detail": failed.detail,
                "exit_code": failed.exit_code,
                "stderr_tail": failed.stderr_tail,
            }
        missing = set(expand(take_inventory(store)[message.type].missing(IndexRange(0, 3000))))
        end["stored"] = [index for index in range(3000) if index not in missing]
        end["leaked"] = [
            key for key, _ in sizes(store, "") if asked["search"] and _holds(store, key, asked["search"])
        ]
        end["seconds"] = time.monotonic() - started
        with Path(asked["answers"]).open("a") as file:
            file.write(json.dumps(end) + "\n")


def _holds(store: MemoryStore, key: str, text: str) -> bool:
    return text.encode() in bytes(obstore.get(store, key).bytes())


if __name__ == "__main__":
    main()
