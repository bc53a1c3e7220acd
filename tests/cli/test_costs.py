"""`datafactory plan`, `certify` and `approve`: what is asked before anything is spent."""

import json
import threading
from typing import Any

import pytest

from tests.certified import certificate
from tests.certified import receipt as measured
from vbvrdatafactory.control.circuit_breaker import PROBES
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.usage import Repetition, RunUsage
from vbvrdatafactory.files import code_digest
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.approval import read_approval
from vbvrdatafactory.s3.certificates import read_certificates, write_certificate

MAZE, FIRST = "G-3_maze_data-generator", "O-1_first_data-generator"


def certify(place: Any, generator: str, **costs: Any) -> None:
    """File a certificate of what the generator is here."""
    code = code_digest(place.generators / generator)
    write_certificate(place.store, certificate(generator, code=code, environment="", **costs))


def test_a_plan_is_priced_and_nothing_is_sent_or_written(run, place) -> None:
    """A row for each certified generator, the sum, the choices; who has no certificate is named."""
    certify(place, MAZE)
    before = place.listed()
    result = run("plan", "-g", MAZE, "-g", FIRST, "-n", 10_000, "-b", "auto")
    assert result.exit_code == 0, result.output
    for said in (
        MAZE,
        "GB-seconds",
        "3,008 MB",
        "take about $",
        "list prices of us-east-2 of 2026-07-01",
        f"Not priced, as they have no certificate yet: {FIRST}",
        "'datafactory certify' does only that",
    ):
        assert said in result.output
    assert place.listed() == before
    assert place.messages() == []


def test_a_plan_that_does_not_fit_ends_with_1_and_the_number(run, place) -> None:
    """So a script stops there."""
    certify(place, MAZE, each=20.0)
    result = run("plan", "-g", MAZE, "-n", 1000, "-b", 100)
    assert result.exit_code == 1
    assert "a batch of 100 takes 33 min 21 s, and the function ends after 15 min 00 s" in result.output


def test_a_plan_is_also_json_and_a_page(run, place, tmp_path) -> None:
    """The same figures for scripts, and for people who would rather look."""
    certify(place, MAZE)
    page = tmp_path / "plan.html"
    result = run("plan", "-g", MAZE, "-n", 1000, "--json", "--html", page)
    found = json.loads(result.stdout)
    (one,) = found["generators"]
    assert (one["samples"], one["batch_size"], one["batches"]) == (1000, 25, 40)
    assert found["usd"]["low"] < found["usd"]["likely"] < found["usd"]["high"]
    assert "Cost by generator" in page.read_text()


def test_a_certificate_of_other_code_prices_nothing(run, place) -> None:
    """Somebody changed the generator since."""
    certify(place, MAZE)
    (place.generators / MAZE / "examples" / "generate.py").write_text("print('other')")
    assert "nothing can be priced yet" in run("plan", "-g", MAZE, "-n", 1000).output


def test_prices_of_ones_own_take_the_place_of_ours(run, place, tmp_path, monkeypatch) -> None:
    """With their date; a file that is none is named."""
    certify(place, MAZE)
    file = tmp_path / "prices.json"
    monkeypatch.setenv("PRICES_FILE", str(file))
    file.write_text("{}")
    result = run("plan", "-g", MAZE, "-n", 1000)
    assert result.exit_code == 1
    assert f"{file}' is no price list: region: Field required" in result.output
    file.write_text(
        json.dumps(
            {
                "region": "moon",
                "dated": "2027-01-01",
                "lambda_gb_second": {"x86_64": 1.0, "arm64": 1.0},
                "lambda_million_requests": 0,
                "lambda_temp_gb_second": 0,
                "s3_thousand_puts": 0,
                "s3_thousand_gets": 0,
                "s3_gb_month": 0,
                "sqs_million_requests": 0,
            }
        )
    )
    assert "By list prices of moon of 2027-01-01" in run("plan", "-g", MAZE, "-n", 1000).output


