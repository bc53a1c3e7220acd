"""The Prefect server of this machine: who may ask it, and the login by a link."""

from base64 import b64encode

import pytest
from click.testing import CliRunner
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket

from deployments import __main__ as deploy
from deployments.server import guarded
from deployments.sign_in import CODE_SECONDS, Codes, sign_in

AUTH = "datafactory:secret"
KNOWN = {"Authorization": f"Basic {b64encode(AUTH.encode()).decode()}"}


async def hello(_) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


APP = guarded(Starlette(routes=[Route("/", hello, methods=["GET", "POST"]), WebSocketRoute("/ws", socket)]))
# The test client's sockets name another.
HOST = {"Host": "127.0.0.1:4200"}
FOREIGN = [
    ({"Host": "rebound.example:4200"}, 400),
    ({"Host": "127.0.0.1.rebound.example"}, 400),
    ({"Host": "0.0.0.0:4200"}, 400),
    ({"Host": ""}, 400),
    ({"Origin": "http://127.0.0.1:4201"}, 403),
    ({"Origin": "http://localhost:4200"}, 403),
    ({"Origin": "https://127.0.0.1:4200"}, 403),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": ""}, 403),
]
OWN = [{}, {"Origin": "http://127.0.0.1:4200"}, {"Host": "localhost:9000", "Origin": "http://localhost:9000"}]


@pytest.mark.parametrize(("headers", "status"), FOREIGN)
def test_others_are_refused(headers, status) -> None:
    """Whoever names another host, or is a page of another origin, gets nothing, by request or by socket."""
    client = TestClient(APP, base_url="http://127.0.0.1:4200")
    assert client.get("/", headers=headers).status_code == status
    assert client.post("/", headers=headers).status_code == status
    socket = client.websocket_connect("/ws", headers=HOST | headers)
    with pytest.raises(WebSocketDenialResponse) as refused, socket:
        pass
    assert refused.value.status_code == status


@pytest.mark.parametrize("headers", OWN)
def test_own_pages_and_commands_are_served(headers) -> None:
    """The pages under either name and through a tunnel's port, and what sends no Origin; none in a frame."""
    client = TestClient(APP, base_url="http://127.0.0.1:4200")
    answer = client.post("/", headers=headers)
    assert (answer.status_code, answer.headers["X-Frame-Options"]) == (200, "DENY")
    with client.websocket_connect("/ws", headers=HOST | headers) as heard:
        assert heard.receive_text() == "hello"


def test_a_link_signs_in_once() -> None:
    """Its code gives the password to the page, which keeps it; a second time, or a guess, gives nothing."""
    client = TestClient(sign_in(AUTH))
    code = client.post("/sign-in/code", headers=KNOWN).text
    entered = client.post("/sign-in", content=code)
    assert f"Basic {entered.text}" == KNOWN["Authorization"]
    assert entered.headers["Cache-Control"] == "no-store"
    for used in (code, "", "x", "\xff"):
        refused = client.post("/sign-in", content=used)
        assert (refused.status_code, "make up" in refused.text) == (403, True)


@pytest.mark.parametrize("header", ["", "Basic", "Basic !", "Basic eDp5", f"Bearer {AUTH}", "Basic \xe9"])
def test_only_who_knows_the_password_is_given_a_link(header) -> None:
    """Nobody makes a link for himself; the page itself holds no secret."""
    client = TestClient(sign_in(AUTH))
    headers = {"Authorization": header.encode("latin-1")}
    assert client.post("/sign-in/code", headers=headers).status_code == 401
    assert "secret" not in client.get("/sign-in").text


def test_a_code_is_good_for_an_hour() -> None:
    """One that nobody used is worth nothing afterwards."""
    now = [0.0]
    codes = Codes(lambda: now[0])
    early, late = codes.new(), codes.new()
    now[0] = CODE_SECONDS - 1
    assert codes.use(early)
    now[0] = CODE_SECONDS + 1
    assert not codes.use(late)


@pytest.mark.parametrize(
    ("url", "auth", "is_ours"),
    [
        ("http://127.0.0.1:4200/api", AUTH, True),
        ("http://localhost:4200/api", AUTH, True),
        ("http://127.0.0.1:4200/api", "datafactory:other", False),
        ("http://127.0.0.1:4200/api", None, False),
        ("https://prefect.example/api", AUTH, False),
        ("https://127.0.0.1.example/api", AUTH, False),
    ],
)
def test_a_server_is_this_checkouts_by_its_password(url, auth, is_ours, tmp_path) -> None:
    """Another server on this machine has another; without a file there is none of this checkout's."""
    file = tmp_path / "password"
    assert not deploy.is_of_this_checkout(url, auth, file)
    file.write_text(f"{AUTH}\n")
    assert deploy.is_of_this_checkout(url, auth, file) is is_ours


def test_deploying_says_where_and_asks_before_it_changes_anothers_server() -> None:
    """Nobody there to ask: it refuses, with the way on; the address is told without what it hides."""
    with temporary_settings({PREFECT_API_URL: "https://u:hidden@prefect.example/api?key=hidden"}):
        refused = CliRunner().invoke(deploy.main)
    assert refused.exit_code == 1
    assert "Prefect server: https://prefect.example/api\n" in refused.output
    assert "--yes" in refused.output
    assert "hidden" not in refused.output


def test_deploying_nowhere_is_refused() -> None:
    """Without a server's address there is a line, not a server that ends with the command."""
    with temporary_settings(restore_defaults={PREFECT_API_URL, PREFECT_API_AUTH_STRING}):
        refused = CliRunner().invoke(deploy.main)
    assert refused.exit_code == 1
    assert "PREFECT_API_URL is not set" in refused.output
