"""The certificate of a generator, from the records of its first batches."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.certified import AT, failure, receipt
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.certificates import Certificate, Costs, Line
from vbvrdatafactory.core.usage import Host, Repetition, RunUsage
from vbvrdatafactory.planning.batches import MeasuredBatch
from vbvrdatafactory.planning.certifying import Proof, certify, is_due, sharpen, why_failed
from vbvrdatafactory.planning.distinct import Distinct

G = "G-1_x"
LAMBDA = Host(function_mb=1769, processor="x86_64")


def batch(samples: int, seconds: float, **otherwise: object) -> MeasuredBatch:
    fields = {
        "samples": samples,
        "stored": samples,
        "seconds": seconds,
        "certifying_seconds": 0.0,
        "cpu_seconds": seconds,
        "memory_bytes": 100_000_000 + samples * 1_000_000,
        "worker_bytes": 150_000_000,
        "disk_bytes": samples * 100_000,
        "objects": 5 * samples,
        "stored_bytes": 50_000 * samples,
        "is_first": False,
        "function_mb": 1769,
        "side_by_side": 1,
        "processor": "x86_64",
        "code": "code",
        "environment": "",
        "worker": "1",
        "made_at": AT,
    }
    return MeasuredBatch(**{**fields, **otherwise})


def certified(*receipts: object, **proof: object) -> Certificate:
    found = certify(G, Proof(receipts, **proof), AT)
    assert found is not None
    return found


def test_what_a_batch_takes_is_fitted_to_two_lengths() -> None:
    """A batch of 32 samples and a run of 8 that certifies give start and slope of seconds, memory and disk."""
    repetition = Repetition(
        runs=(
            RunUsage(samples=8, seconds=1.3, cpu_seconds=1.0, memory_bytes=108_000_000, disk_bytes=800_000),
        ),
        of_fewer=True,
    )
    one = receipt(32, seconds=3.9, memory=132_000_000, disk=3_200_000, repetition=repetition, beside=0.2)
    costs = certified(one).costs
    assert costs.seconds.of(32) == pytest.approx(3.9)
    assert costs.seconds.of(8) == pytest.approx(1.3 + 0.2 * 8 / 32)
    assert costs.memory_bytes.start == pytest.approx(100_000_000)
    assert costs.memory_bytes.each == pytest.approx(1_000_000)
    assert costs.disk_bytes.each == pytest.approx(100_000)
    assert (costs.objects, costs.largest, costs.host) == (5.0, 32, LAMBDA)
    assert costs.stored_bytes.each == pytest.approx(50_000)


def test_it_says_whose_it_is() -> None:
    """Code, environment and worker are those of its receipts; with others it says nothing."""
    found = certified(receipt(8))
    assert (found.generator, found.code, found.environment, found.worker) == (G, "code", "env", "1 abc")
    assert found.passed
    assert found.is_of("code", "env")
    assert found.is_of(None, None)
    assert not found.is_of("other", "env")
    assert not found.is_of("code", "other")


def test_without_records_there_is_none() -> None:
    """And none of receipts that an older worker left, which did not measure."""
    assert certify(G, Proof(()), AT) is None
    assert certify(G, Proof((receipt(8).model_copy(update={"usage": None}),)), AT) is None


def test_one_whose_batches_all_failed_did_not_pass() -> None:
    """It says why, with the end of its stderr."""
    found = certified(failures=(failure(Cause.CRASH, "boom"), failure(Cause.CRASH, "bang")))
    assert (found.passed, found.failed, found.cause, found.problem) == (False, 2, Cause.CRASH, "bang")
    assert "stderr of bang" in found.stderr_tail
    assert why_failed(found) == "all 2 certifying batches failed: crash; bang"


def test_one_that_failed_once_passes_with_a_remark() -> None:
    """Some seeds crash it: the others are worth making."""
    found = certified(receipt(8), failures=(failure(Cause.CRASH, "boom"),))
    assert found.passed
    assert found.remarks() == ["1 of 2 certifying batches failed (crash: boom)"]


def remarks(*, samples: int | None = None, distinct: Distinct | None = None, **receipt_: object) -> list[str]:
    return certified(receipt(8, **receipt_), distinct=distinct or Distinct()).remarks(samples)


def test_a_good_generator_is_accused_of_nothing() -> None:
    """Five files, the same again, nothing left, all samples distinct."""
    good = Repetition(of_fewer=True)
    assert remarks(repetition=good, distinct=Distinct(distinct=8, known=8), samples=10_000) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"repetition": Repetition(of_fewer=False, same=False)}, "does not repeat itself"),
        ({"repetition": Repetition(of_fewer=False, same=True)}, "depend on how many are asked for"),
        ({"files": ("first_frame.png", "prompt.txt"), "profile": None}, "makes no video"),
        ({"left": 20_000_000}, r"leaves 2\.5 MB a sample in its temporary folders"),
        ({"left_processes": 2}, "leaves 2 processes running"),
        (
            {"distinct": Distinct(distinct=10, known=375, can_make=10), "samples": 10_000},
            r"10 of 375 samples are distinct; it can make 10 at least \(an estimate\), 10,000 are asked for",
        ),
        ({"distinct": Distinct(distinct=99, known=100, can_make=4000), "samples": 500}, r"4,000 at least"),
    ],
)
def test_what_is_odd_is_remarked(given, said) -> None:
    """Each in one phrase, and nothing besides."""
    import re

    (found,) = remarks(**given)
    assert re.search(said, found)


def test_a_few_distinct_samples_are_no_reproach_where_few_are_asked_for() -> None:
    """It can make more than that."""
    (found,) = remarks(distinct=Distinct(distinct=99, known=100, can_make=4000), samples=500)
    assert "are asked for" not in found


def test_batches_that_follow_sharpen_it() -> None:
    """What a hundred batches took counts more than the first two; what is asked of it stays."""
    first = certified(receipt(32, seconds=3.2), receipt(32, seconds=3.2))
    proof = Proof((), batches=[batch(200, 30.0)] * 100, distinct=Distinct(distinct=5, known=20_000))
    later = sharpen(first, proof._replace(batches=[one._replace(environment="env") for one in proof.batches]))
    assert later.costs.seconds.of(200) == pytest.approx(30.0)
    assert later.costs.seconds.batches == 100
    assert (later.repeats, later.code, later.distinct, later.known) == (first.repeats, "code", 5, 20_000)


def test_the_first_batch_of_a_process_does_not_count_where_others_are_known() -> None:
    """It took a second to load what the next ones have."""
    first = certified(receipt(32, seconds=3.2))
    batches = [batch(32, 5.0, is_first=True, environment="env"), batch(32, 3.0, environment="env")]
    assert sharpen(first, Proof((), batches=batches)).costs.seconds.of(32) == pytest.approx(3.0)
    alone = sharpen(first, Proof((), batches=batches[:1])).costs.seconds
    assert alone.of(32) == pytest.approx(5.0)


def test_batches_of_other_code_do_not_count() -> None:
    """Nor those in another environment."""
    first = certified(receipt(32, seconds=3.2))
    others = [batch(32, 99.0, code="other", environment="env"), batch(32, 99.0, environment="other")]
    assert sharpen(first, Proof((), batches=others)).costs == first.costs


def test_what_was_measured_on_another_host_is_forgotten_with_it() -> None:
    """A function of half a processor takes longer for the same; only its own batches say how long."""
    first = certified(receipt(32, seconds=3.2, repetition=Repetition(runs=(RunUsage(samples=8, seconds=1),))))
    slow = batch(32, 6.4, function_mb=884, environment="env")
    later = sharpen(first, Proof((), batches=[slow]))
    assert later.costs.host.function_mb == 884
    assert later.costs.seconds.of(32) == pytest.approx(6.4)
    assert [point.samples for point in later.points] == [32]


def test_a_certificate_is_due_again_when_anything_it_is_about_changes() -> None:
    """Its code, its environment, or the worker; and always where there is none, or one that was not passed."""
    found = certified(receipt(8))
    assert not is_due(found, "code", "env", "1 abc")
    assert not is_due(found, None, None, "")
    assert is_due(None, "code", "env", "1 abc")
    assert is_due(found, "other", "env", "1 abc")
    assert is_due(found, "code", "other", "1 abc")
    assert is_due(found, "code", "env", "2 def")
    assert is_due(certified(failures=(failure(Cause.CRASH, "boom"),)), None, None, "")


def test_a_certificate_of_a_later_version_is_read() -> None:
    """A field that is not known here is left alone, wherever it stands."""
    text = certified(receipt(8)).model_dump_json().replace('"costs":{', '"costs":{"later":1,', 1)
    assert Certificate.model_validate_json(f'{{"later":1,{text[1:]}', extra="ignore").passed


def test_lines_scale() -> None:
    """Twice as slow is twice the start and twice the slope."""
    line = Line(start=1, each=2).scaled(2)
    assert (line.start, line.each) == (2, 4)
    assert Costs().seconds.of(9) == 0
    assert datetime.now(UTC) + timedelta(days=10_000) > AT


def test_archives_say_nothing_of_how_many_files_there_are() -> None:
    """The requests of a sample of files are known from files alone."""
    files = receipt(32)
    assert files.usage
    usage = files.usage.model_copy(update={"objects": 1})
    archive = receipt(16, start=32).model_copy(update={"objects": {}, "usage": usage})
    for receipts, objects in (([files], 5), ([archive], 0), ([files, archive], 5)):
        found = certify("G-1_x", Proof(receipts), AT)
        assert found
        assert found.costs.objects == objects
