"""What a report says of videos."""

from datetime import UTC, datetime

from vbvrdatafactory.core.records import Band, BandEnd, BandRecord
from vbvrdatafactory.planning.videos import Videos
from vbvrdatafactory.report.tallies import Tally
from vbvrdatafactory.report.videos import band_notes, video_notes

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def tally(name: str, fps: float, frames: tuple[int, int], samples: int = 10) -> Tally:
    videos = Videos(
        fps=fps, width=256, height=256, least_frames=frames[0], most_frames=frames[1], samples=samples
    )
    return Tally(generator=name, expected=samples, whole=samples, torn=0, videos=(videos,))


def end(*, is_held: bool) -> BandEnd:
    return BandEnd(within_median=1, within_most=2, across_tenth=3, across_median=4, limit=3, is_held=is_held)


def test_videos_of_one_rate_are_one_line() -> None:
    """Of all generators that share rate and size."""
    assert [*video_notes([tally("A", 16, (81, 81)), tally("B", 16, (40, 60), 5)])] == [
        "Videos of 16 fps, 256 x 256, 40 to 81 frames: 15 samples of 2 generators."
    ]


def test_a_mix_of_rates_is_said() -> None:
    """Trainers fix one."""
    assert [*video_notes([tally("A", 16, (81, 81)), tally("B", 9.5, (40, 40), 5)])] == [
        "Videos of 16 fps, 256 x 256, 81 frames: 10 samples of A.",
        "Videos of 9.5 fps, 256 x 256, 40 frames: 5 samples of B.",
        "The videos have 2 rates (9.5, 16 fps): what is trained at one rate has to be resampled.",
    ]


def test_without_videos_nothing_is_said() -> None:
    """As of a dataset whose receipts are of before they were measured."""
    assert [*video_notes([Tally(generator="A", expected=1, whole=1, torn=0)])] == []


def test_ends_that_are_not_held_are_named_once() -> None:
    """With the generator and how many samples showed it; those that are held are not."""
    bands = [
        BandRecord(generator=name, code="c" * 64, band=Band(samples=25, start=start, end=last), made_at=NOON)
        for name, start, last in (
            ("A", end(is_held=True), end(is_held=False)),
            ("B", end(is_held=True), end(is_held=True)),
            ("C", end(is_held=False), end(is_held=False)),
        )
    ]
    assert [*band_notes(bands)] == [
        "A: its videos do not end with final_frame.png, as 25 samples showed; its samples are not held to that.",
        (
            "C: its videos do not begin with first_frame.png or end with final_frame.png, as 25 samples showed; "
            "its samples are not held to that."
        ),
    ]
