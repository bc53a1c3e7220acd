"""`datafactory submit`: what it sends is counted in the queue, what it writes in the bucket."""

import json

import obstore
import pytest
from click.testing import CliRunner

from tests.recorded import put_archive
from vbvrdatafactory import aws
from vbvrdatafactory.cli import redefining
from vbvrdatafactory.cli.main import cli
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.models import MAX_BATCH, TaskMessage, TaskResult
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.core.records import FailureRecord, Receipt
from vbvrdatafactory.core.seeds import batch_seed
from vbvrdatafactory.planning.plan import DatasetSpec, Plan
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.specs import read_spec

MAZE, FIRST, SECOND = "G-3_maze_data-generator", "O-1_first_data-generator", "O-2_second_data-generator"
SPEC_KEY = "_datafactory/datasets/dataset/spec.json"


def runs(messages):
    return sorted((m["type"], m["start_index"], m["num_samples"]) for m in messages)


def test_first_submission_sends_the_plan(run, place):
    """A first submission sends every batch of the plan once, each with its planned seed."""
    result = run("submit", "-g", "all", "-n", 60, "-b", 25, "-s", 7)
    spec = DatasetSpec(generators=(MAZE, FIRST, SECOND), samples=60, batch_size=25, seed=7)
    planned = sorted((b.generator, b.start, b.size, b.seed) for b in Plan(spec))
    sent = place.messages()
    assert sorted((m["type"], m["start_index"], m["num_samples"], m["seed"]) for m in sent) == planned
    assert result.exit_code == 0
    assert "Sent 9 messages for 180 samples" in result.stdout


def test_spec_is_filed(run, place):
    """A submission files the spec, so that gaps can be found later without asking again."""
    run("submit", "-g", MAZE, "-n", 5, "--dataset", "mazes", "--require", "metadata.json")
    spec = read_spec(place.store, "mazes")
    assert (spec.generators, spec.samples, spec.require) == ((MAZE,), 5, ("metadata.json",))


def test_whole_dataset_takes_no_message(run, place):
    """Submitting a dataset that is whole sends nothing and says so."""
    place.make(MAZE, range(30))
    result = run("submit", "-g", MAZE, "-n", 30)
    assert place.messages() == []
    assert "Nothing is missing, no message was sent: 30 of 30 samples" in result.stdout
    assert result.exit_code == 0


def test_only_what_is_missing_is_sent(run, place):
    """Of a dataset with one batch lost, that batch alone is sent."""
    place.make(MAZE, [*range(10), *range(20, 30)])
    place.make(FIRST, range(30))
    result = run("submit", "-g", "all", "-n", 30, "-b", 10)
    assert runs(m for m in place.messages() if m["type"] != SECOND) == [(MAZE, 10, 10)]
    assert "50 of 90 samples of 'dataset' are whole already" in result.stdout


def test_torn_sample_is_sent_again(run, place):
    """A sample without its prompt is not whole and is made again."""
    place.make(MAZE, range(3))
    obstore.delete(place.store, f"questions/{MAZE}/t_task/t_0001/prompt.txt")
    run("submit", "-g", MAZE, "-n", 3, "-b", 1)
    assert runs(place.messages()) == [(MAZE, 1, 1)]


def test_more_samples_send_the_difference(run, place):
    """Asking for more samples of a whole dataset sends exactly the difference."""
    place.make(MAZE, range(20))
    run("submit", "-g", MAZE, "-n", 50, "-b", 10)
    assert runs(place.messages()) == [(MAZE, 20, 10), (MAZE, 30, 10), (MAZE, 40, 10)]


def test_archives_count(run, place):
    """Samples in an archive are whole; the message asks for the format that was chosen."""
    put_archive(place.store, MAZE, IndexRange(0, 10))
    run("submit", "-g", MAZE, "-n", 20, "-b", 10, "--output-format", "tar")
    (message,) = place.messages()
    assert (message["start_index"], message["output_format"]) == (10, "tar")


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        (["all"], [MAZE, FIRST, SECOND]),
        (["O-*"], [FIRST, SECOND]),
        ([MAZE], [MAZE]),
        ([SECOND, "G-*", "G-3*"], [MAZE, SECOND]),
    ],
)
def test_patterns(run, place, patterns, chosen):
    """Generators are chosen by name, by glob or all, and each is sent once however often it is named."""
    run("submit", *(word for pattern in patterns for word in ("-g", pattern)), "-n", 1)
    assert [name for name, _, _ in runs(place.messages())] == chosen


def test_no_samples_lists_the_generators(run, place):
    """`-n 0` lists the generators, one on a line, and needs no address."""
    result = run("submit", "-n", 0)
    assert result.stdout.split() == [MAZE, FIRST, SECOND]
    assert run("submit", "-n", 0, "-g", "O-*").stdout.split() == [FIRST, SECOND]
    assert place.messages() == []


