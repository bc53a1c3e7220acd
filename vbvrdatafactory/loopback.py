"""What clients of an endpoint on this machine are told, so that nothing of the user's comes between.

No proxy is asked, whatever the environment says; and botocore reads no configuration of the user's, neither
a file nor a variable: what is set there is meant for a real account.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.session import Session
    from obstore.store import ClientConfig, S3Config

_FILES = {"config_file", "credentials_file"}

# For botocore's `proxies`: none, where None would be those of the environment.
NO_PROXIES: dict[str, str] = {}

# obstore has no word for "no proxy". One that is named keeps it from those of the environment, and is not
# asked for these; "*" would leave out addresses.
WITHOUT_PROXY: ClientConfig = {
    "proxy_url": "http://127.0.0.1",
    "proxy_excludes": "localhost,127.0.0.0/8,::1",
}

# obstore lets variables of the environment fill in what is not said here.
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
    """A botocore session that reads none of the user's files, profiles and variables."""
    from botocore.configprovider import ConstantProvider
    from botocore.loaders import Loader
    from botocore.session import Session

    session = Session(
        session_vars={
            # Without the names of a setting and of a variable the default is all that is left.
            name: (None, None, os.devnull if name in _FILES else default, convert)
            for name, (_, _, default, convert) in Session.SESSION_VARIABLES.items()
        }
    )
    # A section of its own, with variables of its own.
    session.get_component("config_store").set_config_provider("s3", ConstantProvider(None))
    session.get_component("data_loader").search_paths.remove(Loader.CUSTOMER_DATA_PATH)
    return session
