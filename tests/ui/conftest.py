"""What `make up` starts, in a folder of its own, and a browser that sees nothing but this machine."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
from prefect.client.orchestration import SyncPrefectClient
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from infra import paths
from infra.prefect_api import PrefectApi
from infra.ui import PrefectHere, Up
from tests.ui.pages import Page

Prefect = Callable[..., subprocess.CompletedProcess[str]]


class Here(NamedTuple):
    """All of it running."""

    checkout: Path
    prefect: PrefectHere
    up: Up
    said: list[str]

    def ask(self) -> SyncPrefectClient:
        return SyncPrefectClient(self.up.api, auth_string=self.auth)

    @property
    def auth(self) -> str:
        return self.prefect.variables()["PREFECT_API_AUTH_STRING"]

    @property
    def plain(self) -> PrefectApi:
        return PrefectApi(self.up.api, self.auth)


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    """A checkout with a state of its own: its deployments, automations and generators are this one's."""
    checkout = tmp_path_factory.mktemp("checkout")
    for name in ("prefect.yaml", "automations", "generators"):
        (checkout / name).symlink_to(paths.CHECKOUT / name)
    prefect, said = PrefectHere(checkout), list[str]()
    with pytest.MonkeyPatch.context() as shell:
        # What the shell says of a real account must not lead the deployments called local there.
        for name in ("SQS_QUEUE_URL", "SQS_DLQ_URL", "AWS_ENDPOINT_URL"):
            shell.setenv(name, "http://127.0.0.1:9/elsewhere")
        shell.setenv("OUTPUT_BUCKET", "elsewhere")
        up = prefect.up(said.append)
    try:
        yield Here(checkout, prefect, up, said)
    finally:
        prefect.down()


@pytest.fixture
def second_terminal(here: Here) -> Prefect:
    """The prefect command as a person runs it there, after `eval "$(datafactory ui env)"`."""
    known = {
        **here.prefect.variables(),
        "PREFECT_HOME": str(here.checkout / "person"),
        "PWD": str(here.checkout),
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        mine = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        return subprocess.run(
            [sys.executable, "-m", "prefect", *arguments],
            cwd=here.checkout,
            env={**mine, **known},
            capture_output=True,
            text=True,
            timeout=180,
        )

    return run


@pytest.fixture
def other_origin(tmp_path: Path) -> Iterator[str]:
    """A page of somebody else's, on another port of this machine: for a browser another origin."""
    (tmp_path / "index.html").write_text("<!doctype html><title>elsewhere</title>")
    serve = partial(QuietHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def browser() -> Iterator[webdriver.Chrome]:
    """A browser of the test's own."""
    with _chromium() as started:
        yield started


@pytest.fixture(scope="module")
def signed_in(here: Here) -> Iterator[webdriver.Chrome]:
    """A browser whose user is signed in; each test of the module opens its own page in it."""
    with _chromium() as started:
        Page(started).sign_in(here.up.page, here.plain.sign_in_code())
        yield started


@contextmanager
def _chromium() -> Iterator[webdriver.Chrome]:
    """The installed Chromium, without a screen; where it must be there (CI=true), its absence is a failure."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        tell = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        tell("no chromium and chromedriver here: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless=new",
        "--no-sandbox",  # which root may not have
        "--disable-dev-shm-usage",
        "--window-size=1300,1250",
        # The UI has a script that reports to its maker.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    ):
        options.add_argument(argument)
    started = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield started
    finally:
        started.quit()
