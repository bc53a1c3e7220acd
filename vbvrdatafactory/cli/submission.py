"""The first half of the loop: look at the bucket, subtract, send what is missing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from obstore.store import ObjectStore

from vbvrdatafactory.cli import output, queues
from vbvrdatafactory.cli.context import App
from vbvrdatafactory.cli.redefining import agree
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.driver.messages import messages_for
from vbvrdatafactory.driver.observe import look, with_origins
from vbvrdatafactory.driver.origins import other_seed
from vbvrdatafactory.fleet.catalogue import read_catalogue
from vbvrdatafactory.planning.evidence import Evidence
from vbvrdatafactory.planning.gaps import Observation
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.planning.selection import choose_generators
from vbvrdatafactory.planning.spec_changes import describe, refusal
from vbvrdatafactory.report.completeness import EndedEarly
from vbvrdatafactory.s3.listing import take_evidence
from vbvrdatafactory.s3.specs import compare_spec, write_spec
from vbvrdatafactory.sqs.submitter import TaskSubmitter

_COLUMNS = ("generator", "samples", "batches", "already whole", "to make", "messages to send")


def choose(app: App, patterns: Sequence[str]) -> tuple[str, ...]:
    """The generators that `patterns` stand for."""
    catalogue = read_catalogue(app.config.generators_path)
    chosen = choose_generators(patterns, catalogue.usable, catalogue.unusable)
    for name, why in catalogue.left_out(patterns).items():
        output.note(f"generator {name!r} is left out: {why}")
    return chosen


def plan(app: App, patterns: Sequence[str], asked: dict[str, Any]) -> Plan:
    """What was asked for on the command line, worked out."""
    return Plan(make_spec(generators=choose(app, patterns), **asked))


class Submission:
    """One submission of one dataset."""

    def __init__(self, app: App, plan: Plan) -> None:
        self._app = app
        self._plan = plan

    def run(self, *, dry_run: bool, replace: bool = False) -> None:
        """Look and send; with `dry_run` show what would be sent; with `replace` whatever the name stood for before.

        Raises:
            DataFactoryError: the name stands for another dataset, or samples in the bucket are of another seed.
        """
        store = self._app.store()
        # Looked at first, so that a wrong queue is found before anything is written.
        waiting = 0 if dry_run else queues.task_queue(self._app).total
        replace = dry_run or self._agree(store, replace=replace)
        with output.looking(f"bucket {self._app.bucket_name}") as on_listed:
            seen = with_origins(store, self._plan, look(store, self._plan, on_listed))
            evidence = take_evidence(store, [gap.generator for gap in seen.gaps])
            counts = Counter(message.type for message in self._messages(store, seen, evidence))
        refused = other_seed(store, self._plan, seen)
        if dry_run:
            self._show(seen, counts, self._obstacles(store, refused))
            return
        if refused:
            raise DataFactoryError(f"{refused.detail}; {refused.next_move}")
        self._describe(store, replace=replace)
        if not counts:
            output.say(f"Nothing is missing, no message was sent: {self._whole(seen)}.")
            return
        if waiting:
            output.note(f"{output.plural(waiting, 'message')} in the queue already may make some of this too")
        self._send(seen, self._messages(store, seen, evidence), counts.total())

    def _agree(self, store: ObjectStore, *, replace: bool) -> bool:
        spec = self._plan.spec
        return agree(spec.dataset, compare_spec(store, spec), replace=replace)

    def _obstacles(self, store: ObjectStore, refused: EndedEarly | None) -> list[str]:
        """Why the same without ``--dry-run`` would send nothing, a line each."""
        changes = [c for c in compare_spec(store, self._plan.spec) if c.redefines]
        lines = [str(refusal(self._plan.spec.dataset, changes))] if changes else []
        return [*lines, f"{refused.detail}; {refused.next_move}"] if refused else lines

    def _messages(self, store: ObjectStore, seen: Observation, evidence: Evidence) -> Iterator[TaskMessage]:
        """What is missing, on the wire. Made anew each time: a list of millions would not fit."""
        messages = messages_for(store, self._plan, seen.gaps, evidence)
        if self._app.bucket is None:
            return messages
        there = {"output_bucket": self._app.bucket}
        return (message.model_copy(update=there) for message in messages)

    def _describe(self, store: ObjectStore, *, replace: bool) -> None:
        """File the spec; say so where it replaces another."""
        dataset = self._plan.spec.dataset
        if changes := write_spec(store, self._plan.spec, replace=replace):
            output.note(f"dataset {dataset!r} was described otherwise before ({describe(changes)})")

    def _send(self, seen: Observation, messages: Iterator[TaskMessage], total: int) -> None:
        submitter = TaskSubmitter(self._app.config.sqs_queue_url, client=self._app.sqs)
        with output.progress("sending", total) as advance:
            done = submitter.submit(messages, lambda sent, unsent: advance(sent + unsent))
        done.raise_if_unsent()
        sent, samples = output.plural(done.sent, "message"), output.plural(seen.gaps.sample_count, "sample")
        output.say(f"Sent {sent} for {samples}; {self._whole(seen)}. Next: datafactory monitor --watch")

    def _whole(self, seen: Observation) -> str:
        wanted, name = self._plan.sample_count, self._plan.spec.dataset
        return f"{wanted - seen.gaps.sample_count:,} of {wanted:,} samples of {name!r} are whole already"

    def _show(self, seen: Observation, counts: Counter[str], obstacles: Sequence[str]) -> None:
        rows = [
            (line.samples, line.batch_count, line.samples - lacking, lacking, counts[line.generator])
            for line in self._plan.generators.values()
            for lacking in [seen.gaps.of(line.generator).samples]
        ]
        totals = [sum(column) for column in zip(*rows, strict=True)]
        cells = [(name, *_grouped(row)) for name, row in zip(self._plan.generators, rows, strict=True)]
        output.show(output.table(_COLUMNS, cells, footer=("total", *_grouped(totals))))
        sent, samples = output.plural(totals[-1], "message"), output.plural(totals[-2], "sample")
        for obstacle in obstacles:
            output.note(obstacle)
        if obstacles:
            output.say(f"Dry run: this would be refused, so nothing would be sent of {sent} for {samples}.")
            return
        output.say(f"Dry run: would send {sent} for {samples}; nothing was sent or written.")


def _grouped(numbers: Sequence[int]) -> list[str]:
    return [f"{number:,}" for number in numbers]
