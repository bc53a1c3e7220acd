"""The environment in which pip and uv install into `.venv`: what is installed goes by the lock alone.

Of the user's settings those count that say where packages come from, and how that place is reached. Like
`infra.installation`, it runs before there is an environment and imports nothing but Python's own.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Where packages come from and how that place is reached; everything else pip and uv take from the lock and from us.
_PIP_KEPT = (
    "index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "cert", "client-cert", "proxy",
    "timeout", "default-timeout", "retries", "keyring-provider", "cache-dir", "no-cache-dir",
)  # fmt: skip
_UV_KEPT = (
    "index", "default-index", "index-url", "extra-index-url", "find-links", "no-index", "index-strategy",
    "insecure-host", "keyring-provider", "credentials-dir", "http-timeout", "http-retries", "cache-dir", "no-cache",
    "concurrent-downloads",
)  # fmt: skip
_KEPT_OUT = ("PIP_", "UV_", "PYTHON", "HATCH_", "CONDA_")
_ALONE_KEPT_OUT = ("VIRTUAL_ENV", "SOURCE_DATE_EPOCH", "__PYVENV_LAUNCHER__")
_CERTIFICATES = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "PIP_CLIENT_CERT",
)


def installer_environment(
    outer: Mapping[str, str], pip: Mapping[str, str], tables: Iterable[Mapping[str, Any]]
) -> dict[str, str]:
    """The environment in which pip and uv install into .venv.

    `pip` are the settings of pip's own files, `tables` those of uv's, the more important first.
    """
    kept = {name: value for name, value in outer.items() if not _is_kept_out(name)}
    for name in _CERTIFICATES:
        if name in kept and not Path(kept[name]).exists():
            _say(f"{name}={kept.pop(name)} is not there; installing without it")
    if "TMPDIR" in kept and not os.access(kept["TMPDIR"], os.W_OK):
        del kept["TMPDIR"]
    for name, value in pip.items():
        kept.setdefault(f"PIP_{name.upper().replace('-', '_')}", value)
    for table in tables:
        kept = {**_uv_variables(table), **kept}
    kept = {**_as_pip(kept), **kept}
    ours = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        # A proxy's certificate authority is often known to the system alone; pip asks it too.
        "UV_SYSTEM_CERTS": "1",
    }
    return {**kept, **ours, **({} if _has_cache(kept) else {"UV_NO_CACHE": "1", "PIP_NO_CACHE_DIR": "1"})}


def _is_kept_out(name: str) -> bool:
    for prefix, kept in (("PIP_", _PIP_KEPT), ("UV_", _UV_KEPT)):
        if name.startswith(prefix) and name.removeprefix(prefix).lower().replace("_", "-") in kept:
            return False
    if name.startswith("UV_INDEX_") and name.endswith(("_USERNAME", "_PASSWORD")):
        return False
    return name.startswith(_KEPT_OUT) or name in _ALONE_KEPT_OUT


def _as_pip(environment: Mapping[str, str]) -> dict[str, str]:
    """Who told pip alone where packages are means it for uv as well."""
    if any(name.startswith(("UV_INDEX", "UV_DEFAULT_INDEX", "UV_NO_INDEX")) for name in environment):
        return {}
    same = {
        "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
        "PIP_TRUSTED_HOST": "UV_INSECURE_HOST",
        "PIP_CERT": "SSL_CERT_FILE",
    }
    if environment.get("PIP_NO_INDEX"):
        same |= {"PIP_NO_INDEX": "UV_NO_INDEX", "PIP_FIND_LINKS": "UV_FIND_LINKS"}
    found = {uv: environment[pip] for pip, uv in same.items() if environment.get(pip)}
    if proxy := environment.get("PIP_PROXY"):
        found |= {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}
    return found


def _uv_variables(table: Mapping[str, Any]) -> dict[str, str]:
    """What a uv.toml says about where packages are, as the variables of the same meaning."""
    settings = {**table, **table.get("pip", {})}
    found = {
        f"UV_{name.upper().replace('-', '_')}": _as_variable(settings[name])
        for name in _UV_KEPT
        if name in settings and name != "index"
    }
    if hosts := settings.get("allow-insecure-host"):
        found["UV_INSECURE_HOST"] = _as_variable(hosts)
    for index in settings.get("index", []):
        if not index.get("explicit"):
            where = f"{index['name']}={index['url']}" if "name" in index else index["url"]
            name = "UV_DEFAULT_INDEX" if index.get("default") else "UV_INDEX"
            found[name] = f"{found[name]} {where}" if name == "UV_INDEX" and name in found else where
    return found


def _as_variable(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _has_cache(environment: Mapping[str, str]) -> bool:
    """Whether uv can write its cache: a user may have no home, or none to write in."""
    home = environment.get("XDG_CACHE_HOME") or environment.get("HOME") or str(Path.home())
    folder = Path(environment.get("UV_CACHE_DIR") or home)
    place = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        # To be asked for is not enough: root may write everywhere, and yet cannot in some places.
        with tempfile.TemporaryDirectory(dir=place):
            return True
    except OSError:
        return False


def pip_settings(venv: Path) -> dict[str, str]:
    """What the files of pip's configuration say about where packages are, by option."""
    kept = {name: value for name, value in os.environ.items() if not _is_kept_out(name)}
    if file := os.environ.get("PIP_CONFIG_FILE"):
        kept["PIP_CONFIG_FILE"] = file
    # `user = true` in a file would be taken for the option of this command that shows the user's file alone.
    environment = {**kept, "PIP_USER": "0", "PIP_GLOBAL": "0", "PIP_SITE": "0"}
    command = [
        str(venv / "bin" / "python"),
        "-I",
        "-m",
        "pip",
        "--disable-pip-version-check",
        "config",
        "list",
    ]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if shown.returncode:
        sys.exit(f"pip cannot read its settings: {shown.stderr.strip()}")
    found: dict[str, str] = {}
    for line in shown.stdout.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.partition(".")
        if section in {"global", "install"} and name in _PIP_KEPT:
            found[name] = str(ast.literal_eval(value))
    return found


def uv_tables(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """The user's and the machine's uv.toml, the more important first."""
    import tomllib  # noqa: PLC0415 - an older Python gets as far as `check`

    home = Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    files = [home / "uv" / "uv.toml", Path("/etc/xdg/uv/uv.toml"), Path("/etc/uv/uv.toml")]
    if "UV_CONFIG_FILE" in environment:
        files = [Path(environment["UV_CONFIG_FILE"])]
    try:
        return [tomllib.loads(file.read_text()) for file in files if os.access(file, os.R_OK)]
    except ValueError as error:
        sys.exit(f"uv.toml cannot be read: {error}; it is one of {', '.join(map(str, files))}")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
