"""The page: the map, the filters, samples, failures and runs, as HTML that needs no other file but the samples' own."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from importlib.resources import files
from string import Template
from urllib.parse import quote

from vbvrdatafactory.browse.choice import Query
from vbvrdatafactory.browse.heat_page import to_svg
from vbvrdatafactory.browse.shown import Card, Failed, RunLink, Shown
from vbvrdatafactory.core.contract import FINAL_FRAME, FIRST_FRAME, VIDEO
from vbvrdatafactory.core.escaping import for_html

# More videos at once stop a browser.
_MOST_PLAYING = 40
_NONE = '<span class="quiet">none</span>'
_CSS, _JS = (files(__package__).joinpath(name).read_text("utf-8") for name in ("page.css", "filter.js"))

_PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="$policy">
<link rel="icon" href="data:,"><title>$dataset</title><style>$css</style></head><body>
<header><h1>$dataset</h1><p class="quiet">bucket <code>$bucket</code> · as of $at · $totals<br>
<a href="#failures">failures</a> · <a href="#map">map</a> · <a href="#runs">runs</a></p></header>
$filters
<section id="samples"><h2>Samples <span class="quiet" id="found">$found</span></h2>
<div class="cards">$cards</div>$pager</section>
$failures
<section id="map"><h2>States by generator and index</h2>$heat</section>
$runs
$script</body></html>
""")


def policy(*, is_served: bool) -> str:
    """The content security policy: nothing but this page's own style and script, and pictures and videos beside it."""
    script = "'none'" if is_served else _hash(_JS)
    # Where a page is a file, "self" is nothing in some browsers.
    own = "'self'" if is_served else "'self' file:"
    return (
        f"default-src 'none'; img-src {own} data:; media-src {own}; style-src {_hash(_CSS)}; "
        f"script-src {script}; form-action 'self'; base-uri 'none'"
    )


def to_html(shown: Shown) -> str:
    """The page."""
    return _PAGE.substitute(
        policy=policy(is_served=shown.is_served),
        css=_CSS,
        dataset=for_html(shown.dataset),
        bucket=for_html(shown.bucket),
        at=for_html(shown.at),
        totals=", ".join(f"{count:,} {word}" for word, count in shown.heat.totals),
        filters=_filters(shown),
        found=f"{len(shown.cards):,} of {shown.found:,}",
        cards="".join(_card(card, plays=len(shown.cards) <= _MOST_PLAYING) for card in shown.cards)
        or '<p class="quiet">No sample is as asked for.</p>',
        pager=_pager(shown) if shown.is_served else "",
        failures=_failures(shown),
        heat=to_svg(shown.heat, is_served=shown.is_served),
        runs=_runs(shown.runs),
        script="" if shown.is_served else f"<script>{_JS}</script>",
    )


def _filters(shown: Shown) -> str:
    query = shown.query
    words = [word for word, _ in shown.heat.totals if word != "missing"]
    is_part = query.start or query.stop != Query().stop
    span = (
        f'<input type="hidden" name="start" value="{query.start}"><input type="hidden" name="stop" value="{query.stop}">'
        f'<a href="{for_html(query.address(start=0, stop=Query().stop))}">indices {query.start:,} to {query.stop - 1:,} (show all)</a>'
        if is_part
        else ""
    )
    return (
        '<form method="get" id="filters">'
        f"<label>generator {_select('generator', shown.generators, query.generator)}</label>"
        f"<label>state {_select('state', words, query.state)}</label>"
        f'<label>digest <input name="digest" size="14" placeholder="begins with" value="{for_html(query.digest)}"></label>'
        f'<label><input type="checkbox" name="copies" value="1"{" checked" * query.copies}> duplicates only</label>'
        f"{span}<button>Show</button>"
        + (
            f'<a href="{for_html(query.address(seed=query.seed + 1))}">other samples</a>'
            if shown.is_served
            else ""
        )
        + '<a href="?">all</a></form>'
    )


