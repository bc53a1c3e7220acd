"""What a plan takes as a page: the cost of each generator as a bar with its range, the time line, and after the run what it took."""

from collections.abc import Iterable, Sequence
from string import Template

from vbvrdatafactory.core.escaping import for_html, for_markdown
from vbvrdatafactory.core.humanize import format_duration, format_estimate, format_usd
from vbvrdatafactory.planning.estimates import Estimate
from vbvrdatafactory.planning.pricing import GeneratorPrice, PlanPrice
from vbvrdatafactory.report import plan_text
from vbvrdatafactory.report.costs import GeneratorCosts, RunCosts
from vbvrdatafactory.report.plan_text import (
    CHOICE_COLUMNS,
    COLUMNS,
    cells,
    choice_cells,
    headline,
    notes,
    total_cells,
)

# A page, and a run page, shows so many generators; the table of a page has all.
_MARKDOWN_ROWS = 50
_WIDTH, _BAR = 180, 9

_PAGE = Template("""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>$title</title>
<style>
 :root { color-scheme: light dark; --plan: #3b7dd8; --took: #2a9d5c; --over: #c8483f; --line: #8884; }
 body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
 h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
 table { border-collapse: collapse; width: 100%; } th, td { padding: .3rem .6rem; text-align: right; }
 th:first-child, td:first-child { text-align: left; overflow-wrap: anywhere; min-width: 14rem; } tr { border-top: 1px solid var(--line); }
 tfoot td { font-weight: 600; } .bar { width: 12rem; } .bar svg { display: block; } .quiet { opacity: .7; }
 .scroll { overflow-x: auto; }
</style>
<h1>$headline</h1>
$notes
$time
<h2>Cost by generator</h2>
<p class="quiet">$legend</p>
<div class="scroll"><table><thead><tr>$heads<th class="bar"></th></tr></thead><tbody>$rows</tbody><tfoot>$total</tfoot></table></div>
$choices
</html>
""")


def to_html(price: PlanPrice, took: RunCosts | None = None) -> str:
    """The page; with `took` what each generator took stands beside what was estimated for it."""
    dearest = max((_right_end(one, took) for one in price.generators), default=0.0)
    ordered = sorted(price.generators, key=lambda one: (-one.usd.likely, one.generator))
    actual = {row.generator: row for row in took.generators} if took else {}
    heads = (*COLUMNS, "took", "for") if took else COLUMNS
    return _PAGE.substitute(
        title=for_html(headline(price)),
        headline=for_html(headline(price)),
        notes="".join(f"<p>{for_html(line)}</p>" for line in ([took.line] if took else []) + [*notes(price)]),
        time=_time_line(price, took),
        legend="Bar: what is estimated, with its range."
        + (" Dot: what it took; red outside of the range." if took else ""),
        heads="".join(f"<th>{name}</th>" for name in heads),
        rows="".join(_row(one, actual.get(one.generator), dearest, took is not None) for one in ordered),
        total=_cells_row((*total_cells(price), *(_total_took(took) if took else ())), ""),
        choices=_choices(price),
    )


def _right_end(one: GeneratorPrice, took: RunCosts | None) -> float:
    found = next((row.usd for row in took.generators if row.generator == one.generator), 0.0) if took else 0.0
    return max(one.usd.high, found)


def _row(one: GeneratorPrice, actual: GeneratorCosts | None, dearest: float, has_run: bool) -> str:  # noqa: FBT001
    more: tuple[str, ...] = ()
    if has_run:
        more = (format_usd(actual.usd), f"{actual.samples:,} samples") if actual else ("-", "-")
    return _cells_row((*cells(one), *more), _bar(one, actual, dearest))


def _cells_row(texts: Iterable[str], bar: str) -> str:
    return f"<tr>{''.join(f'<td>{for_html(text)}</td>' for text in texts)}<td class='bar'>{bar}</td></tr>"


def _total_took(took: RunCosts) -> tuple[str, str]:
    rows = took.generators
    return format_usd(sum(row.usd for row in rows)), f"{sum(row.samples for row in rows):,} samples"


