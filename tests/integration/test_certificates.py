"""Certificates on the embedded AWS: stand-ins with planted faults through queue, worker and bucket; price and approval."""

import obstore
import pytest

from flows.approve_dataset import approve_dataset
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.seeds import batch_seed
from vbvrdatafactory.report.run_figures import Reason
from vbvrdatafactory.s3.certificates import read_certificates

pytestmark = [pytest.mark.aws, pytest.mark.prefect]

# Seconds that a stand-in sleeps for each sample, and seconds of processor time that another one takes.
SLEPT, BURNT = 0.2, 0.1
# A stand-in each, and what is said of it; nothing is said of the good ones.
PLANTED = {
    "T-cert-good": ({}, []),
    "T-cert-slow": ({"each": SLEPT}, []),
    "T-cert-busy": ({"burn": BURNT}, []),
    "T-cert-fat": ({"fat": 8}, []),
    "T-cert-leaky": ({"left": 3}, ["leaves 3.0 MB a sample in its temporary folders"]),
    "T-cert-few": ({"states": 3}, ["3 of 30 samples are distinct; it can make 3 at least"]),
    "T-cert-random": ({"random": 1}, ["does not repeat itself"]),
    "T-cert-counted": ({"counted": 1}, ["its samples depend on how many are asked for"]),
    "T-cert-silent": ({"no_video": 1}, ["makes no video"]),
    "T-cert-some": ({"crash": "an odd seed"}, ["1 of 2 certifying batches failed (crash: "]),
}
FAILING = {
    "T-cert-broken": ({"crash": "no font"}, Cause.CRASH),
    "T-cert-wrong": ({"wrong_video": 1}, Cause.WRONG_GROUND_TRUTH),
}


def test_certificates_say_what_was_planted_and_accuse_nobody_else(factory) -> None:
    """Ten kinds of generators are made, two that always fail are not; each certificate says what is odd, and how much it takes."""
    for name, (behaviour, _) in {**PLANTED, **FAILING}.items():
        # Of its two probes the second has a seed that it can't take.
        some = {"seeds": [batch_seed(42, name, 5)]} if name == "T-cert-some" else {}
        factory.add_generator(name, **behaviour, **some)
    names = [*PLANTED, *FAILING]
    report = factory.generate(*names, dataset="certified", samples=30, batch_size=5)
    found = {name: certificates[-1] for name, certificates in read_certificates(factory.store, names).items()}
    assert set(found) == set(names)
    for name, (_, said) in PLANTED.items():
        remarks = found[name].remarks(30)
        assert found[name].passed, name
        assert len(remarks) == len(said), (name, remarks)
        for remark, wanted in zip(remarks, said, strict=True):
            assert remark.startswith(wanted) or wanted in remark
    for name, (_, cause) in FAILING.items():
        assert (found[name].passed, found[name].cause) == (False, cause), name
    assert "ValueError: no font" in found["T-cert-broken"].stderr_tail
    assert {broken.generator for broken in report.run.broken} == set(FAILING)
    costs = {name: one.costs for name, one in found.items()}
    # A busy machine adds to the seconds of a batch, and not to its processor time: what slept and what did not differ by
    # what the one slept and the other took.
    slow, busy = costs["T-cert-slow"], costs["T-cert-busy"]
    points = found["T-cert-slow"].points
    assert {point.samples for point in points} == {1, 5}
    assert all(point.seconds > SLEPT * point.samples for point in points)
    assert SLEPT * 5 < slow.seconds.of(5) < 1.001 * max(point.seconds for point in points)
    assert busy.cpu_seconds.of(5) - slow.cpu_seconds.of(5) == pytest.approx(5 * BURNT, rel=0.5)
    assert costs["T-cert-fat"].memory_bytes.each == pytest.approx(8e6, rel=0.3)
    assert costs["T-cert-leaky"].disk_bytes.each > 3e6
    assert {tally.generator for tally in report.generators if tally.whole == 30} == set(PLANTED)
    assert report.run.costs.usd > 0
    page = bytes(obstore.get(factory.store, keys.dataset_file("certified", "plan.html")).bytes()).decode()
    assert "T-cert-slow" in page
    assert "It took" in page


def test_a_run_that_needs_approval_goes_on_when_it_is_given(factory) -> None:
    """First it certifies and ends with the price; approved by a flow, the next run makes the rest and says what it took."""
    name = factory.add_generator("T-approved")
    asked = {"dataset": "approved", "samples": 200, "batch_size": "auto", "require_approval": True}
    report = factory.generate(name, **asked)
    assert report.run.early.reason is Reason.APPROVAL
    assert report.total.whole == 64
    state = approve_dataset("approved", 5.0, return_state=True)
    assert state.is_completed()
    assert "$5.00 approved by flow run approve-dataset/approved" in state.message
    assert factory.generate(name, **asked).complete