def _select(name: str, values: Iterable[str], chosen: str) -> str:
    options = "".join(
        f'<option value="{for_html(value)}"{" selected" * (value == chosen)}>{for_html(value)}</option>'
        for value in values
    )
    return f'<select name="{name}"><option value="">all</option>{options}</select>'


def _pager(shown: Shown) -> str:
    page = shown.query.page
    links = [
        f'<a href="{for_html(shown.query.address(page=other))}">{text}</a>'
        for other, text in ((page - 1, "← earlier generators"), (page + 1, "further generators →"))
        if 0 <= other < shown.pages
    ]
    return (
        f'<nav>{" · ".join(links)} <span class="quiet">page {page + 1} of {shown.pages}</span></nav>'
        if links
        else ""
    )


def _card(card: Card, *, plays: bool) -> str:
    first, final, video = (quote(card.urls.get(name, "")) for name in (FIRST_FRAME, FINAL_FRAME, VIDEO))
    frames = "".join(
        f'<figure><img alt="{text}" loading="lazy" src="{for_html(url)}"><figcaption>{text}</figcaption></figure>'
        for url, text in ((first, "first frame"), (final, "final frame"))
        if url
    )
    poster = f' poster="{for_html(first)}"' if first else ""
    film = (
        f'<figure><video muted loop playsinline controls preload="{"metadata" if plays else "none"}"'
        f'{" autoplay" * plays}{poster} src="{for_html(video)}"></video><figcaption>video</figcaption></figure>'
        if video
        else ""
    )
    facts = "".join(f"<dt>{for_html(name)}</dt><dd>{for_html(value)}</dd>" for name, value in card.facts)
    texts = "".join(
        f"<details><summary>{for_html(name)}</summary><pre>{for_html(text)}</pre></details>"
        for name, text in card.metadata.items()
    )
    copy = f' <span class="badge">same as {card.copy_of:,}</span>' if card.copy_of is not None else ""
    problem = f'<p class="bad">{for_html(card.problem)}</p>' if card.problem else ""
    return (
        f'<article data-generator="{for_html(card.generator)}" data-state="{card.state}" data-digest="{for_html(card.digest)}"'
        f' data-copy="{int(card.copy_of is not None)}"><h3>{for_html(card.generator)} <b>{card.sample_index:,}</b>'
        f' <span class="badge {card.state}">{card.state}</span>{copy}</h3>{problem}<div class="pictures">{frames}{film}</div>'
        f'<p class="prompt">{for_html(card.prompt)}</p>'
        f"<details><summary>what made it</summary><dl>{facts}</dl></details>{texts}</article>"
    )


def _failures(shown: Shown) -> str:
    more = f'<p class="quiet">and {shown.more_failures:,} earlier ones</p>' if shown.more_failures else ""
    return f'<section id="failures"><h2>Failed attempts</h2>{"".join(map(_failed, shown.failures)) or _NONE}{more}</section>'


def _failed(failed: Failed) -> str:
    record = failed.record
    pictures = "".join(
        f'<figure><img alt="" src="data:image/jpeg;base64,{for_html(picture.jpeg)}">'
        f"<figcaption>{picture.sample_index:,}: {for_html(picture.shows)}</figcaption></figure>"
        for picture in record.pictures
    )
    return (
        f'<details class="failed" data-generator="{for_html(failed.generator)}"><summary><b>{for_html(failed.generator)}</b>'
        f' {for_html(failed.indices)} · <span class="bad">{record.cause}</span> · {for_html(record.detail)}</summary>'
        f'<p class="quiet">attempt {record.attempt}, {record.failed_at:%Y-%m-%d %H:%M:%S %Z}, seed {record.seed}</p>'
        f'<div class="pictures small">{pictures}</div><pre>{for_html(record.stderr_tail) or "nothing on stderr"}</pre></details>'
    )


def _runs(runs: Sequence[RunLink]) -> str:
    lines = "".join(
        f'<li><a href="{for_html(quote(run.url))}">{for_html(run.text)}</a></li>'
        if run.url
        else f"<li>{for_html(run.text)}</li>"
        for run in runs
    )
    return f'<section id="runs"><h2>Runs</h2><ul>{lines or _NONE}</ul></section>'


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
