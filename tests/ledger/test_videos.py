"""Rates and sizes of a generator's videos."""

from vbvrdatafactory.ledger.rows import table
from vbvrdatafactory.ledger.videos import find_videos
from vbvrdatafactory.planning.videos import Videos


def test_videos_are_grouped_by_rate_and_size() -> None:
    """The commonest first, with the least and the most frames; samples without a video, or beyond the plan, are left out."""
    wide = {"fps": 16.0, "width": 256, "height": 128}
    rows = [
        {"index": 0, **wide, "frames": 40},
        {"index": 1, **wide, "frames": 81},
        {"index": 2, "fps": 10.0, "width": 512, "height": 512, "frames": 60},
        {"index": 3},
        {"index": 9, **wide, "frames": 999},
    ]
    assert find_videos(table(rows), 9) == (
        Videos(**wide, least_frames=40, most_frames=81, samples=2),
        Videos(fps=10, width=512, height=512, least_frames=60, most_frames=60, samples=1),
    )
    assert find_videos(table([]), 9) == ()
