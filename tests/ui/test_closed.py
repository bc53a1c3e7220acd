"""A page of another origin, in a browser that is signed in, can do nothing to what `make up` runs."""

import http.client
import json
import stat
from pathlib import Path
from typing import Any

import psutil
import pytest
from selenium.webdriver import Chrome

from infra.password import ensure
from tests.ui.pages import Page
from tests.ui.test_ui import deployment_id, runs_of
from vbvrdatafactory import aws

pytestmark = [pytest.mark.aws, pytest.mark.prefect, pytest.mark.slow]

# Tries one thing in the page and says how it went: what could be read, or that it was refused.
TRY = """
const [address, options, done] = arguments;
fetch(address, options || {}).then(
  async (answer) => done(`${answer.status} ${(await answer.text()).slice(0, 200)}`),
  (error) => done(`refused: ${error}`));
"""
LISTEN = """
const [address, protocols, first, done] = arguments;
const socket = new WebSocket(address, protocols);
socket.onopen = () => { if (first) socket.send(first); };
socket.onmessage = (message) => done(`heard ${message.data}`);
socket.onclose = (event) => done(`closed ${event.code}`);
"""
POST_FORM = """
const [address, name, value] = arguments;
const form = document.createElement("form");
form.method = "POST"; form.action = address; form.enctype = "text/plain";
const field = document.createElement("input"); field.name = name; field.value = value;
form.append(field); document.body.append(form); form.submit();
"""
FRAME = """
const frame = document.createElement("iframe"); frame.src = arguments[0];
frame.onload = () => arguments[1](frame.contentDocument === null ? "another's" : "none");
document.body.append(frame);
"""


@pytest.fixture
def elsewhere(signed_in, other_origin) -> Chrome:
    """A page of another origin, that of this test alone, in a browser whose user is signed in."""
    signed_in.switch_to.default_content()
    signed_in.get(other_origin)
    signed_in.set_script_timeout(30)
    return signed_in


def run_a_command(proof: Path) -> dict[str, Any]:
    """A flow run whose process would be a shell's."""
    return {"state": {"type": "SCHEDULED"}, "job_variables": {"command": f"touch {proof}"}}


@pytest.mark.browser
@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("application/json", "cors"),
        ("text/plain", "cors"),
        ("text/plain", "no-cors"),
        ("application/x-www-form-urlencoded", "no-cors"),
    ],
)
def test_another_page_starts_no_run(here, elsewhere, tmp_path, kind, mode) -> None:
    """Whatever content type it says, what it posts makes no run, and its command is not run."""
    proof = tmp_path / "proof"
    before = len(runs_of(here, "completeness-report/local"))
    address = f"{here.up.api}/deployments/{deployment_id(here, 'completeness-report/local')}/create_flow_run"
    body = json.dumps(run_a_command(proof))
    asked = {"method": "POST", "mode": mode, "headers": {"Content-Type": kind}, "body": body}
    said = elsewhere.execute_async_script(TRY, address, asked)
    assert said.startswith(("refused:", "0 "))
    assert len(runs_of(here, "completeness-report/local")) == before
    assert not proof.exists()


@pytest.mark.browser
def test_another_page_posts_no_form(here, elsewhere, tmp_path) -> None:
    """A form, which needs no leave of the server's, makes no run either."""
    before = len(runs_of(here, "completeness-report/local"))
    address = f"{here.up.api}/deployments/{deployment_id(here, 'completeness-report/local')}/create_flow_run"
    start, end = json.dumps({**run_a_command(tmp_path / "proof"), "x": "="}).split("=")
    elsewhere.execute_script(POST_FORM, address, start, end)
    Page(elsewhere).see("//*[contains(., 'another origin')]")
    assert len(runs_of(here, "completeness-report/local")) == before


@pytest.mark.browser
@pytest.mark.parametrize(
    "path", ["/api/health", "/api/admin/settings", "/api/csrf-token?client=me", "/ui-settings"]
)
def test_another_page_reads_nothing(here, elsewhere, path) -> None:
    """Not even whether the server is well."""
    assert elsewhere.execute_async_script(TRY, f"{here.up.page}{path}", None).startswith("refused:")


