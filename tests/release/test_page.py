"""The page of a release in the Prefect UI."""

from tests.release.conftest import Write
from vbvrdatafactory.release.manifest import LeftOut
from vbvrdatafactory.release.page import page


def test_page_says_what_there_is_and_where(write: Write) -> None:
    """The page has samples, splits, generators, what was left out, and where the release is."""
    _, release = write()
    text = page(release, ["hf:an-org/name"], [], {})
    assert "24 samples in 3 shards, 164 kB; nothing is wrong with it" in text
    assert "| train | 18 | 2 |" in text
    assert "| V-1_maze | 4 | 4 |" in text
    assert "it failed" in text
    assert "`hf:an-org/name`" in text


def test_what_is_wrong_comes_first_and_is_text(write: Write) -> None:
    """What is wrong is told before anything else, with a tally; markup of strangers in it is text."""
    left = LeftOut(generator="<b>x</b>", samples=1, why="![a](b)")
    _, release = write(left_out=(left,))
    text = page(release, [], ["dot-in-key: <script>"], {"dot-in-key": 3})
    assert text.index("3 things are wrong") < text.index("3 dot-in-key") < text.index("### Splits")
    for markup in ("<script>", "<b>", "![a]"):
        assert markup not in text
