"""The first half of the loop: look at the bucket, subtract, send what is missing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from obstore.store import ObjectStore

from vbvrdatafactory.cli import output, queues
from vbvrdatafactory.cli.context import App
from vbvrdatafactory.core.catalogue import read_catalogue
from vbvrdatafactory.core.evidence import Evidence
from vbvrdatafactory.core.gaps import Look
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.plan import DatasetSpec, Plan, choose_generators, make_spec
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.listing import take_evidence
from vbvrdatafactory.s3.work import look, messages_for
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

    def run(self, *, dry_run: bool) -> None:
        """Look and send; with `dry_run` show what would be sent."""
        store = self._app.store()
        # Looked at first, so that a wrong queue is found before anything is written.
        waiting = 0 if dry_run else queues.task_queue(self._app).total
        with output.looking(f"bucket {self._app.bucket_name}") as on_listed:
            seen = look(store, self._plan, on_listed)
            evidence = take_evidence(store, [gap.generator for gap in seen.gaps])
            counts = Counter(message.type for message in self._messages(store, seen, evidence))
        if dry_run:
            self._show(seen, counts)
            return
        self._describe(store)
        if not counts:
            output.say(f"Nothing is missing, no message was sent: {self._whole(seen)}.")
            return
        if waiting:
            output.note(f"{output.plural(waiting, 'message')} in the queue already may make some of this too")
        self._send(seen, self._messages(store, seen, evidence), counts.total())

    def _messages(self, store: ObjectStore, seen: Look, evidence: Evidence) -> Iterator[TaskMessage]:
        """What is missing, on the wire. Made anew each time: a list of millions would not fit."""
        messages = messages_for(store, self._plan, seen.gaps, evidence)
        if self._app.bucket is None:
            return messages
        there = {"output_bucket": self._app.bucket}
        return (message.model_copy(update=there) for message in messages)

    def _describe(self, store: ObjectStore) -> None:
        """File the spec; say so where it replaces another."""
        spec = self._plan.spec
        if spec.dataset in records.list_datasets(store):
            changes = _changes(records.read_spec(store, spec.dataset), spec)
            if changes:
                output.note(
                    f"dataset {spec.dataset!r} was described otherwise before ({changes}); now it is as asked here"
                )
        records.write_spec(store, spec)

    def _send(self, seen: Look, messages: Iterator[TaskMessage], total: int) -> None:
        submitter = TaskSubmitter(self._app.config.sqs_queue_url, client=self._app.sqs)
        with output.progress("sending", total) as advance:
            done = submitter.submit(messages, lambda sent, unsent: advance(sent + unsent))
        done.raise_if_unsent()
        sent, samples = output.plural(done.sent, "message"), output.plural(seen.gaps.sample_count, "sample")
        output.say(f"Sent {sent} for {samples}; {self._whole(seen)}. Next: datafactory monitor --watch")

    def _whole(self, seen: Look) -> str:
        wanted, name = self._plan.sample_count, self._plan.spec.dataset
        return f"{wanted - seen.gaps.sample_count:,} of {wanted:,} samples of {name!r} are whole already"

    def _show(self, seen: Look, counts: Counter[str]) -> None:
        rows = [
            (line.samples, line.batch_count, line.samples - lacking, lacking, counts[line.generator])
            for line in self._plan.generators.values()
            for lacking in [seen.gaps.of(line.generator).samples]
        ]
        totals = [sum(column) for column in zip(*rows, strict=True)]
        cells = [(name, *_grouped(row)) for name, row in zip(self._plan.generators, rows, strict=True)]
        output.show(output.table(_COLUMNS, cells, footer=("total", *_grouped(totals))))
        sent, samples = output.plural(totals[-1], "message"), output.plural(totals[-2], "sample")
        output.say(f"Dry run: would send {sent} for {samples}; nothing was sent or written.")


def _changes(before: DatasetSpec, now: DatasetSpec) -> str:
    """What differs; of the generators, how many."""
    changed = []
    for name in type(now).model_fields:
        old, new = getattr(before, name), getattr(now, name)
        if old != new and name == "generators":
            left_out = len(set(old) - set(new))
            changed.append(f"generators: {left_out:,} left out, {len(set(new) - set(old)):,} added")
        elif old != new:
            changed.append(f"{name}: {_shown(old)} → {_shown(new)}")
    return ", ".join(changed)


def _shown(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, str):
        return value
    return " ".join(str(part) for part in value) or "none"  # type: ignore[attr-defined]


def _grouped(numbers: Sequence[int]) -> list[str]:
    return [f"{number:,}" for number in numbers]
