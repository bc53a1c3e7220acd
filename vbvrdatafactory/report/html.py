"""The report as a self-contained HTML file: headline, a bar for each generator, and sample images."""

from base64 import b64encode
from collections.abc import Iterable
from string import Template
from typing import NamedTuple

from vbvrdatafactory.core.escaping import for_html
from vbvrdatafactory.core.ranges import describe
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.tallies import COLUMNS, Tally


class Picture(NamedTuple):
    """One sample of a generator: its frames as PNG bytes, and its prompt."""

    generator: str
    first_frame: bytes
    final_frame: bytes | None
    prompt: str


_PAGE = Template("""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>$title</title>
<style>
 :root { color-scheme: light dark; --good: #2a9d5c; --torn: #d99a1c; --bad: #c8483f; --line: #8884; }
 body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
 h1 { font-size: 1.5rem; } h1::before { content: "$mark "; color: $colour; }
 table { border-collapse: collapse; width: 100%; } th, td { padding: .35rem .6rem; text-align: right; }
 th:first-child, td:first-child { text-align: left; } tr { border-top: 1px solid var(--line); }
 tfoot td { font-weight: 600; } .bar { width: 11rem; } .bar svg { display: block; }
 figure { margin: 0; } .samples { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); }
 figure img { width: 48%; image-rendering: auto; border-radius: .3rem; border: 1px solid var(--line); }
 pre { overflow-x: auto; font-size: .85em; } figcaption { font-size: .85rem; } .quiet { opacity: .7; } code { font-size: .85em; }
</style>
<h1>$headline</h1>
<p class="quiet">$at · bucket <code>$bucket</code></p>
<p>$run</p>
$remarks
<table><thead><tr>$heads<th class="bar"></th></tr></thead><tbody>$rows</tbody><tfoot>$total</tfoot></table>
$failures
$skipped
$gaps
$samples
</html>
""")


def to_html(report: Report, pictures: Iterable[Picture] = ()) -> str:
    """The report as HTML with the given samples."""
    return _PAGE.substitute(
        title=for_html(report.headline),
        headline=for_html(report.headline),
        mark="✓" if report.complete else "✗",
        colour="var(--good)" if report.complete else "var(--bad)",
        at=report.at.strftime("%Y-%m-%d %H:%M:%S %Z"),
        bucket=for_html(report.bucket),
        run=for_html(report.run_line),
        remarks="".join(f"<p>{for_html(line)}</p>" for line in _remarks(report)),
        heads="".join(f"<th>{name}</th>" for name in COLUMNS),
        rows="".join(_row(tally) for tally in report.generators),
        total=_row(report.total),
        failures=_failures(report),
        skipped=_skipped(report),
        gaps=_gaps(report),
        samples=_samples(pictures),
    )


def _remarks(report: Report) -> list[str]:
    of_run = report.run.remarks if report.run else []
    return [*of_run, *report.content_notes, *report.repeats, *report.notes_on_samples, *report.foreign]


def _row(tally: Tally) -> str:
    cells = "".join(f"<td>{for_html(cell)}</td>" for cell in tally.cells)
    return f'<tr>{cells}<td class="bar">{_bar(tally)}</td></tr>'


def _bar(tally: Tally) -> str:
    whole, torn = (100 * part / tally.expected for part in (tally.whole, tally.torn))
    return (
        '<svg width="176" height="10" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" '
        f'aria-label="{tally.percent} percent whole">'
        '<rect width="100" height="10" rx="2" fill="var(--line)"/>'
        f'<rect width="{whole:.2f}" height="10" rx="2" fill="var(--good)"/>'
        f'<rect x="{whole:.2f}" width="{torn:.2f}" height="10" fill="var(--torn)"/></svg>'
    )


def _failures(report: Report) -> str:
    if not report.failures:
        return ""
    rows = "".join(
        f"<tr><td>{for_html(f.generator)}</td><td>{f.cause}</td><td>{f.count:,}</td>"
        f'<td style="text-align:left"><code>{for_html(f.detail)}</code></td></tr>'
        for f in report.failures
    )
    heads = "<tr><th>generator</th><th>cause</th><th>failed attempts</th><th>the latest said</th></tr>"
    return f"<h2>Why samples are missing</h2><table>{heads}{rows}</table>"


def _skipped(report: Report) -> str:
    """What the generators that were skipped wrote to stderr."""
    broken = [one for one in report.run.broken if one.stderr_tail] if report.run else []
    parts = (
        f"<details><summary>{for_html(one.generator)}</summary><pre>{_lines(one.stderr_tail)}</pre></details>"
        for one in broken
    )
    return f"<h2>What skipped generators wrote to stderr</h2>{''.join(parts)}" if broken else ""


def _lines(text: str) -> str:
    return "\n".join(for_html(line) for line in text.splitlines())


def _gaps(report: Report) -> str:
    lines = "".join(
        f"<li>{for_html(tally.generator)}: {describe(tally.gaps, 40)}</li>"
        for tally in report.generators
        if tally.gaps
    )
    return f"<h2>Missing or torn</h2><ul>{lines}</ul>" if lines else ""


def _samples(pictures: Iterable[Picture]) -> str:
    figures = "".join(_figure(picture) for picture in pictures)
    return f'<h2>One sample of each</h2><div class="samples">{figures}</div>' if figures else ""


def _figure(picture: Picture) -> str:
    frames = [frame for frame in (picture.first_frame, picture.final_frame) if frame]
    images = " ".join(
        f'<img alt="{name} frame" src="data:image/png;base64,{b64encode(frame).decode()}">'
        for name, frame in zip(("first", "final"), frames, strict=False)
    )
    return (
        f"<figure>{images}<figcaption><b>{for_html(picture.generator)}</b><br>{for_html(picture.prompt)}"
        "</figcaption></figure>"
    )
