"""The Prefect server of a run: what one that lives as long as the run needs, and whether another one answers."""

import os
import re

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.proxies import no_proxy

# On a new Prefect home the server makes its database first: 20 s, Prefect's own limit, are too few on a busy machine.
START_SECONDS = 180
ANSWER_SECONDS = 5
# What Prefect reads on being imported, its tracing included.
_READ = ("PREFECT_", "OTEL_")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def prepare_environment() -> None:
    """Put into the environment what Prefect reads from it; call it before Prefect is imported.

    Raises:
        DataFactoryError: Prefect cannot be loaded here: a setting that it refuses, or a broken installation.
    """
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", str(START_SECONDS))
    os.environ.update(no_proxy(os.environ))
    if (secret := _set("PREFECT_SERVER_API_AUTH_STRING")) and not _set("PREFECT_API_URL"):
        # A server of our own takes its password from there; who starts it is to know it.
        os.environ["PREFECT_API_AUTH_STRING"] = secret
    try:
        import prefect.context  # noqa: F401, PLC0415 - it reads all settings
    except Exception as error:
        raise DataFactoryError(_not_loaded(error)) from error


def _not_loaded(error: Exception) -> str:
    said = " ".join(re.sub(r"For further information visit \S+", "", str(error)).split())
    read = {name: value for name, value in os.environ.items() if name.upper().startswith(_READ) and value}
    named = [name for name, value in read.items() if value.casefold() in said.casefold()]
    cure = f"unset {' or '.join(named)}" if named else "mend the installation: make .venv/.ready"
    return f"Prefect cannot be loaded ({type(error).__name__}: {said}); {cure}"


def check_server() -> None:
    """See in a few seconds that the server of ``PREFECT_API_URL`` answers and lets us in; without one, nothing.

    Raises:
        DataFactoryError: with the variable and the next move.
    """
    import httpx  # noqa: PLC0415
    from prefect.settings import PREFECT_API_URL  # noqa: PLC0415

    try:
        httpx.Client().close()
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        proxies = " ".join(f"{name}={value}" for name in _PROXIES if (value := _set(name)))
        raise DataFactoryError(f"{proxies}: Prefect cannot use it ({error}); unset it for this") from error
    if PREFECT_API_URL.value():
        _ask_server()


def _ask_server() -> None:
    import httpx  # noqa: PLC0415
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.settings import (  # noqa: PLC0415
        PREFECT_API_REQUEST_TIMEOUT,
        PREFECT_CLIENT_MAX_RETRIES,
        temporary_settings,
    )

    # Prefect would ask a server that is gone for a minute.
    once = {PREFECT_CLIENT_MAX_RETRIES: 0, PREFECT_API_REQUEST_TIMEOUT: ANSWER_SECONDS}
    try:
        with temporary_settings(once), get_client(sync_client=True) as client:
            client.hello()
            client.raise_for_api_version_mismatch()
    except httpx.HTTPStatusError as error:
        raise DataFactoryError(_refused(error.response.status_code)) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        said = str(error) or type(error).__name__
        raise DataFactoryError(
            f"{_address()}: nobody answers there ({said}); start that server, or {_forget()}"
        ) from error
    except (RuntimeError, ValueError) as error:
        raise DataFactoryError(f"{_address()}: no Prefect server of ours ({error}); {_forget()}") from error


def _refused(status: int) -> str:
    if status in {401, 403}:
        return (
            f"{_address()}: the server does not let us in ({status}); set PREFECT_API_AUTH_STRING (or, for Prefect "
            f"Cloud, PREFECT_API_KEY) to what it expects, or {_forget()}"
        )
    return f"{_address()}: no Prefect API there (status {status}); its address ends in /api; or {_forget()}"


def _address() -> str:
    """The setting, without a password that stands in it."""
    from prefect.settings import PREFECT_API_URL  # noqa: PLC0415

    return f"PREFECT_API_URL={re.sub(r'//[^/]*@', '//', PREFECT_API_URL.value())}"


def _forget() -> str:
    if _set("PREFECT_API_URL"):
        return "unset PREFECT_API_URL, and the run brings a server of its own"
    return "remove it where 'prefect config view' finds it, and the run brings a server of its own"


def _set(name: str) -> str:
    """The value of a variable; Prefect, like others, reads it in either case."""
    return next((value for key, value in os.environ.items() if key.upper() == name), "")
