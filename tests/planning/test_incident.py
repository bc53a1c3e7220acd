"""The incident of 2026-01-15, replayed: 430,000 samples asked for, 97.6 % arrived."""

import json
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.evidence import Evidence
from vbvrdatafactory.planning.gaps import Gaps, Observation, find_gaps
from vbvrdatafactory.planning.inventory import Inventory
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.planning.replan import messages
from vbvrdatafactory.report.build import make_report

RECORD = Path(__file__).parents[1] / "data" / "incident-2026-01-15.json"


@cache
def incident() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORD.read_text())
    return found


def dead() -> set[tuple[str, int]]:
    """(generator, start index) of the batches that ended in the dead letter queue."""
    return {(row["type"], start) for row in incident()["failed"] for start in row["start_indices"]}


def plan() -> Plan:
    names = [*incident()["complete"], *(row["type"] for row in incident()["failed"])]
    return Plan(
        make_spec(
            generators=names,
            samples=incident()["samples_per_generator"],
            batch_size=incident()["batch_size"],
            output_format=incident()["output_format"],
        )
    )


def arrived() -> Inventory:
    """The archives that were in the bucket the morning after."""
    batches = [batch for batch in plan() if (batch.generator, batch.start) not in dead()]
    assert len(batches) == 4195
    inventory = Inventory()
    inventory.add(sorted((keys.archive(keys.Archive(b.generator, b.indices)), 10**6) for b in batches))
    return inventory


def seen(inventory: Inventory) -> Observation:
    return Observation(inventory, find_gaps(plan(), inventory))


def gaps() -> Gaps:
    return find_gaps(plan(), arrived())


def gap_fill() -> list[TaskMessage]:
    return [message for gap in gaps() for message in messages(plan(), gap, Evidence(), {})]


def test_the_gaps_are_exactly_the_105_missing_batches() -> None:
    """10,500 samples of five generators are missing, and each of them is in a dead batch."""
    missing = {(gap.generator, start) for gap in gaps() for r in gap.ranges for start in range(*r, 100)}
    assert missing == dead()
    assert gaps().sample_count == incident()["totals"]["missing_samples"] == 10_500
    assert gaps().of("G-41_grid_highest_cost_data-generator").ranges == (IndexRange(0, 10_000),)


def test_gap_fill_sends_105_messages_with_their_planned_seeds() -> None:
    """Not 500, not the 50,000 samples that were submitted by hand: the dead batches, as planned."""
    planned = {(batch.generator, batch.start): batch.seed for batch in plan()}
    sent = gap_fill()
    assert {(m.type, m.start_index): m.seed for m in sent} == {batch: planned[batch] for batch in dead()}
    assert len(sent) == incident()["totals"]["dlq_messages"] == 105
    assert sum(message.num_samples for message in sent) == 10_500


def test_each_generator_is_asked_for_what_it_lacks() -> None:
    """One batch, two, one, one, and all hundred of the generator that failed everywhere."""
    assert sorted(Counter(message.type for message in gap_fill()).values()) == [1, 1, 1, 2, 100]
    assert {message.output_format for message in gap_fill()} == {"tar"}


def test_the_report_says_what_happened() -> None:
    """The morning's line: 97.56 %, and which generators are red."""
    report = make_report(plan(), seen(arrived()), at=datetime(2026, 1, 15, tzinfo=UTC))
    assert (
        report.result_line
        == "RESULT expected=430000 whole=419500 torn=0 missing=10500 messages=0 other_seed=0 right=0"
    )
    assert report.total.percent == 97.56
    assert [t.generator for t in report.generators if t.missing] == [
        row["type"] for row in incident()["failed"]
    ]
    assert "- G-32_undirected_graph_navigation_data-generator: 6600-6699, 7500-7599" in report.to_markdown()


def test_after_the_gap_fill_nothing_is_missing() -> None:
    """The 105 archives make the dataset whole, and the next round sends nothing."""
    inventory = arrived()
    inventory.add((keys.archive(keys.Archive(m.type, m.indices)), 10**6) for m in gap_fill())
    assert find_gaps(plan(), inventory).sample_count == 0
    assert make_report(plan(), seen(inventory), at=datetime(2026, 1, 16, tzinfo=UTC)).complete