def test_a_dataset_that_was_asked_for_is_priced_by_its_name(run, place) -> None:
    """What is there already is in no price."""
    certify(place, MAZE)
    assert run("submit", "-g", MAZE, "-n", 100, "--dataset", "mine", "--no-probes").exit_code == 0
    place.make(MAZE, range(60))
    assert "mine: 40 samples in 2 batches" in run("plan", "--dataset", "mine").output


def test_what_no_dataset_is_is_told(run, place) -> None:
    """With those that are described."""
    assert "no dataset 'nowhere' is described" in run("plan", "--dataset", "nowhere").output
    assert "no dataset 'nowhere'" in run("approve", "nowhere", "--max-cost-usd", 5).output


@pytest.mark.parametrize("size", ["0", "1001", "much", "-1"])
def test_a_batch_size_is_a_number_or_auto(run, place, size) -> None:
    """Anything else is refused before anything is looked at."""
    result = run("plan", "-g", MAZE, f"-b={size}")
    assert result.exit_code == 2
    assert "--batch-size" in result.output


class Worker(threading.Thread):
    """Makes batches, leaves receipts of what they took, and then deletes the messages."""

    def __init__(self, place: Any) -> None:
        super().__init__(daemon=True)
        self.place, self.stop = place, threading.Event()
        self.received: list[TaskMessage] = []

    def run(self) -> None:
        while not self.stop.wait(0.05):
            queue = self.place.config.sqs_queue_url
            found = self.place.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
            for received in found.get("Messages", ()):
                message = TaskMessage.model_validate_json(received["Body"])
                self.received.append(message)
                self.place.make(message.type, range(*message.indices))
                made = measured(message.num_samples, start=message.start_index, generator=message.type)
                again = Repetition(runs=(RunUsage(samples=8, seconds=0.5),), of_fewer=True)
                code = code_digest(self.place.generators / message.type)
                made = made.model_copy(
                    update={
                        "repetition": again,
                        "seed": message.seed,
                        "generator_digest": code,
                        "objects": {},
                    }
                )
                key = keys.ReceiptKey(message.type, message.indices, message.salt, message.seed)
                records.write(self.place.store, keys.receipt(key), made)
                self.place.sqs.delete_message(QueueUrl=queue, ReceiptHandle=received["ReceiptHandle"])


def test_certifying_sends_probes_alone_and_shows_what_they_proved(run, place) -> None:
    """A row for each generator; asked again, nothing is sent."""
    asked = ("-g", MAZE, "-g", FIRST, "-n", 1000, "-b", "auto", "--poll-seconds", 0.1)
    worker = Worker(place)
    worker.start()
    try:
        first = run("certify", *asked)
        sent = len(worker.received)
        again = run("certify", *asked)
    finally:
        worker.stop.set()
        worker.join()
    assert first.exit_code == 0, first.output
    assert "2 of 2 generators are certified; 0 failed." in first.output
    assert sent == len(worker.received) == 2 * PROBES
    assert all(message.certify and message.num_samples == 32 for message in worker.received)
    assert "2 of 2 generators are certified" in again.output
    assert set(read_certificates(place.store, [MAZE, FIRST])) == {MAZE, FIRST}
    assert "samples in" in run("plan", *asked[:-2]).output


def test_an_approval_is_filed_with_who_gave_it(run, place) -> None:
    """It takes the place of the one before; 0 takes it back."""
    run("submit", "-g", MAZE, "-n", 100, "--dataset", "mine", "--no-probes")
    result = run("approve", "mine", "--max-cost-usd", 12.5)
    assert result.exit_code == 0
    assert result.output.startswith("mine: $12.50 approved by ")
    run("approve", "mine", "--max-cost-usd", 0)
    assert read_approval(place.store, "mine").max_cost_usd == 0
    for wrong in ("-1", "nan", "inf"):
        assert run("approve", "mine", f"--max-cost-usd={wrong}").exit_code == 2
    assert read_approval(place.store, "mine").max_cost_usd == 0
