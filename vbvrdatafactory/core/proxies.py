"""A proxy of the environment has no business between two processes of this machine."""

from collections.abc import Mapping

HOSTS = ("127.0.0.1", "localhost", "::1")


def no_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that keep an environment's proxies away from this machine; its own exceptions stay.

    Programs differ in the spelling they read, so both say the same.
    """
    said = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    hosts = [host.strip() for host in said.split(",") if host.strip()]
    value = ",".join(dict.fromkeys([*hosts, *HOSTS]))
    return {"NO_PROXY": value, "no_proxy": value}
