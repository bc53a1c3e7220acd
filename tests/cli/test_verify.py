"""`datafactory verify`: proof, by the ledger and by reading."""

import json

import pytest

from tests.recorded import FILES, put_recorded
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.content import FileContent, content_digest
from vbvrdatafactory.planning.plan import DatasetSpec
from vbvrdatafactory.s3.ledger import read_part
from vbvrdatafactory.s3.specs import write_spec

MAZE = "G-3_maze_data-generator"
DIGEST = content_digest({name: FileContent.of(data) for name, data in FILES.items()})


@pytest.fixture
def described(place):
    """A dataset of ten samples, all as recorded."""
    write_spec(place.store, DatasetSpec(generators=(MAZE,), samples=10))
    put_recorded(place.store, MAZE, range(10), digests=dict.fromkeys(range(10), DIGEST))
    return place


def test_all_right(run, described):
    """Of a dataset that is as recorded the exit code is 0, and its receipts are in the ledger."""
    result = run("verify")
    assert "10 are right" in result.stdout.splitlines()[-1]
    assert result.exit_code == 0
    assert read_part(described.store, MAZE).rows.height == 10


def test_a_replaced_sample_is_no_proof(run, described):
    """The listing alone tells that it is another object than the one recorded."""
    described.put(f"questions/{MAZE}/t_task/t_0003/first_frame.png", b"gnp")
    result = run("verify")
    assert result.stdout.splitlines()[-1] == "dataset is incomplete: 1 of 10 samples are foreign."
    assert result.exit_code == 1


def test_deep_reads_and_compares(run, described):
    """A sample whose recorded digest is another than that of its bytes is named; the rest is read and agrees."""
    put_recorded(described.store, MAZE, [4], digests={4: "0" * 64})
    assert run("verify").exit_code == 0, "size and ETag are those of the latest receipt"
    result = run("verify", "--deep")
    assert f"different: {MAZE} 4: its content has the digest {DIGEST[:16]}…" in result.stdout
    assert result.stdout.splitlines()[-1] == "Read 10 samples; 1 differ from their records."
    assert result.exit_code == 1
    said = json.loads(run("verify", "--deep", "--json").stdout)
    assert [(each["sample_index"], said["read"], said["proven"]) for each in said["different"]] == [
        (4, 10, False)
    ]


def test_a_fraction_is_read(run, described):
    """The same seed chooses the same samples, and fewer than all."""
    lines = [
        run("verify", "--deep", "--fraction", "0.5", "--seed", "3").stdout.splitlines()[-1] for _ in range(2)
    ]
    assert lines[0] == lines[1]
    assert 0 < int(lines[0].split()[1]) < 10


def test_what_vanishes_meanwhile_is_a_difference(run, described, monkeypatch):
    """An object that is gone when it is read is named, and ends nothing else."""
    from vbvrdatafactory.driver import verify

    real = verify.compare

    def late(store, chosen, on_read):
        described.s3.delete_object(Bucket=described.config.output_bucket, Key=chosen[0].place.objects[0].key)
        return real(store, chosen, on_read)

    monkeypatch.setattr(verify, "compare", late)
    result = run("verify", "--deep")
    assert f"different: {MAZE} 0: it could not be read" in result.stdout
    assert result.stdout.splitlines()[-1] == "Read 10 samples; 1 differ from their records."


def test_fraction_without_deep(run, described):
    """It is refused with what to add."""
    result = run("verify", "--fraction", "0.5")
    assert (result.exit_code, "add --deep" in result.output) == (2, True)


def test_without_a_receipt_it_is_adopted_with_a_digest(run, described):
    """`adopt` reads what nobody recorded; from then on a change of it is seen in a listing."""
    for key in described.listed():
        if key.startswith((keys.RECEIPTS, keys.LEDGER)):
            described.s3.delete_object(Bucket=described.config.output_bucket, Key=key)
    assert run("verify").exit_code == 1
    assert "10" in run("adopt", "--dry-run").stdout
    assert not [key for key in described.listed() if key.startswith(keys.ADOPTED)]
    result = run("adopt")
    assert result.stdout.splitlines()[-1] == "Adopted 10 samples. Next: datafactory verify"
    said = run("verify", "--deep")
    assert said.exit_code == 0, said.stdout
    assert said.stdout.splitlines()[-1] == "Read 10 samples; 0 differ from their records."
    described.put(f"questions/{MAZE}/t_task/t_0003/first_frame.png", b"gnp")
    assert run("verify").exit_code == 1
    assert run("adopt", "dataset").stdout.splitlines()[-1].startswith("Adopted 1 sample")
    assert run("verify").exit_code == 0
    assert run("adopt").stdout.startswith("Every whole sample is recorded as it is")


def test_adopting_an_empty_bucket(run, place):
    """There is nothing to adopt, and that is said."""
    result = run("adopt")
    assert (result.exit_code, "holds no samples" in result.output) == (1, True)
