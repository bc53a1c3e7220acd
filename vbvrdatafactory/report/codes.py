"""What a report says where several codes of a generator made its samples, as after a deployment in the middle of a run."""

from collections.abc import Iterable, Iterator

from vbvrdatafactory.planning.codes import Code
from vbvrdatafactory.report.tallies import Tally

_SHOWN = 20


def code_notes(tallies: Iterable[Tally]) -> Iterator[str]:
    """A line for each generator with samples of several codes."""
    mixed = [tally for tally in tallies if len(tally.codes) > 1]
    for tally in mixed[:_SHOWN]:
        parts = ", ".join(f"{one.samples:,} by {_name(one)}" for one in tally.codes)
        yield f"{tally.generator}: its samples were made by {len(tally.codes)} versions of its code: {parts}."
    if (more := len(mixed) - _SHOWN) > 0:
        yield f"{more:,} more generators have samples of several versions of their code."


def _name(code: Code) -> str:
    return f"{code.code[:12]} (commit {code.commit[:12]})" if code.commit else code.code[:12]
