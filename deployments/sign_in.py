"""The login of the Prefect UI by a link that is good once: no password to find, none in a log or a history.

Prefect's UI asks for the password in a page of its own and keeps it in the browser, where its page is the only one
to read it. The page here puts it there. Its link holds a code behind ``#``, which browsers send to nobody.
"""

import hmac
import secrets
import time
from base64 import b64decode, b64encode
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

PATH = "/sign-in"
CODE_SECONDS = 3600.0
_NEVER_KEPT = {"Cache-Control": "no-store"}
# The key of the browser's storage is Prefect's.
_PAGE = """<!doctype html>
<meta charset="utf-8"><title>Signing in</title>
<p id="said" style="font-family: sans-serif; margin: 3em">Signing in …</p>
<script>
const code = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
fetch(location.pathname, {method: "POST", body: code}).then(async (answer) => {
  const text = await answer.text();
  if (!answer.ok) { document.getElementById("said").textContent = text; return; }
  localStorage.setItem("prefect-password", text);
  location.replace("/");
});
</script>
"""


class Codes:
    """The codes of links given out and not yet used."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._until: dict[str, float] = {}

    def new(self) -> str:
        """A code that is good once, for an hour."""
        self._until = {code: end for code, end in self._until.items() if end > self._now()}
        code = secrets.token_urlsafe(24)
        self._until[code] = self._now() + CODE_SECONDS
        return code

    def use(self, code: str) -> bool:
        """Whether the code was good; it no longer is."""
        return self._until.pop(code, 0.0) > self._now()


def sign_in(auth: str, codes: Codes | None = None) -> Starlette:
    """The page, what it posts its code to, and, for who knows the password, the codes."""
    known = codes or Codes()

    async def show(request: Request) -> Response:
        del request
        return HTMLResponse(_PAGE, headers=_NEVER_KEPT)

    async def enter(request: Request) -> Response:
        if known.use((await request.body()).decode(errors="replace")):
            return PlainTextResponse(_encoded(auth), headers=_NEVER_KEPT)
        told = (
            "This link was used before or is more than an hour old: 'make up', said again, prints a new one."
        )
        return PlainTextResponse(told, status_code=403)

    async def give(request: Request) -> Response:
        if _is_known(request.headers.get("Authorization", ""), auth):
            return PlainTextResponse(known.new(), headers=_NEVER_KEPT)
        return PlainTextResponse("Unauthorized", status_code=401)

    return Starlette(
        routes=[
            Route(PATH, show, methods=["GET"]),
            Route(PATH, enter, methods=["POST"]),
            Route(f"{PATH}/code", give, methods=["POST"]),
        ]
    )


def _encoded(auth: str) -> str:
    return b64encode(auth.encode()).decode()


def _is_known(header: str, auth: str) -> bool:
    scheme, _, sent = header.partition(" ")
    try:
        return scheme == "Basic" and hmac.compare_digest(b64decode(sent), auth.encode())
    except ValueError:  # it is not base64
        return False