def _bar(one: GeneratorPrice, actual: GeneratorCosts | None, dearest: float) -> str:
    if not dearest:
        return ""
    low, likely, high = (_WIDTH * value / dearest for value in one.usd)
    dot = ""
    if actual and actual.batches:
        # What was sent for may be more or less than what was estimated: the price of a sample is compared.
        scaled = actual.usd * one.samples / actual.samples if actual.samples else actual.usd
        colour = "--took" if one.usd.holds(scaled) else "--over"
        at = min(_WIDTH - 4.0, _WIDTH * scaled / dearest)
        dot = f'<circle cx="{max(4.0, at):.1f}" cy="9" r="4" fill="var({colour})"/>'
    return (
        f'<svg width="{_WIDTH}" height="18" role="img" aria-label="{for_html(plan_text.between(one.usd))}">'
        f'<rect x="0" y="{9 - _BAR / 2}" width="{likely:.1f}" height="{_BAR}" fill="var(--plan)" fill-opacity=".75"/>'
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="9" y2="9" stroke="var(--plan)" stroke-width="2"/>{dot}</svg>'
    )


def _time_line(price: PlanPrice, took: RunCosts | None) -> str:
    """How long it takes, from the soonest to the latest end."""
    # A run's own begins with its probes.
    own = took.forecast_seconds if took else None
    wall = Estimate(own.low, own.likely, own.high) if own else price.wall_seconds
    if not price.generators:
        return ""
    end = max(wall.high, took.seconds if took else 0.0) * 1.03
    low, likely, high = (720 * seconds / end for seconds in wall)
    marks = [
        f'<rect x="0" y="14" width="{low:.1f}" height="12" fill="var(--plan)" fill-opacity=".75"/>',
        f'<rect x="{low:.1f}" y="14" width="{max(1.0, high - low):.1f}" height="12" fill="var(--plan)" fill-opacity=".25"/>',
        f'<line x1="{likely:.1f}" x2="{likely:.1f}" y1="10" y2="30" stroke="var(--plan)" stroke-width="2"/>',
        _text(likely, 44, f"about {format_estimate(wall.likely)}"),
    ]
    if took:
        at = 720 * took.seconds / end
        colour = "--took" if wall.low * 0.99 <= took.seconds <= wall.high * 1.01 else "--over"
        marks.append(f'<circle cx="{at:.1f}" cy="20" r="5" fill="var({colour})"/>')
        marks.append(_text(at, 8, f"took {format_duration(took.seconds)}"))
    return (
        f'<h2>Time</h2><svg width="100%" viewBox="-4 -4 760 54" font-family="system-ui, sans-serif" font-size="12" '
        f'fill="currentColor" role="img" aria-label="time line">{"".join(marks)}</svg>'
    )


def _text(x: float, y: float, text: str) -> str:
    anchor = "start" if x < 120 else "end" if x > 600 else "middle"
    return f'<text x="{x:.1f}" y="{y:.0f}" text-anchor="{anchor}">{for_html(text)}</text>'


def _choices(price: PlanPrice) -> str:
    if not price.choices:
        return ""
    heads = "".join(f"<th>{name}</th>" for name in CHOICE_COLUMNS)
    rows = "".join(_cells_row(choice_cells(choice), "") for choice in price.choices)
    return (
        "<h2>With another memory size or architecture</h2>"
        "<p class='quiet'>Wall time and cost of Lambda; batch sizes that are chosen are chosen anew for each.</p>"
        f"<div class='scroll'><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def to_markdown(price: PlanPrice) -> str:
    """The same for a run page: the dearest generators."""
    ordered = sorted(price.generators, key=lambda one: (-one.usd.likely, one.generator))
    lines = [f"**{for_markdown(headline(price))}**", ""]
    lines += [f"- {for_markdown(line)}" for line in notes(price)]
    if ordered:
        lines += [
            "",
            *_markdown_table(
                COLUMNS, [cells(one) for one in ordered[:_MARKDOWN_ROWS]] + [total_cells(price)]
            ),
        ]
    if (more := len(ordered) - _MARKDOWN_ROWS) > 0:
        lines.append(f"\n{more:,} cheaper generators are in the page.")
    return "\n".join(lines) + "\n"


def _markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(heads)} |",
        f"|{'---|' * len(heads)}",
        *(f"| {' | '.join(for_markdown(cell) for cell in row)} |" for row in rows),
    ]
