"""What a report says of the videos: their rates and sizes, and which generators' do not end on their pictures."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from vbvrdatafactory.core.humanize import format_count
from vbvrdatafactory.core.records import BandRecord
from vbvrdatafactory.report.tallies import Tally

_SHOWN = 8


def video_notes(tallies: Iterable[Tally]) -> Iterator[str]:
    """A line for each rate and size of videos, and one where there are several rates."""
    found: defaultdict[tuple[float, int, int], list[tuple[str, int, int, int]]] = defaultdict(list)
    for tally in tallies:
        for one in tally.videos:
            place = (one.fps, one.width, one.height)
            found[place].append((tally.generator, one.samples, one.least_frames, one.most_frames))
    by_samples = sorted(found.items(), key=lambda item: -sum(samples for _, samples, *_ in item[1]))
    for (fps, width, height), of in by_samples[:_SHOWN]:
        samples = sum(count for _, count, *_ in of)
        least, most = min(low for *_, low, _ in of), max(high for *_, high in of)
        frames = f"{least}" if least == most else f"{least} to {most}"
        names = of[0][0] if len(of) == 1 else format_count(len(of), "generator")
        yield f"Videos of {fps:g} fps, {width} x {height}, {frames} frames: {samples:,} samples of {names}."
    if (more := len(found) - _SHOWN) > 0:
        yield f"Videos of {more:,} more rates and sizes."
    rates = sorted({fps for fps, *_ in found})
    if len(rates) > 1:
        listed = ", ".join(f"{rate:g}" for rate in rates[:_SHOWN])
        yield f"The videos have {len(rates)} rates ({listed} fps): what is trained at one rate has to be resampled."


def band_notes(bands: Iterable[BandRecord]) -> Iterator[str]:
    """A line for each generator whose videos do not begin or end with their pictures."""
    for record in bands:
        ends = {"begin with first_frame.png": record.band.start, "end with final_frame.png": record.band.end}
        not_held = [what for what, end in ends.items() if end and not end.is_held]
        if not_held:
            yield (
                f"{record.generator}: its videos do not {' or '.join(not_held)}, as {record.band.samples} samples showed; "
                "its samples are not held to that."
            )
