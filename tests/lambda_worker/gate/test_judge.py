"""Which differences are a generator's own, and which are another sample's."""

import pytest

from lambda_worker.gate.judge import LEAST_SAMPLES, Measure, calibrate, is_settled, refuse


def measure(own: float, others: float = 100.0, **fields: object) -> Measure:
    asked = {"start": own, "end": own, "start_others": [others] * 3, "end_others": [others] * 3}
    return Measure.model_validate({"size": (9, 9), "fps": 16, "frames": 5, **asked, **fields})


def test_the_limit_lies_between_own_and_others() -> None:
    """Well above what samples of the generator differ by, well below what others would."""
    band = calibrate([measure(20 + at) for at in range(20)])
    assert band
    assert band.start
    assert 39 * 1.4 < band.start.limit < 100
    assert refuse(measure(39), band) == ""
    assert "the difference is 100 of 255, up to 39 in other samples" in refuse(measure(100), band)


def test_wrong_samples_in_the_first_batch_do_not_widen_it() -> None:
    """Nor do they hide behind each other."""
    measures = [*(measure(10) for _ in range(16)), measure(120), measure(110)]
    band = calibrate(measures)
    assert [bool(refuse(one, band)) for one in measures] == [False] * 16 + [True] * 2


def test_what_a_third_of_the_samples_show_is_their_generators() -> None:
    """Of a public one a third of the videos begin with something that moves already: those are not wrong, others' are."""
    measures = [*(measure(8, 115) for _ in range(22)), *(measure(33, 115) for _ in range(10))]
    band = calibrate(measures)
    assert [refuse(one, band) for one in measures] == [""] * 32
    assert refuse(measure(115, 115), band) != ""


def test_an_end_that_differs_as_much_within_as_across_is_not_held() -> None:
    """The generator's videos do not end there; its start is held still."""
    band = calibrate([measure(10, end=90.0) for _ in range(20)])
    assert band
    assert band.start
    assert band.end
    assert (band.start.is_held, band.end.is_held) == (True, False)
    assert refuse(measure(10, end=200.0), band) == ""


def test_samples_that_are_all_alike_hold_nobody() -> None:
    """A generator with one state: another sample's video is right too."""
    band = calibrate([measure(5, 5) for _ in range(20)])
    assert band
    assert band.start
    assert band.start.is_held is False


@pytest.mark.parametrize("count", [0, LEAST_SAMPLES - 1])
def test_too_few_show_nothing(count: int) -> None:
    """There is no band, and only what needs none is refused."""
    band = calibrate([measure(5) for _ in range(count)])
    assert band is None
    assert refuse(measure(255), band) == ""
    assert refuse(measure(1, problem="it is black"), band) == "it is black"


def test_another_size_is_refused_where_most_have_one() -> None:
    """And not where the generator's videos are never as large as its pictures."""
    small = {"start_size": (9, 9), "end_size": (9, 9), "size": (4, 4)}
    same = {"start_size": (9, 9), "end_size": (9, 9)}
    band = calibrate([measure(5, **same) for _ in range(8)])
    assert refuse(measure(5, **small), band) == "its video and its pictures have other sizes: 4 x 4 and 9 x 9"
    band = calibrate([measure(5, **small) for _ in range(8)])
    assert refuse(measure(5, **small), band) == ""


@pytest.mark.parametrize(
    ("count", "others", "stands"), [(15, 100.0, False), (16, 100.0, True), (4, 250.0, True)]
)
def test_a_few_samples_file_no_band_that_holds_nobody(count: int, others: float, stands: bool) -> None:
    """Their margins are wide, and what is filed stands for ever: ends that are not held take 16 samples to tell."""
    band = calibrate([measure(60, others) for _ in range(count)])
    assert band
    assert is_settled(band) is stands


def test_samples_that_differ_hardly_more_than_a_codec_are_held_all_the_same() -> None:
    """A few digits of a sudoku: its own video differs by 1, others' by 12; and where others differ by much, 13 is the codec's."""
    band = calibrate([measure(1, 12) for _ in range(16)])
    assert band
    assert [bool(refuse(measure(own), band)) for own in (7, 12)] == [False, True]
    many = [measure(1, 60, end_others=[8, 60, 60]) for _ in range(16)]
    assert [bool(refuse(measure(own), calibrate(many))) for own in (13, 40)] == [False, True]