@pytest.mark.browser
def test_another_page_hears_no_events(here, elsewhere) -> None:
    """A socket is closed before a word is said, even for who knows the password."""
    address = here.up.api.replace("http", "ws") + "/events/out"
    first = json.dumps({"type": "auth", "token": here.auth})
    assert elsewhere.execute_async_script(LISTEN, address, "prefect", first) == "closed 1006"


@pytest.mark.browser
def test_another_page_shows_none_of_these_in_a_frame(here, elsewhere) -> None:
    """Its user can't be led to click in a form that it has put out of sight."""
    elsewhere.execute_async_script(FRAME, f"{here.up.page}/v2/dashboard")
    elsewhere.switch_to.frame(0)
    assert elsewhere.current_url != f"{here.up.page}/v2/dashboard"
    assert not elsewhere.find_elements("xpath", "//*[@id='root' or @id='app']")


@pytest.mark.browser
def test_another_page_does_nothing_to_the_embedded_aws(here, elsewhere) -> None:
    """Neither an object nor a message nor the button that deletes everything is within its reach."""
    config = here.up.aws.config
    queue, bucket = config.sqs_queue_url, config.output_bucket
    endpoint = config.aws_endpoint_url
    send = f"{queue}?Action=SendMessage&MessageBody=%7B%7D"
    for address, method in (
        (f"{endpoint}/{bucket}/planted", "PUT"),
        (f"{endpoint}/{bucket}?list-type=2", "GET"),
        (send, "POST"),
        (f"{endpoint}/_ministack/reset", "POST"),
        (f"{endpoint}/_ministack/health", "GET"),
    ):
        for mode in ("cors", "no-cors"):
            if method == "PUT" and mode == "no-cors":
                continue
            said = elsewhere.execute_async_script(TRY, address, {"method": method, "mode": mode})
            assert said.startswith(("refused:", "0 ")), address
    keys = [each["path"] for page in aws.bucket(config).list() for each in page]
    assert "planted" not in keys
    sqs = aws.client(config, "sqs")
    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert int(counts["ApproximateNumberOfMessages"]) == 0


def ask(here, path: str, method: str = "GET", **headers: str) -> int:
    connection = http.client.HTTPConnection(here.up.page.removeprefix("http://"), timeout=30)
    connection.request(method, path, headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "rebound.example"}, 400),
        ({"Host": "127.0.0.1.rebound.example:4200"}, 400),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://127.0.0.1"}, 403),
    ],
)
def test_a_name_or_a_page_of_others_is_refused(here, headers, status) -> None:
    """A web site whose name was pointed at this machine sends its own Host; a page of others its own Origin."""
    assert ask(here, "/api/health", **headers) == status


def test_nothing_is_told_without_the_password(here) -> None:
    """What reads or changes wants it, and what changes a token besides."""
    assert ask(here, "/api/admin/settings") == 401
    assert ask(here, "/api/flow_runs/filter", "POST") == 403
    assert ask(here, "/sign-in/code", "POST") == 401


def test_the_password_is_nowhere_to_be_seen(here) -> None:
    """It is in no command line and no log, and its file is its owner's alone."""
    secret = here.auth.partition(":")[2]
    lines = [" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"])]
    assert not [line for line in lines if secret in line]
    folder = here.checkout / ".datafactory"
    logs = [file.read_text(errors="replace") for file in folder.rglob("*.log*") if file.is_file()]
    assert logs
    assert not [text for text in [*logs, *here.said] if secret in text]
    password = folder / "ui" / "password"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert ensure(password) == here.auth


def test_generators_do_not_know_the_password(here) -> None:
    """Neither the embedded AWS nor what it runs has it in its environment."""
    embedded = psutil.Process(here.up.aws.pid)
    for process in [embedded, *embedded.children(recursive=True)]:
        assert not [name for name in process.environ() if name.startswith("PREFECT_")]
