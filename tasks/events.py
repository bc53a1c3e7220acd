"""Events that automations listen for. Payloads are small: what happened, how much, and what to do about it.

Prefect sends them from a thread of its own; one that it does not take is logged and left out.
"""

from collections.abc import Mapping

from prefect.events import emit_event

from tasks.artifacts import guarded
from vbvrdatafactory.core.escaping import for_markdown
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.run_figures import Broken, EndedEarly


def dataset_planned(plan: Plan) -> None:
    """A dataset was asked for, and filed."""
    counts = {"samples": plan.sample_count, "generators": len(plan.generators), "batches": plan.batch_count}
    _emit("vbvr.dataset.planned", _dataset(plan.spec.dataset), counts)


def dataset_reported(report: Report) -> None:
    """A run of a dataset ended, complete or not."""
    total, run = report.total, report.run
    what = {"expected": total.expected, "whole": total.whole, "missing": total.missing + total.torn}
    why = {
        "messages": run.messages if run else 0,
        "queued": run.queued if run else 0,
        "broken": [broken.generator for broken in run.broken] if run else [],
        "ended_early": str(run.early.reason) if run and run.early else "",
    }
    kind = "complete" if report.complete else "incomplete"
    _emit(f"vbvr.dataset.{kind}", _dataset(report.dataset), {"headline": report.verdict, **what, **why})


def generator_broken(dataset: str, broken: Broken) -> None:
    """A generator was skipped for the rest of a run."""
    payload = {"dataset": dataset, "cause": broken.cause or "", "detail": broken.detail}
    _emit("vbvr.generator.broken", f"vbvr.generator.{broken.generator}", payload)


def queue_stalled(dataset: str, why: EndedEarly) -> None:
    """Nobody takes messages."""
    _emit("vbvr.queue.stalled", _dataset(dataset), {"detail": why.detail, "next_move": why.next_move})


def _dataset(name: str) -> str:
    return f"vbvr.dataset.{name}"


def _emit(event: str, resource: str, payload: Mapping[str, object]) -> None:
    """Text goes into messages and artifacts that are Markdown, whatever block people have chosen for them."""
    shown = {
        name: for_markdown(value) if isinstance(value, str) else value for name, value in payload.items()
    }
    guarded(
        lambda: emit_event(
            event,
            resource={"prefect.resource.id": resource, "prefect.resource.name": resource.split(".", 2)[2]},
            payload=shown,
        )
    )
