"""The loop on a healthy worker: complete, idempotent, exact."""

import obstore
import pytest

from vbvrdatafactory.core import keys
from vbvrdatafactory.s3.listing import sizes

pytestmark = [pytest.mark.aws, pytest.mark.prefect]


def contents(store, generator: str) -> dict[str, bytes]:
    names = [key for key, _ in sizes(store, f"questions/{generator}")]
    return {key: bytes(obstore.get(store, key).bytes()) for key in names}


@pytest.mark.parametrize("output_format", ["files", "tar"])
def test_a_dataset_becomes_complete(factory, output_format) -> None:
    """Every planned sample is whole at the end, in either format, with as many messages as batches."""
    name = factory.add_generator(f"T-complete-{output_format}")
    report = factory.generate(name, output_format=output_format, dataset=f"complete-{output_format}")
    assert report.complete
    assert (report.total.whole, report.run.messages, report.run.samples) == (8, 2, 8)


def test_a_second_run_sends_nothing(factory) -> None:
    """A complete dataset asked for again costs zero messages."""
    name = factory.add_generator("T-again")
    factory.generate(name, dataset="again")
    report = factory.generate(name, dataset="again")
    assert report.complete
    assert report.run.messages == 0


def test_lost_samples_come_back_as_they_were(factory) -> None:
    """Deleted files of samples in two batches are made again by two messages, byte for byte."""
    name = factory.add_generator("T-lost")
    factory.generate(name, dataset="lost")
    before = contents(factory.store, name)
    obstore.delete(factory.store, [key for key in before if "tiny_0001/" in key or "tiny_0006/prompt" in key])
    report = factory.generate(name, dataset="lost")
    assert (report.complete, report.run.messages, report.run.samples) == (True, 2, 2)
    assert contents(factory.store, name) == before


def test_asking_for_more_makes_the_difference(factory) -> None:
    """Extending from 8 to 13 samples leaves the 8 untouched and sends two messages for the 5."""
    name = factory.add_generator("T-more")
    factory.generate(name, dataset="more")
    before = contents(factory.store, name)
    report = factory.generate(name, dataset="more", samples=13)
    after = contents(factory.store, name)
    assert (report.complete, report.run.messages, report.run.samples) == (True, 2, 5)
    assert {key: after[key] for key in before} == before


def test_a_mixed_bucket_counts_once(factory) -> None:
    """A dataset half in archives and half in files is complete without making anything twice."""
    name = factory.add_generator("T-mixed")
    factory.generate(name, dataset="mixed", samples=4, output_format="tar")
    report = factory.generate(name, dataset="mixed", samples=8, output_format="files")
    assert (report.complete, report.run.messages) == (True, 1)


def test_what_was_asked_for_is_in_the_bucket(factory) -> None:
    """Spec, report and receipts are filed outside questions/, so that syncing it gives exactly the dataset."""
    name = factory.add_generator("T-filed")
    factory.generate(name, dataset="filed")
    own = {key for key, _ in sizes(factory.store, keys.OWN)}
    assert {keys.dataset_file("filed", n) for n in ("spec.json", "report.json", "report.md")} <= own
    assert len([key for key in own if key.startswith(f"{keys.RECEIPTS}{name}/")]) == 2
    assert all("/tiny_task/tiny_" in key for key in contents(factory.store, name))


def test_a_torn_sample_refilled_as_an_archive_leaves_nothing_torn(factory) -> None:
    """After the refill the bucket has the sample in the archive alone: a copy of it brings no torn folder."""
    name = factory.add_generator("T-torn")
    factory.generate(name, dataset="torn")
    (torn,) = [key for key in contents(factory.store, name) if key.endswith("tiny_0003/prompt.txt")]
    obstore.delete(factory.store, torn)
    report = factory.generate(name, dataset="torn", output_format="tar")
    assert (report.complete, report.run.messages) == (True, 1)
    left = [key for key, _ in sizes(factory.store, "questions") if name in key]
    assert not [key for key in left if "tiny_0003/" in key]
    assert [key for key in left if key.endswith("00003-00003.tar.gz")]
