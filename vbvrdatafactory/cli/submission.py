"""The first half of the loop: look at the bucket, subtract, send what is missing."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from vbvrdatafactory.cli import output, queues
from vbvrdatafactory.cli.context import App
from vbvrdatafactory.cli.redefining import agree
from vbvrdatafactory.cli.sending import locked, noting, send
from vbvrdatafactory.control.run_policy import RunPolicy
from vbvrdatafactory.core.errors import DataFactoryError, UnreadableRecordError
from vbvrdatafactory.core.humanize import format_count
from vbvrdatafactory.driver import choosing
from vbvrdatafactory.driver.guard import SendGuard
from vbvrdatafactory.driver.messages import messages_for
from vbvrdatafactory.driver.mismatch import check_mismatch, refuse_mismatch
from vbvrdatafactory.driver.observe import observe_plan
from vbvrdatafactory.planning.gaps import Observation
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.planning.spec_changes import describe, refusal
from vbvrdatafactory.s3 import specs

_COLUMNS = ("generator", "samples", "batches", "already whole", "to make", "messages to send")


def choose(app: App, patterns: Sequence[str]) -> tuple[str, ...]:
    """The generators that `patterns` stand for."""
    return _choose(app, patterns).names


def _choose(app: App, patterns: Sequence[str]) -> choosing.Chosen:
    chosen = choosing.choose(app.config, patterns)
    for name, why in chosen.left_out.items():
        output.note(f"generator {name!r} is left out: {why}")
    return chosen


def plan(app: App, patterns: Sequence[str], asked: dict[str, Any]) -> Plan:
    """What was asked for on the command line, worked out."""
    return choosing.plan(app.config, _choose(app, patterns), asked)


class Submission:
    """One submission of one dataset.

    Args:
        app: configuration and services.
        plan: the dataset's plan.
        policy: whether to wait for a run that makes the dataset, and how to poll the queue.
        probing: whether generators that are not proven are tried with a few messages first.
    """

    def __init__(self, app: App, plan: Plan, policy: RunPolicy, *, probing: bool = True) -> None:
        self._app = app
        self._plan = plan
        self._policy = policy
        self._probing = probing
        self._services = noting(app.services)

    def run(self, *, replace: bool = False) -> None:
        """Observe the bucket and send what is missing; with `replace` whatever the name stood for before.

        Raises:
            DataFactoryError: the name stands for another dataset, samples in the bucket are not what it asks for, or
                the dataset is busy or paused and is not to be waited for.
        """
        # Looked at first, so that a wrong queue is found before anything is written.
        waiting = queues.task_queue(self._app).total
        spec, store = self._plan.spec, self._services.bucket
        replace = agree(spec.dataset, specs.compare_spec(store, spec), replace=replace)
        seen, counts, _ = self._observe()
        check_mismatch(store, self._plan, seen)
        with locked(self._services, spec.dataset, self._policy) as guard:
            if guard.waited:
                seen, counts, _ = self._observe()
            self._file_spec(replace=replace)
            if not len(seen.gaps):
                output.say(f"Nothing is missing, no message was sent: {self._whole(seen)}.")
                return
            if waiting:
                output.note(
                    f"{format_count(waiting, 'message')} in the queue already may make some of this too"
                )
            self._send(guard, seen, counts.total())

    def dry_run(self) -> None:
        """Show what would be sent; nothing is sent or written."""
        seen, counts, problems = self._observe()
        rows = [
            (line.samples, line.batch_count, line.samples - missing, missing, counts[line.generator])
            for line in self._plan.generators.values()
            for missing in [seen.gaps.of(line.generator).samples]
        ]
        totals = [sum(column) for column in zip(*rows, strict=True)]
        cells = [(name, *_grouped(row)) for name, row in zip(self._plan.generators, rows, strict=True)]
        output.show(output.table(_COLUMNS, cells, footer=("total", *_grouped(totals))))
        obstacles = self._obstacles(seen)
        for line in (*obstacles, *problems):
            output.note(line)
        sent, samples = format_count(totals[-1], "message"), format_count(totals[-2], "sample")
        if obstacles:
            output.say(f"Dry run: this would be refused, so nothing would be sent of {sent} for {samples}.")
            return
        output.say(f"Dry run: would send {sent} for {samples}; nothing was sent or written.")

    def _observe(self) -> tuple[Observation, Counter[str], list[str]]:
        """What is there, how many messages would make the rest of each generator, and why some can't be planned."""
        store = self._services.samples(self._plan.spec.prefix)
        with output.listing(f"bucket {self._app.bucket_name}") as on_listed:
            seen = observe_plan(self._services, self._plan, on_listed, save=False)
            counts, problems = Counter[str](), []
            for gap in seen.gaps:
                try:
                    counts[gap.generator] = sum(
                        1 for _ in messages_for(store, self._plan, [gap], seen.evidence)
                    )
                except UnreadableRecordError as error:
                    problems.append(str(error))
        return seen, counts, problems

    def _obstacles(self, seen: Observation) -> list[str]:
        """Why the same without ``--dry-run`` would send nothing, a line each."""
        store, spec = self._services.bucket, self._plan.spec
        changes = [change for change in specs.compare_spec(store, spec) if change.redefines]
        lines = [str(refusal(spec.dataset, changes))] if changes else []
        refused = refuse_mismatch(store, self._plan, seen)
        return [*lines, f"{refused.detail}; {refused.next_move}"] if refused else lines

    def _file_spec(self, *, replace: bool) -> None:
        """File the spec, and note where it replaces another."""
        spec = self._plan.spec
        if changes := specs.write_spec(self._services.bucket, spec, replace=replace):
            output.note(f"dataset {spec.dataset!r} was described otherwise before ({describe(changes)})")

    def _send(self, guard: SendGuard, seen: Observation, total: int) -> None:
        done = send(
            self._services,
            self._plan,
            self._policy,
            guard,
            seen,
            total=total,
            output_bucket=self._app.bucket,
            probing=self._probing,
        )
        sent = f"Sent {format_count(done.messages, 'message')}; {self._whole(seen)}"
        for problem in done.problems:
            output.note(problem)
        failed = []
        if done.held_back:
            failed.append(
                f"{done.held_back:,} samples were held back, as probes of their generators made nothing: mend these and "
                "run the same again, or send everything with --no-probes"
            )
        if done.problems:
            names = format_count(len(done.problems), "generator")
            failed.append(f"of {names} nothing was sent, as records could not be read")
        if failed:
            raise DataFactoryError("; ".join([sent, *failed]))
        samples = format_count(seen.gaps.sample_count, "sample")
        messages = format_count(done.messages, "message")
        output.say(f"Sent {messages} for {samples}; {self._whole(seen)}. Next: datafactory monitor --watch")

    def _whole(self, seen: Observation) -> str:
        wanted, name = self._plan.sample_count, self._plan.spec.dataset
        return f"{wanted - seen.gaps.sample_count:,} of {wanted:,} samples of {name!r} are whole already"


def _grouped(numbers: Sequence[int]) -> list[str]:
    return [f"{number:,}" for number in numbers]
