"""Whether a sample's video begins and ends as its pictures say: as its generator's samples do, or as another one's would."""

from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from vbvrdatafactory.core.records import Band, BandEnd, Profile

# Fewer samples show no band.
LEAST_SAMPLES = 4
# From so many on the greatest difference within a sample is known better.
_MANY_SAMPLES = 16
_MARGIN, _WIDE_MARGIN = 1.5, 2.5
# Of so many samples one may be wrong; what more of them show is their generator's.
_ONE_WRONG_IN = 8
# The first batch may show less of what the codec does than this, of 255.
_LEAST = 4.0
# Up to this differences are the codec's, but where other samples differ hardly more.
_NOISE = 14.0


class Measure(BaseModel):
    """What was measured of one sample; distances are 0 to 255.

    Args:
        problem: what is wrong with it, whatever others are; empty where nothing is.
        fps, frames, size: of its video.
        start, end: how different the video's first (last) frame is from the first (final) picture.
        start_others, end_others: how different those of other samples' videos are from its pictures.
        start_size, end_size: of its pictures.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    problem: str = Field(default="", max_length=1000)
    fps: float | None = None
    frames: int | None = None
    size: tuple[int, int] | None = None
    start: float | None = None
    end: float | None = None
    start_others: list[float] = []
    end_others: list[float] = []
    start_size: tuple[int, int] | None = None
    end_size: tuple[int, int] | None = None

    @property
    def profile(self) -> Profile | None:
        """Of its video, if it has one."""
        if self.fps is None or self.frames is None or self.size is None:
            return None
        return Profile(round(self.fps, 3), self.frames, *self.size)


class _Quantiles(NamedTuple):
    median: float
    most: float


def calibrate(measures: Sequence[Measure]) -> Band | None:
    """The band of a generator, from some of its samples; None from too few.

    Where a picture is as far from its own video as from those of other samples, videos of this generator do not begin
    (or end) with it: that end is not held against any sample.
    """
    good = [one for one in measures if not one.problem and one.size]
    if len(good) < LEAST_SAMPLES:
        return None
    agree = sum(_sizes_agree(one) for one in good)
    return Band(
        samples=len(good),
        start=_end([m.start for m in good], [other for m in good for other in m.start_others]),
        end=_end([m.end for m in good], [other for m in good for other in m.end_others]),
        same_size=2 * agree > len(good),
    )


def is_settled(band: Band) -> bool:
    """Whether a band may stand for all later batches.

    A few samples may not tell that videos do begin and end with their pictures, and what is filed is never changed.
    """
    ends = (band.start, band.end)
    return band.samples >= _MANY_SAMPLES or all(end.is_held for end in ends if end)


def refuse(measure: Measure, band: Band | None) -> str:
    """Why a sample is not to be stored; empty where it is."""
    if measure.problem or band is None:
        return measure.problem
    if band.same_size and measure.size and not _sizes_agree(measure):
        sizes = " and ".join(
            f"{w} x {h}" for w, h in (measure.size, measure.start_size or measure.end_size or (0, 0))
        )
        return f"its video and its pictures have other sizes: {sizes}"
    found = (
        _beyond("begins with first_frame.png", measure.start, band.start),
        _beyond("ends with final_frame.png", measure.end, band.end),
    )
    return "; ".join(filter(None, found))


def _beyond(what: str, value: float | None, end: BandEnd | None) -> str:
    if end is None or not end.is_held or value is None or value <= end.limit:
        return ""
    return (
        f"its video does not look as if it {what}: the difference is {value:.0f} of 255, up to {end.within_most:.0f} in "
        f"other samples of this generator, and {end.across_median:.0f} between different ones"
    )


def _end(within: Sequence[Any], across: Sequence[float]) -> BandEnd | None:
    known = sorted(value for value in within if value is not None)
    if not known or not across:
        return None
    # One in a few samples may be wrong, and must not widen the band for the others.
    usual = min(known[-1], 2 * median(known))
    if len(known) >= _MANY_SAMPLES:
        usual = max(usual, known[-1 - len(known) // _ONE_WRONG_IN])
    most = max(usual, _LEAST)
    tenth = sorted(across)[len(across) // 10]
    margin = _MARGIN if len(known) >= _MANY_SAMPLES else _WIDE_MARGIN
    limit = max(margin * most, (most * tenth) ** 0.5, min(_NOISE, (most + median(across)) / 2))
    return BandEnd(
        within_median=median(known),
        within_most=most,
        across_tenth=tenth,
        across_median=median(across),
        limit=limit,
        is_held=limit < median(across),
    )


def _sizes_agree(measure: Measure) -> bool:
    return all(size in (None, measure.size) for size in (measure.start_size, measure.end_size))
