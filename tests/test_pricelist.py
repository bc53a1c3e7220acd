"""Lists of prices: ours, and those that somebody gives."""

import json
from pathlib import Path

import pytest

from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.pricelist import read_prices

OURS = sorted(path.stem for path in Path("vbvrdatafactory/data/prices").glob("*.json"))


@pytest.mark.parametrize("region", OURS)
def test_each_list_is_of_the_region_that_it_is_named_after(region) -> None:
    """And says of when its prices are."""
    prices = read_prices(region)
    assert prices.region == region
    assert str(prices.dated) in str(prices)
    assert 0 < prices.lambda_gb_second["arm64"] < prices.lambda_gb_second["x86_64"] < 0.001


def test_a_region_without_prices_is_refused_with_the_next_move() -> None:
    """Nobody is told another region's prices."""
    with pytest.raises(ConfigError, match=r"no prices of 'mars-1' \(us-east-1, .*PRICES_FILE"):
        read_prices("mars-1")


def test_a_file_takes_the_place_of_ours(tmp_path) -> None:
    """With one's own prices, of whatever region."""
    file = tmp_path / "prices.json"
    mine = json.loads(Path("vbvrdatafactory/data/prices/us-east-2.json").read_text())
    file.write_text(json.dumps({**mine, "region": "mars-1", "s3_gb_month": 9}))
    assert read_prices("us-east-2", file).s3_gb_month == 9


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no price list"),
        ('{"region": "x"}', "dated: Field required"),
        ("[]", "is no price list"),
    ],
)
def test_what_is_no_price_list_is_refused(tmp_path, text, said) -> None:
    """It names the file and the field."""
    file = tmp_path / "prices.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_prices("us-east-2", file)
    with pytest.raises(ConfigError, match="nowhere"):
        read_prices("us-east-2", tmp_path / "nowhere")


@pytest.mark.parametrize("price", ["-1", "NaN", "1e999", '"free"'])
def test_no_price_is_negative_or_no_number(tmp_path, price) -> None:
    """A budget could never be used up."""
    file = tmp_path / "prices.json"
    text = Path("vbvrdatafactory/data/prices/us-east-2.json").read_text()
    file.write_text(text.replace('"s3_gb_month": 0.023', f'"s3_gb_month": {price}'))
    with pytest.raises(ConfigError, match=r"s3_gb_month|no price list"):
        read_prices("us-east-2", file)


def test_a_price_list_has_both_architectures(tmp_path) -> None:
    """The other one is among the choices, and may be deployed."""
    ours = read_prices("us-east-2").model_copy(update={"lambda_gb_second": {"x86_64": 1e-5}})
    file = tmp_path / "prices.json"
    file.write_text(ours.model_dump_json())
    with pytest.raises(ConfigError, match="there is no price for arm64"):
        read_prices("us-east-2", file)