def test_dry_run_changes_nothing(run, place):
    """A dry run shows samples, batches, what is whole and what would be sent, and leaves no trace."""
    place.make(MAZE, range(20))
    before = place.listed()
    result = run("submit", "-g", "[GO]-[13]*", "-n", 50, "-b", 10, "--dry-run")
    figures = [line.split() for line in result.stdout.splitlines() if "data-generator" in line]
    assert figures == [[MAZE, "50", "5", "20", "30", "3"], [FIRST, "50", "5", "0", "50", "5"]]
    assert "would send 8 messages for 80 samples; nothing was sent or written" in result.stdout
    assert (place.listed(), place.messages(), result.exit_code) == (before, [], 0)


def test_dry_run_needs_no_queue(run, place, monkeypatch):
    """What a dataset would take can be seen before there is a queue."""
    monkeypatch.delenv("SQS_QUEUE_URL")
    assert run("submit", "-g", "all", "-n", 5, "--dry-run").exit_code == 0


def test_bucket_option(run, place, monkeypatch):
    """`--bucket` is looked at instead of OUTPUT_BUCKET, and told to the worker."""
    name = place.config.output_bucket
    monkeypatch.setenv("OUTPUT_BUCKET", "another-bucket")
    place.make(MAZE, range(10))
    run("submit", "-g", MAZE, "-n", 20, "-b", 10, "--bucket", name)
    (message,) = place.messages()
    assert (message["start_index"], message["output_bucket"]) == (10, name)


def test_without_bucket_option_the_worker_chooses(run, place):
    """Without `--bucket` messages leave the bucket to the worker's own configuration."""
    run("submit", "-g", MAZE, "-n", 1)
    assert "output_bucket" not in place.messages()[0]


def test_hole_is_replayed_and_failure_gets_a_new_salt(run, place):
    """Receipts and failure records choose the next try: a hole is replayed, a crashed batch made anew."""
    seed = batch_seed(42, MAZE, 0)
    made = TaskMessage(type=MAZE, num_samples=10, start_index=0, seed=seed, dataset="dataset")
    run_0 = keys.ReceiptKey(MAZE, IndexRange(0, 10), 0)
    receipt = Receipt(
        message=made,
        seed=seed,
        stored=[made.indices],
        result=TaskResult(generator=MAZE, samples_uploaded=10, sample_ids=[]),
        attempt=1,
        generator_digest="d",
        finished_at="2026-01-01T00:00:00Z",
    )
    records.write(place.store, keys.receipt(run_0), receipt)
    crash = FailureRecord(
        message=None, cause="crash", detail="it fell", attempt=1, failed_at="2026-01-01T00:00:00Z"
    )
    records.write(place.store, keys.failure(keys.FailureKey(MAZE, IndexRange(10, 20), 0, 1, "crash")), crash)
    place.make(MAZE, [i for i in range(10) if i != 4])
    run("submit", "-g", MAZE, "-n", 20, "-b", 10)
    sent = sorted(place.messages(), key=lambda m: m["start_index"])
    assert [(m["start_index"], m["num_samples"], m.get("only_indices"), m.get("salt", 0)) for m in sent] == [
        (0, 10, [4], 0),
        (10, 5, None, 1),
        (15, 5, None, 1),
    ]
    assert sent[0]["seed"] == seed


def test_growth_is_noted(run, place):
    """A dataset that is asked for otherwise and stays the same one goes on; what changed is said on stderr."""
    run("submit", "-g", "O-*", "-n", 2)
    grown = ("submit", "-g", "all", "-n", 3, "--require", "metadata.json")
    result = run(*grown)
    for change in (f"generators added: {MAZE}", "samples: 2 → 3", "required besides: metadata.json"):
        assert change in result.stderr
    assert result.exit_code == 0
    assert "note" not in run(*grown, "--dry-run").stderr


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (["-g", "all", "-n", 2, "--seed", 7], "seed: 42 → 7"),
        (["-g", "all", "-n", 2, "--legacy-seeds"], "seeds: hashed → legacy"),
        (["-g", "O-*", "-n", 2], f"generators left out: {MAZE}"),
        (["-g", "all", "-n", 1], "samples: 2 → 1"),
    ],
)
def test_another_dataset_under_the_name_takes_a_word(run, place, changed, said):
    """It is refused in one line with what differs, in a dry run too; --replace-spec goes on and keeps the other."""
    run("submit", "-g", "all", "-n", 2)
    place.messages()
    before = place.listed()
    result = run("submit", *changed)
    assert said in result.stderr
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    dry = run("submit", *changed, "--dry-run")
    assert said in dry.stderr
    assert "would be refused" in dry.stdout
    assert (place.listed(), place.messages()) == (before, [])
    assert run("submit", *changed, "--replace-spec").exit_code == 0
    assert place.messages()
    assert len(place.listed()) == len(before) + 1


