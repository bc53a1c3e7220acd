"""Reads the price list of a region: one of ours, or a file that somebody gives in its place."""

from pathlib import Path

from pydantic import ValidationError

from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.planning.prices import Prices

_OURS = Path(__file__).with_name("data") / "prices"


def read_prices(region: str, file: Path | None = None) -> Prices:
    """The prices of a region.

    Args:
        region: its name.
        file: read this file instead, whatever region it is of.

    Raises:
        ConfigError: there is none, or it is no price list.
    """
    path = file or _OURS / f"{region}.json"
    try:
        text = path.read_bytes()
    except OSError as error:
        known = ", ".join(sorted(one.stem for one in _OURS.glob("*.json")))
        raise ConfigError(
            f"there are no prices of {region!r} ({known} have some); give a file with PRICES_FILE, made after one of these"
            if file is None
            else f"the prices {str(file)!r} can't be read: {error.strerror}; check PRICES_FILE"
        ) from error
    try:
        return Prices.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{str(path)!r} is no price list: {where}: {first['msg']}") from error
