"""``python -m deployments.server PORT``: the Prefect server of this machine, with its UI, for this machine's own pages.

Prefect's app with what it has no setting for: the hosts it answers to, the pages that may ask it, the login by
a link. Its password, CSRF protection and allowed origins are settings of Prefect's, which `infra.ui` makes.
"""

import click
import uvicorn
from prefect.server.api.server import create_app
from prefect.settings import get_current_settings
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.sign_in import PATH, sign_in

HOST = "127.0.0.1"
# Names that no web site can have point at this machine.
HOSTS = ("127.0.0.1", "localhost")


@click.command()
@click.argument("port", type=int)
def main(port: int) -> None:
    """Serve until SIGTERM."""
    settings = get_current_settings().server
    uvicorn.run(
        guarded(dispatched(create_app(final=True), settings_auth())),
        host=HOST,
        port=port,
        timeout_keep_alive=settings.api.keepalive_timeout,
        ws_ping_interval=settings.api.websocket_ping_interval,
        ws_ping_timeout=settings.api.websocket_ping_timeout,
        log_level=settings.logging_level.lower(),
    )


def settings_auth() -> str:
    """The password that the server asks for.

    Raises:
        ClickException: it has none, and would do as any web page says.
    """
    secret = get_current_settings().server.api.auth_string
    if not secret or not secret.get_secret_value():
        raise click.ClickException("PREFECT_SERVER_API_AUTH_STRING is not set; start it with 'make up'")
    return secret.get_secret_value()


def dispatched(prefect: ASGIApp, auth: str) -> ASGIApp:
    """Prefect's app, and the page for signing in beside it."""
    page = sign_in(auth)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["type"] == "http" and scope["path"].startswith(PATH)
        await (page if ours else prefect)(scope, receive, send)

    return app


def guarded(app: ASGIApp) -> ASGIApp:
    """The app for requests that name this machine and come from its own pages, or from no page at all."""
    return TrustedHostMiddleware(OwnPages(app), allowed_hosts=HOSTS, www_redirect=False)


class OwnPages:
    """Refuses what a page of another origin asks, sockets too, and lets no page show these in a frame."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif _is_foreign(Headers(scope=scope)):
            await PlainTextResponse("another origin's pages have no business here", 403)(scope, receive, send)
        else:
            await self._app(scope, receive, _unframed(send))


def _is_foreign(headers: Headers) -> bool:
    """Whether a page asks that another host, port or protocol served; browsers say so, commands say nothing."""
    return any(origin != f"http://{headers['host']}" for origin in headers.getlist("origin"))


def _unframed(send: Send) -> Send:
    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["X-Frame-Options"] = "DENY"
        await send(message)

    return marked


if __name__ == "__main__":
    main()
