"""The picture of samples over time."""

import base64
import re
from itertools import pairwise
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.planning.forecast import Remaining
from vbvrdatafactory.report.charts import Curve, Point, data_uri, draw


def curve_of(points: list[tuple[float, int]]) -> Curve:
    curve = Curve()
    for at, done in points:
        curve.add(at, done)
    return curve


lefts = st.none() | st.lists(st.floats(0, 10**7), min_size=3, max_size=3).map(lambda s: Remaining(*sorted(s)))


@given(st.lists(st.tuples(st.floats(0, 10**6), st.integers(0, 500)), max_size=30), st.integers(0, 500), lefts)
def test_any_run_gives_a_picture_that_stays_inside_its_frame(
    points: list[tuple[float, int]], total: int, left: Remaining | None
) -> None:
    """Well-formed SVG; no point to the left, to the right, above or below."""
    points = [(at, min(done, total)) for at, done in sorted(points)]
    drawn = ET.fromstring(draw(curve_of(points), total, left))
    for shape in drawn.iter():
        pairs = re.findall(r"([-\d.]+|nan|inf),([-\d.]+|nan|inf)", shape.get("points", ""))
        assert all(0 <= float(x) <= 720 and 0 <= float(y) <= 200 for x, y in pairs)


def test_a_long_run_stays_small_and_keeps_its_ends() -> None:
    """Thirty thousand looks: a few hundred points, evenly spread, the first and the last among them."""
    curve = curve_of([(15.0 * n, n) for n in range(30_000)])
    points = curve.points
    assert (points[0], points[-1]) == (Point(0.0, 0), Point(15.0 * 29_999, 29_999))
    assert 60 < len(points) < 250
    apart = [b.at - a.at for a, b in pairwise(points[:-1])]
    assert max(apart) < 3 * min(apart)
    assert len(draw(curve, 40_000, None)) < 12_000


def test_the_forecast_is_drawn_as_far_as_it_is_known() -> None:
    """A dashed line to the likely end, and none without a forecast."""
    curve = curve_of([(0.0, 0), (60.0, 100)])
    assert 'stroke-dasharray="5 5"' in draw(curve, 1000, Remaining(400.0, 540.0, 700.0))
    assert "in about 9 min" in draw(curve, 1000, Remaining(400.0, 540.0, 700.0))
    assert 'stroke-dasharray="5 5"' not in draw(curve, 1000, None)


def test_the_address_holds_the_picture() -> None:
    """Base64, so that no character of it can break the Markdown around it."""
    svg = draw(curve_of([(0.0, 1)]), 3, None)
    kind, data = data_uri(svg).split(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(data).decode() == svg
