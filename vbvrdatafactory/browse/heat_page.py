"""The heat map as HTML."""

from functools import lru_cache

from vbvrdatafactory.browse.choice import Query
from vbvrdatafactory.browse.heat import Cell, Heat, Row
from vbvrdatafactory.browse.states import WORDS
from vbvrdatafactory.core.escaping import for_html


@lru_cache(maxsize=2)
def to_svg(heat: Heat, *, is_served: bool) -> str:
    """A row for each generator, a cell for each range; where it is served each leads to its samples."""
    longest = max((row.samples for row in heat.rows), default=0) or 1
    rows = "".join(_row(row, longest, is_served=is_served) for row in heat.rows)
    seen = {cell.worst for row in heat.rows for cell in row.cells}
    legend = "".join(f'<span class="badge {word}">{word}</span> ' for word in WORDS.values() if word in seen)
    left_off = (
        f'<p class="quiet">{heat.left_off:,} more generators have no more to look at than these.</p>'
        if heat.left_off
        else ""
    )
    return f'<p>{legend}</p><div class="scroll"><table class="heat">{rows}</table></div>{left_off}'


def _row(row: Row, longest: int, *, is_served: bool) -> str:
    cells = "".join(_rect(row, cell, is_served=is_served) for cell in row.cells)
    return (
        f"<tr><th>{for_html(row.generator)}</th><td>"
        f'<svg viewBox="0 0 {longest} 10" preserveAspectRatio="none" role="img" aria-label="states of {row.samples:,} samples">'
        f"{cells}</svg></td></tr>"
    )


def _rect(row: Row, cell: Cell, *, is_served: bool) -> str:
    said = ", ".join(f"{count:,} {word}" for word, count in cell.counts)
    rect = (
        f'<rect x="{cell.indices.start}" width="{cell.indices.size}" height="10" class="{cell.worst}"'
        f' fill-opacity="{0.35 + 0.65 * cell.share:.2f}"><title>{cell.indices}: {said}</title></rect>'
    )
    if not is_served:
        return rect
    start, stop = cell.indices
    address = Query(row.generator, start=start, stop=stop).address()
    return f'<a href="{for_html(address)}">{rect}</a>'
