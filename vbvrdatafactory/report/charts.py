"""A chart of samples over time with the forecast, as a self-contained SVG."""

from base64 import b64encode
from collections.abc import Iterable
from typing import NamedTuple

from vbvrdatafactory.core.escaping import for_html
from vbvrdatafactory.core.humanize import format_duration, format_estimate
from vbvrdatafactory.planning.forecast import Remaining

# More points than pixels would not be visible.
_MOST_POINTS = 240
_WIDTH, _HEIGHT = 720, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 12, 12, 26, 24
# Room beyond the likely end.
_BEYOND = 1.04


class Point(NamedTuple):
    """What was done at `at` seconds."""

    at: float
    done: float


class Curve:
    """Points in order of time, thinned out evenly when they are many."""

    def __init__(self) -> None:
        self._points: list[Point] = []
        self._last: Point | None = None
        self._least_apart = 0.0

    def add(self, at: float, done: int) -> None:
        """Add a point; one that is too close to the last is replaced by the next."""
        self._last = Point(at, done)
        if not self._points or at - self._points[-1].at >= self._least_apart:
            self._points.append(self._last)
        if len(self._points) > _MOST_POINTS:
            self._points = self._points[::2]
            self._least_apart = 2 * (at - self._points[0].at) / _MOST_POINTS

    @property
    def points(self) -> list[Point]:
        """The points that are kept, and the last one."""
        return (
            self._points if not self._last or self._last in self._points[-1:] else [*self._points, self._last]
        )


class _Scale(NamedTuple):
    """Converts seconds and samples to coordinates."""

    since: float
    seconds: float
    total: float

    def x(self, at: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (at - self.since) / self.seconds

    def y(self, done: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * done / self.total

    def line(self, points: Iterable[Point]) -> str:
        return " ".join(f"{self.x(p.at):.1f},{self.y(p.done):.1f}" for p in points)


def draw(curve: Curve, total: int, left: Remaining | None, colour: str = "#2a9d5c") -> str:
    """The curve up to `total`, with the forecast `left` after its last point, as SVG."""
    points = curve.points or [Point(0.0, 0)]
    first, now = points[0], points[-1]
    likely = left.likely if left else 0.0
    elapsed = max(now.at - first.at, 1.0)
    scale = _Scale(first.at, elapsed + likely * _BEYOND, max(total, 1))
    area = [Point(first.at, 0), *points, Point(now.at, 0)]
    parts = [
        _rule(scale.y(total), "4 4"),
        _rule(scale.y(0), "none"),
        _cone(scale, now, left, colour) if left else "",
        f'<polygon points="{scale.line(area)}" fill="{colour}" fill-opacity=".22"/>',
        f'<polyline points="{scale.line(points)}" fill="none" stroke="{colour}" stroke-width="2.5"/>',
        f'<circle cx="{scale.x(now.at):.1f}" cy="{scale.y(now.done):.1f}" r="4" fill="{colour}"/>',
        *_labels(scale, now, total, likely),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="#888">{"".join(parts)}</svg>'
    )


def data_uri(svg: str) -> str:
    """The SVG as a ``data:`` URI."""
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"


def _cone(scale: _Scale, now: Point, left: Remaining, colour: str) -> str:
    """The likely course to the end, dashed, within the area between the soonest and the latest."""
    total, end = scale.total, scale.since + scale.seconds
    latest = now.done + (total - now.done) * min(1.0, (end - now.at) / left.latest) if left.latest else total
    wide = [now, Point(now.at + left.soonest, total), Point(end, total), Point(end, latest)]
    straight = [now, Point(now.at + left.likely, total)]
    return (
        f'<polygon points="{scale.line(wide)}" fill="{colour}" fill-opacity=".1"/>'
        f'<polyline points="{scale.line(straight)}" fill="none" stroke="{colour}" stroke-dasharray="5 5"/>'
    )


def _labels(scale: _Scale, now: Point, total: int, likely: float) -> list[str]:
    at = scale.x(now.at)
    labels = [_text(_LEFT, _TOP - 8, f"{total:,} samples", "start")]
    labels.append(_text(at, _HEIGHT - 6, f"after {format_duration(now.at - scale.since)}", _anchor(at)))
    # The two labels at the bottom would overlap where the end is near.
    if likely and at < 0.6 * _WIDTH:
        labels.append(_text(_WIDTH - _RIGHT, _HEIGHT - 6, f"in about {format_estimate(likely)}", "end"))
    return labels


def _anchor(x: float) -> str:
    if x < _WIDTH / 4:
        return "start"
    return "middle" if x < 3 * _WIDTH / 4 else "end"


def _rule(y: float, dashes: str) -> str:
    return (
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#888" '
        f'stroke-opacity=".6" stroke-dasharray="{dashes}"/>'
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{for_html(text)}</text>'
