"""What this worker is, for receipts: its version, a digest of its code, and its image where that is known."""

import os
from functools import lru_cache
from pathlib import Path

from vbvrdatafactory.files import code_digest


@lru_cache(maxsize=1)
def worker_version() -> str:
    """As in ``0.1.0 3f2a9c01b7de``, and the image's digest after it where the environment's ``IMAGE_DIGEST`` says it.

    The version is missing where the worker runs without having been installed.
    """
    # Importing it takes longer than reading it, and a handler that starts makes no receipt.
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        installed = version("vbvrdatafactory")
    except PackageNotFoundError:
        installed = ""
    digest = (code_digest(Path(__file__).parent) or "")[:12]
    return " ".join(filter(None, (installed, digest, os.environ.get("IMAGE_DIGEST", ""))))