@pytest.mark.parametrize(("answer", "code", "sent"), [("y", 0, 3), ("n", 1, 0), ("", 1, 0)])
def test_who_sits_at_the_terminal_is_asked(place, monkeypatch, answer, code, sent):
    """Yes redefines the dataset; no, or nothing, leaves it as it was."""
    arguments = ["submit", "-g", "all", "-n", "2", "--seed"]
    CliRunner().invoke(cli, [*arguments, "42"])
    place.messages()
    monkeypatch.setattr(redefining, "somebody_is_there", lambda: True)
    result = CliRunner().invoke(cli, [*arguments, "7"], input=f"{answer}\n" if answer else "")
    assert "seed: 42 → 7" in result.stderr
    assert (result.exit_code in {code, 130}, len(place.messages())) == (True, sent)


def test_samples_of_another_seed_are_told_before_anything_is_written(run, place):
    """They count for no dataset of this one: nothing is sent or described, and each way on is said."""
    run("submit", "-g", MAZE, "-n", 10, "--dataset", "first")
    place.messages()
    place.make(MAZE, range(10))
    place.put(keys.receipt(keys.ReceiptKey(MAZE, IndexRange(0, 10), 0, batch_seed(42, MAZE, 0))))
    before = place.listed()
    asked = ("submit", "-g", MAZE, "-n", 20, "--seed", 7, "--dataset", "second")
    for result in (run(*asked), run(*asked, "--dry-run")):
        assert f"10 samples in the bucket were made for another seed than 7 ({MAZE}: 10)" in result.stderr
        assert "seed 42 made them for dataset 'first'" in result.stderr
    assert (run(*asked).exit_code, place.listed(), place.messages()) == (1, before, [])
    assert run("submit", "-g", MAZE, "-n", 20, "--dataset", "first").exit_code == 0


def test_waiting_messages_are_noted(run, place):
    """Submitting while messages wait says that they may already make what is missing."""
    run("submit", "-g", MAZE, "-n", 50)
    assert "2 messages in the queue already" in run("submit", "-g", MAZE, "-n", 50).stderr


def test_wrong_queue_is_found_before_anything_is_written(run, place, monkeypatch):
    """A queue that does not exist ends the command with the variable and its value, the bucket untouched."""
    wrong = place.config.sqs_queue_url + "x"
    monkeypatch.setenv("SQS_QUEUE_URL", wrong)
    result = run("submit", "-g", "all", "-n", 10)
    assert f"SQS_QUEUE_URL={wrong}" in result.stderr
    assert (result.exit_code, place.listed()) == (1, [])


def test_unsent_messages_fail_the_command(run, place, monkeypatch):
    """A message that SQS refuses makes the command fail with the batch and the reason; the rest is sent."""

    class Refusing:
        exceptions = place.sqs.exceptions
        get_queue_attributes = place.sqs.get_queue_attributes

        def send_message_batch(self, QueueUrl, Entries):  # noqa: N803 - boto3's names
            bad = [entry for entry in Entries if json.loads(entry["MessageBody"])["start_index"] == 10]
            answer = place.sqs.send_message_batch(
                QueueUrl=QueueUrl, Entries=[entry for entry in Entries if entry not in bad]
            )
            failed = [{"Id": e["Id"], "Code": "TooBad", "Message": "no", "SenderFault": True} for e in bad]
            return {**answer, "Failed": failed}

    monkeypatch.setattr(aws, "sqs", lambda *_: Refusing())
    result = run("submit", "-g", MAZE, "-n", 50, "-b", 10, "--no-probes")
    assert runs(place.messages()) == [(MAZE, start, 10) for start in (0, 20, 30, 40)]
    assert result.exit_code == 1
    assert f"1 of 5 messages could not be sent; the first is {MAZE} 10-19: TooBad: no" in result.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-b", 0], "'--batch-size': 0 is not in the range"),
        (["-b", MAX_BATCH + 1], "1001 is not in the range"),
        (["-n", -5], "-5 is not in the range"),
        (["-n", "many"], "'many'"),
        (["-s", -1], "-1 is not in the range"),
        (["--require", "frame.png"], "'frame.png' is not one of 'first_frame.png'"),
        (["--output-format", "zip"], "'zip' is not one of"),
    ],
)
def test_bad_options(run, place, options, said):
    """An option that cannot be right is one line with its value and exit code 2; nothing is sent."""
    result = run("submit", "-g", "all", *options)
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert (result.exit_code, place.messages(), place.listed()) == (2, [], [])


def test_largest_batch_is_accepted(run, place):
    """The largest batch of the wire contract is the largest that the option takes."""
    assert run("submit", "-g", MAZE, "-n", MAX_BATCH, "-b", MAX_BATCH).exit_code == 0
    assert len(place.messages()) == 1


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["-g", "O-1_frist_data-generator"], 1, f"did you mean '{FIRST}'"),
        (["-g", "X-*"], 1, "unknown generator 'X-*'"),
        (["-g", "all", "--dataset", "../up"], 1, "'../up' is not a safe name"),
        ([], 2, "choose generators with -g"),
    ],
)
def test_refusals(run, place, options, code, said):
    """What cannot be planned is refused in one line before the bucket is looked at."""
    result = run("submit", *options, "-n", 5)
    assert said in result.stderr
    assert (result.exit_code, place.messages(), place.listed()) == (code, [], [])
