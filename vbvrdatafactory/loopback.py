"""Client settings for an endpoint on this machine, so that the user's configuration does not interfere.

No proxy of the environment is used, and botocore reads neither configuration files nor variables: those are meant for
a real account.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.session import Session
    from obstore.store import ClientConfig, S3Config

_FILES = {"config_file", "credentials_file"}

# botocore's `proxies`: an empty dict means none; None would mean those of the environment.
NO_PROXIES: dict[str, str] = {}

# obstore can't switch proxies off. A configured one overrides those of the environment, and is excluded for these hosts;
# "*" would not cover IP addresses.
WITHOUT_PROXY: ClientConfig = {
    "proxy_url": "http://127.0.0.1",
    "proxy_excludes": "localhost,127.0.0.0/8,::1",
}

# obstore takes any setting that is missing here from variables of the environment.
S3_AS_ANYWHERE: S3Config = {
    "disable_bulk_delete": False,
    "disable_tagging": False,
    "request_payer": False,
    "s3_express": False,
    "skip_signature": False,
    "unsigned_payload": False,
    "virtual_hosted_style_request": False,
}


def unconfigured_session() -> Session:
    """A botocore session that ignores the user's configuration files, profiles and variables."""
    from botocore.configprovider import ConstantProvider
    from botocore.loaders import Loader
    from botocore.session import Session

    session = Session(
        session_vars={
            # Without the names of the setting and the variable only the default remains.
            name: (None, None, os.devnull if name in _FILES else default, convert)
            for name, (_, _, default, convert) in Session.SESSION_VARIABLES.items()
        }
    )
    # The S3 settings are a section with variables of their own.
    session.get_component("config_store").set_config_provider("s3", ConstantProvider(None))
    session.get_component("data_loader").search_paths.remove(Loader.CUSTOMER_DATA_PATH)
    return session
