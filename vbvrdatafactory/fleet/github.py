"""Lists the repositories of GitHub organisations.

Without a token GitHub answers 60 requests an hour, and one lists a hundred repositories.
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.fleet.sources import Source

API = "https://api.github.com"
_PAGE = 100
# A limit that ends sooner than this is waited for.
_PATIENCE_SECONDS = 90.0
_TRIES = 4
_SECONDS = 30.0


class GitHub:
    """Asks GitHub's REST API.

    Args:
        token: a personal access token; empty asks without.
        api: its address.
        sleep: waits for some seconds.
        say: is told when it waits.
    """

    def __init__(
        self,
        token: str = "",
        *,
        api: str = API,
        sleep: Callable[[float], None] = time.sleep,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._client = httpx.Client(headers=headers, timeout=_SECONDS, follow_redirects=True)
        self._api, self._sleep, self._say, self._has_token = api.rstrip("/"), sleep, say, bool(token)

    def repositories(self, organisation: str) -> Iterator[Source]:
        """Every repository of an organisation, or of a user.

        Raises:
            DataFactoryError: there is none of that name, GitHub can't be reached, or its rate limit is used up.
        """
        url = f"{self._api}/orgs/{organisation}/repos?per_page={_PAGE}"
        answer = self._get(url)
        if answer.status_code == httpx.codes.NOT_FOUND:
            answer = self._get(f"{self._api}/users/{organisation}/repos?per_page={_PAGE}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            hint = "" if self._has_token else "; a private one needs GITHUB_TOKEN"
            raise DataFactoryError(f"GitHub has no organisation and no user {organisation!r}{hint}")
        while True:
            yield from _answer(answer)
            following = answer.links.get("next", {}).get("url")
            if not following:
                return
            answer = self._get(following)

    def _get(self, url: str) -> httpx.Response:
        for trial in range(_TRIES):
            try:
                answer = self._client.get(url)
            except httpx.HTTPError as error:
                if trial + 1 == _TRIES:
                    raise DataFactoryError(f"GitHub can't be reached at {url}: {error}") from error
                self._sleep(2.0**trial)
                continue
            if answer.status_code in {403, 429}:
                self._wait(answer)
            elif answer.status_code >= 500:
                self._sleep(2.0**trial)
            else:
                return answer
        return self._give_up(answer)

    def _wait(self, answer: httpx.Response) -> None:
        """Wait for the end of a rate limit; raises where it is far, or where it was none."""
        seconds = _seconds_to_wait(answer, time.time())
        if seconds is None or seconds > _PATIENCE_SECONDS:
            self._give_up(answer, seconds)
        else:
            self._say(f"GitHub's rate limit is used up; going on in {seconds:.0f} s")
            self._sleep(seconds)

    def _give_up(self, answer: httpx.Response, seconds: float | None = None) -> httpx.Response:
        if seconds is None:
            raise DataFactoryError(
                f"GitHub answered {answer.status_code} to {answer.url}: {answer.text[:200]}"
            )
        at = datetime.fromtimestamp(time.time() + seconds, UTC)
        hint = (
            ""
            if self._has_token
            else " Without a token it is 60 requests an hour; set GITHUB_TOKEN for 5,000."
        )
        raise DataFactoryError(
            f"GitHub's rate limit is used up until {at:%H:%M} UTC.{hint} Run the same again then."
        )


def _seconds_to_wait(answer: httpx.Response, now: float) -> float | None:
    """How long GitHub's rate limit lasts; None where the answer is about something else."""
    if after := answer.headers.get("retry-after", ""):
        return float(after) if after.isdigit() else None
    if answer.headers.get("x-ratelimit-remaining") == "0":
        return max(1.0, float(answer.headers.get("x-ratelimit-reset", now)) - now + 1)
    return None


def _answer(answer: httpx.Response) -> list[Source]:
    try:
        return [_source(found) for found in answer.raise_for_status().json()]
    except (httpx.HTTPStatusError, ValueError, TypeError, KeyError) as error:
        raise DataFactoryError(
            f"GitHub answered {answer.status_code} to {answer.url}, and no list of repositories: {answer.text[:200]!r}"
        ) from error


def _source(found: dict[str, Any]) -> Source:
    return Source(str(found["name"]), str(found["clone_url"]), int(found.get("size") or 0) // 1024)
