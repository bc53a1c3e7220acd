"""What every test stands on: no way to a real AWS account, and examples that do not depend on luck."""

import base64
import json
import logging
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import obstore
import pytest
from botocore.loaders import JSONFileLoader, Loader, create_loader
from hypothesis import settings
from obstore.store import MemoryStore
from xdist.scheduler import LoadFileScheduling

from vbvrdatafactory.testing import InMemoryAws, in_memory_aws

# A shell in the background has its children ignore Ctrl-C, and they their own: tests that send it need it heard.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples on every run; `--hypothesis-profile explore` looks for new ones.
settings.register_profile("suite", deadline=None, derandomize=True, database=None, max_examples=60)
settings.register_profile("explore", deadline=None, database=None, max_examples=1000)
settings.load_profile("suite")


class _ParsedOnce(JSONFileLoader):
    """Parses each of botocore's descriptions of services once for all sessions; it does so for each, in 50 ms."""

    load_file = staticmethod(cache(JSONFileLoader().load_file))


def _create_loader(search_path: str | None = None) -> Loader:
    made = create_loader(search_path)
    # Not for moto's own loader, which changes what it has loaded.
    made.file_loader = _ParsedOnce()
    return made


botocore.session.create_loader = _create_loader

# Tests below these start servers once for all: a Prefect server takes 10 s, and what `make up` starts 20.
_SHARING_SERVERS = ("tests/integration/", "tests/ui/")


class _FilesOrFolders(LoadFileScheduling):
    """Gives each file to one process, and all files of a folder whose tests share servers to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return next((folder for folder in _SHARING_SERVERS if file.startswith(folder)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """What ``--dist loadfile`` means here."""
    return _FilesOrFolders(config, log) if config.getvalue("dist") == "loadfile" else None


BEFORE = Path(__file__).parent / "data" / "bucket-of-0.1.0"

_DUMMIES = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",  # a key that no account has
    "AWS_EC2_METADATA_DISABLED": "true",
}
_ADDRESSES = (
    "AWS_ENDPOINT_URL",
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
    "DATAFACTORY_ENV_FILE",
    "GENERATORS_PATH",
    "OUTPUT_BUCKET",
    "SQS_DLQ_URL",
    "SQS_QUEUE_URL",
)


@pytest.fixture(autouse=True)
def _no_real_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the developer's shell says, a test has dummy keys and no address but its own."""
    for name in _ADDRESSES:
        monkeypatch.delenv(name, raising=False)
    for name, value in _DUMMIES.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def cloud() -> Iterator[InMemoryAws]:
    """An AWS in memory, in place of AWS: every client and address is its own."""
    with in_memory_aws() as made:
        yield made


@pytest.fixture
def run_log(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """Where tasks log that are called as functions, outside of any Prefect run."""
    log = logging.getLogger("run")
    for module in ("tasks.artifacts", "tasks.dataset", "tasks.lock", "tasks.releases", "tasks.services"):
        monkeypatch.setattr(f"{module}.get_run_logger", lambda: log)
    return log


@pytest.fixture
def bucket_of_before() -> MemoryStore:
    """A bucket as version 0.1.0 left it, before records said by which schema they are written.

    Two generators, twelve samples each in batches of four. Of A-1_good all was made, the last batch as an archive,
    and samples 1 and 6 were lost. Of A-2_crashes the first batch was made, its receipt has the name that receipts
    had before their seeds were in it, and sample 2 was lost; the second batch crashed, the third was never made.
    """
    store = MemoryStore()
    for key, held in json.loads((BEFORE / "bucket.json").read_text()).items():
        data = held["text"].encode() if "text" in held else base64.b64decode(held["base64"])
        obstore.put(store, key, data)
    return store


@pytest.fixture
def facts_of_before() -> dict[str, Any]:
    """What version 0.1.0 planned, sent and reported of that bucket, and the digests of the files that were lost."""
    found: dict[str, Any] = json.loads((BEFORE / "facts.json").read_text())
    return found
