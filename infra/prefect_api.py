"""The few calls to a Prefect server on this machine that starting and stopping it take; plain HTTP."""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from functools import cached_property
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from vbvrdatafactory.core.errors import DataFactoryError

# A proxy of the environment has no business between two processes of this machine.
_opener = build_opener(ProxyHandler({}))
_NOT_FOUND, _SERVER_FAULT = 404, 500


class PrefectError(DataFactoryError):
    """What the server answered instead of what was asked for; `status` is 0 where it gave no answer."""

    def __init__(self, asked: str, status: int, said: str) -> None:
        super().__init__(f"the Prefect server answered {asked} with {status or 'nothing'}: {said[:300]}")
        self.status = status


class PrefectApi:
    """A server under `url`, which ends in ``/api``.

    Args:
        auth: its password, ``user:password``.
    """

    def __init__(self, url: str, auth: str) -> None:
        self.url = url
        self._auth = auth
        self._client = secrets.token_hex(8)

    def answers(self) -> bool:
        """Whether a server is there, and takes the password: another checkout's may have got the port first."""
        try:
            return self.ask("/health") is True and bool(self.ask("/admin/version"))
        except PrefectError:
            return False

    def has_pool(self, pool: str) -> bool:
        return self.find(f"/work_pools/{pool}") is not None

    def has_worker(self, pool: str) -> bool:
        """Whether a Prefect worker looks after the pool."""
        workers = self.ask(f"/work_pools/{pool}/workers/filter", {})
        return any(worker["status"] == "ONLINE" for worker in workers)

    def runs(self, **wanted: object) -> list[dict[str, Any]]:
        """The flow runs that the filters let through.

        One whose parameters hold an integer beyond 64 bits makes the server fail on every list that it is in,
        but not when it is asked for alone.
        """
        try:
            return list(self.ask("/flow_runs/filter", wanted))
        except PrefectError as error:
            if error.status < _SERVER_FAULT:
                raise
        # The one list of runs without their parameters.
        return [self.ask(f"/flow_runs/{each['id']}") for each in self.ask("/ui/flow_runs/history", wanted)]

    def can_list_runs(self, **wanted: object) -> bool:
        try:
            self.ask("/flow_runs/filter", wanted)
        except PrefectError as error:
            if error.status < _SERVER_FAULT:
                raise
            return False
        return True

    def change_parameters(self, run: str, parameters: object) -> None:
        self.ask(f"/flow_runs/{run}", {"parameters": parameters}, method="PATCH")

    def end_run(self, run: str, state: dict[str, str]) -> None:
        self.ask(f"/flow_runs/{run}/set_state", {"state": state, "force": True})

    def sign_in_code(self) -> str:
        """What opens its UI once without asking for the password."""
        address = f"{self.url.removesuffix('/api')}/sign-in/code"
        return self._send(Request(address, b"", self._headers)).decode()  # noqa: S310

    def find(self, path: str) -> Any:  # noqa: ANN401 - what the server answers
        """What is under the path; None if there is nothing."""
        try:
            return self.ask(path)
        except PrefectError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    def ask(self, path: str, body: object = None, method: str = "POST") -> Any:  # noqa: ANN401 - as above
        """The answer to a GET, or to a POST of `body` or what else `method` says.

        Raises:
            PrefectError: there is none, or it is an error.
        """
        if body is None:
            request = Request(f"{self.url}{path}", headers=self._headers)  # noqa: S310
        else:
            data = json.dumps(body).encode()
            headers = {**self._headers, **self._csrf}
            request = Request(f"{self.url}{path}", data, headers, method=method)  # noqa: S310
        answer = self._send(request)
        return json.loads(answer) if answer else None

    @cached_property
    def _headers(self) -> dict[str, str]:
        sent = b64encode(self._auth.encode()).decode()
        return {"Content-Type": "application/json", "Authorization": f"Basic {sent}"}

    @cached_property
    def _csrf(self) -> dict[str, str]:
        given = self.ask(f"/csrf-token?client={self._client}")
        return {"Prefect-Csrf-Client": self._client, "Prefect-Csrf-Token": given["token"]}

    def _send(self, request: Request) -> bytes:
        asked = f"{request.get_method()} {request.selector}"
        try:
            with _opener.open(request, timeout=10) as response:
                return bytes(response.read())
        except HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")
            raise PrefectError(asked, error.code, said) from error
        except OSError as error:
            raise PrefectError(asked, 0, str(error)) from error
