"""Writes a look at a dataset to a folder: a page, and beside it the files of its samples and the reports of its runs."""

from pathlib import Path

from vbvrdatafactory.browse.choice import Query
from vbvrdatafactory.browse.page import to_html
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.driver.browse import Chosen, Look, run_name
from vbvrdatafactory.report import html as report_html

_FAILURES_EACH = 20


def write_folder(look: Look, folder: Path, bucket: str, per_generator: int, seed: int) -> int:
    """Write ``index.html``, and ``sample/`` and ``run/`` beside it; returns how many samples those are.

    Args:
        look: the dataset.
        folder: where; it is made where it does not exist.
        bucket: the bucket's name, for people.
        per_generator: how many samples of each generator.
        seed: which ones.
    """
    query = Query(seed=seed)
    chosen, found = look.choose(query, look.generators, per_generator)
    for one in chosen:
        _write_sample(look, one, folder / "sample" / one.generator / str(one.sample_index))
    for run in look.filed_runs():
        if run.report:
            (folder / "run").mkdir(parents=True, exist_ok=True)
            (folder / "run" / f"{run_name(run)}.html").write_text(
                # Made anew: the one in the bucket is a page, and here it would run what a stranger put into it.
                report_html.to_html(run.report),
                encoding="utf-8",
            )
    failures = look.failures(look.generators, _FAILURES_EACH)
    shown = look.shown(query, bucket, (chosen, found), failures)._replace(is_served=False)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(to_html(shown), encoding="utf-8")
    return len(chosen)


def _write_sample(look: Look, one: Chosen, folder: Path) -> None:
    try:
        files = look.read(one.place, one.generator)
    except DataFactoryError:
        # Its card says so.
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
