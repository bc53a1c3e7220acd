"""`datafactory browse`: the samples of a dataset, to look at."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vbvrdatafactory.cli.context import App

if TYPE_CHECKING:
    from vbvrdatafactory.browse.choice import Query
    from vbvrdatafactory.browse.shown import Shown
    from vbvrdatafactory.cli.serving import Server
    from vbvrdatafactory.driver.browse import Look

_EPILOG = """
\b
Examples:
  datafactory browse my-dataset
  datafactory browse my-dataset --out ./look --per-generator 5 --seed 1
"""
_GENERATORS_A_PAGE = 12
_FAILURES_EACH = 5


@click.command(epilog=_EPILOG)
@click.argument("dataset", required=False)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write a page with the files of its samples to this folder, instead of serving one.",
)
@click.option(
    "--per-generator",
    type=click.IntRange(1, 100),
    default=2,
    show_default=True,
    help="Samples of each generator.",
)
@click.option("--seed", type=click.IntRange(0, 2**31), default=0, show_default=True, help="Which ones.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Serve here [default: any free port].")
@click.option("--bucket", metavar="NAME", help="Look at this bucket instead of OUTPUT_BUCKET.")
@click.pass_context
def browse(  # noqa: PLR0913 - click gives each option as an argument
    ctx: click.Context,
    dataset: str | None,
    out: Path | None,
    per_generator: int,
    seed: int,
    port: int,
    bucket: str | None,
) -> None:
    """Show samples of DATASET with their videos, what made them, what failed, and a map of all states.

    Serves a page on this machine until Ctrl-C; its address opens once, in one browser. DATASET may be omitted where the
    bucket has only one. Nothing in the bucket is changed.
    """
    from tempfile import TemporaryDirectory

    from vbvrdatafactory.cli import output
    from vbvrdatafactory.cli.completeness import plan_of
    from vbvrdatafactory.driver.browse import Look
    from vbvrdatafactory.driver.browse_folder import write_folder

    app = ctx.ensure_object(App)
    app.bucket = bucket
    plan = plan_of(app, dataset)
    with TemporaryDirectory(prefix="datafactory-browse-") as tables:
        look = Look(app.services, plan, Path(tables))
        with output.listing(f"bucket {app.bucket_name}") as on_listed:
            look.take(on_listed)
        if out:
            count = write_folder(look, out, app.bucket_name, per_generator, seed)
            output.say(f"Wrote {count:,} samples to {out / 'index.html'}; open it in a browser.")
        else:
            server = make_server(look, app.bucket_name, per_generator, seed, port)
            _serve(server, plan.spec.dataset)


def make_server(look: "Look", bucket: str, per_generator: int, seed: int, port: int) -> "Server":
    """A server of the look on 127.0.0.1; it serves from `serve_forever` on."""
    from vbvrdatafactory.browse.choice import Query
    from vbvrdatafactory.browse.page import policy, to_html
    from vbvrdatafactory.cli.serving import Server, Site

    def page(asked: dict[str, str]) -> str:
        query = Query.parse({"seed": str(seed), **asked})
        return to_html(_shown(look, query, bucket, per_generator))

    return Server(Site(page, policy(is_served=True), look.file, look.report), port)


def _serve(server: "Server", dataset: str) -> None:
    from vbvrdatafactory.cli import output

    with server:
        output.say(f"Serving {dataset} until Ctrl-C. Open, once: {server.url}")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            output.say("Stopped.")


def _shown(look: "Look", query: "Query", bucket: str, per_generator: int) -> "Shown":
    names = look.having(query)
    pages = max(1, -(-len(names) // _GENERATORS_A_PAGE))
    first = min(query.page, pages - 1) * _GENERATORS_A_PAGE
    names = names[first : first + _GENERATORS_A_PAGE]
    # Of one generator there is room for more.
    choice = look.choose(query, names, per_generator if len(names) > 1 else max(12, per_generator))
    failures = look.failures(names, _FAILURES_EACH)
    return look.shown(query, bucket, choice, failures)._replace(pages=pages)
