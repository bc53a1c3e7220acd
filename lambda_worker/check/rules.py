"""The rules: what the source says and what the runs made, turned into findings. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from lambda_worker.check.runs import NOT_COMPARED, CheckedRun, Digests
from lambda_worker.check.source import Facts
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.checks import Finding, Rule
from vbvrdatafactory.core.contract import ENTRY_POINT, VIDEO

_ASKED = ("--num-samples", "--seed", "--output-dir", "--output")
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_SHOWN = 5


def of_source(facts: Facts, *, has_script: bool) -> Iterator[Finding]:
    """What is wrong by the source alone."""
    if not has_script:
        where = f"; there is one in {facts.nested[0]!r}" if facts.nested else ""
        yield _error(
            Rule.ENTRY_POINT,
            f"there is no {ENTRY_POINT}{where}",
            "put the generator's own folder at the top of its repository"
            if where
            else "write one, as in the template",
        )
    for name, place in facts.required.items():
        if name not in _ASKED:
            yield _error(
                Rule.OPTIONS,
                f"it does not run without {name!r}, which the factory does not pass",
                "give it a default",
                [place],
            )
    for file, why in facts.broken.items():
        yield _error(Rule.RUNS, f"{file} is no Python of this version: {why}", places=[file])


def of_options(facts: Facts) -> Iterator[Finding]:
    """Options of the contract that no source file names; for a generator that could not be run."""
    for name in ("--num-samples", "--seed"):
        if name not in facts.options:
            yield _error(Rule.OPTIONS, f"it has no option {name}", "add it: the factory always passes it")
    if not {"--output", "--output-dir"} & facts.options.keys():
        yield _error(Rule.OPTIONS, "it has neither --output nor --output-dir", "add one: samples go there")


def of_first_run(run: CheckedRun, facts: Facts, folder: Path) -> Iterator[Finding]:
    """What is wrong with a run that was asked for some samples."""
    if run.failed:
        yield from _of_failure(run, facts, folder)
    elif run.problem:
        yield _error(
            Rule.SAMPLES,
            run.problem,
            "write DIR/{task}_task/{task}_{index}/ with first_frame.png and prompt.txt",
        )
    if run.samples:
        yield from _of_videos(run, facts)


def of_second_run(first: CheckedRun, second: CheckedRun, facts: Facts) -> Iterator[Finding]:
    """What differs between two runs that were asked for the same; the second without streaming."""
    if differ := _differences(first.samples, second.samples):
        yield _error(
            Rule.SAME_BYTES,
            f"the same seed made other files: {differ}",
            "draw every number from a generator that is seeded with --seed, and no picture from the clock",
            [*facts.chance, *facts.clock],
        )


def of_temp(second: CheckedRun, third: CheckedRun, facts: Facts) -> Iterator[Finding]:
    """Files that two runs with different seeds leave under one name in the temp folder."""
    fixed = sorted(second.temp & third.temp)
    if fixed:
        yield _warning(
            Rule.TEMP_PATHS,
            f"it leaves files of the same names in the temp folder: {_some(fixed)}",
            "two runs in one temp folder would swap them; use tempfile.TemporaryDirectory()",
            facts.temp,
        )
    elif facts.fixed:
        yield _warning(
            Rule.TEMP_PATHS,
            "it names a path in the system's temp folder",
            "it may write in its own only: use the tempfile module",
            facts.fixed,
        )


def of_hash_order(first: CheckedRun, other: CheckedRun, facts: Facts) -> Iterator[Finding]:
    """What differs under another PYTHONHASHSEED."""
    if differ := _differences(first.samples, other.samples):
        yield _warning(
            Rule.HASH_ORDER,
            f"under another PYTHONHASHSEED the same seed made other files: {differ}",
            "the factory pins it; by hand nothing repeats. Use hashlib instead of hash(), and sort sets",
            facts.hashes,
        )


def of_count(first: CheckedRun, shorter: CheckedRun) -> Iterator[Finding]:
    """What differs in a run that was asked for fewer samples."""
    head = {index: first.samples[index] for index in shorter.samples if index in first.samples}
    if differ := _differences(head, shorter.samples):
        yield _warning(
            Rule.COUNT,
            f"a run of {shorter.count} does not make the first {shorter.count} of a run of {first.count}: {differ}",
            "seed each sample from --seed and its index; then any one can be made again alone",
        )


def of_seed(first: CheckedRun, other: CheckedRun) -> Iterator[Finding]:
    """Whether another seed makes other samples, under another PYTHONHASHSEED as the factory has it; whether any differ."""
    contents = [_content(digests) for digests in first.samples.values()]
    if len(contents) > 1 and len(set(contents)) == 1:
        yield _warning(
            Rule.DISTINCT,
            f"all {len(contents)} samples are the same",
            "vary them by their index and the seed",
        )
    if first.samples and {*contents} == {_content(digests) for digests in other.samples.values()}:
        yield _error(
            Rule.SEED,
            "another seed made the same samples",
            "use --seed: every batch has its own, and all would be the same",
        )


def _of_failure(run: CheckedRun, facts: Facts, folder: Path) -> Iterator[Finding]:
    failed = run.failed
    assert failed
    places = _frames(run.stderr, folder)
    if failed.cause is Cause.MISSING_DEPENDENCY:
        yield _error(Rule.REQUIREMENTS, failed.detail, "add it to requirements.txt", places)
        return
    usage = [
        line for line in run.stderr.splitlines() if "unrecognized arguments" in line or "required" in line
    ]
    unknown = [name for name in _ASKED if usage and re.search(rf"{name}\b(?!-)", usage[-1])]
    if unknown and not facts.required:
        yield _error(
            Rule.OPTIONS, f"it takes no {unknown[0]}", "add the option: the factory always passes it", places
        )
    elif not (facts.required and usage):
        yield _error(Rule.RUNS, failed.detail, "run it by hand with the same options, and mend it", places)


def _of_videos(run: CheckedRun, facts: Facts) -> Iterator[Finding]:
    without = [index for index, files in run.samples.items() if VIDEO not in files]
    if not without:
        return
    reason = f"; it goes on without {facts.optional[0].module}" if facts.optional else ""
    yield _warning(
        Rule.VIDEOS,
        f"{len(without)} of {len(run.samples)} samples have no {VIDEO}{reason}",
        "ask for what makes them in requirements.txt, and let its absence be an error" if reason else "",
        [found.place for found in facts.optional],
    )


def _frames(stderr: str, folder: Path) -> list[str]:
    """The generator's own lines in a traceback, the innermost last."""
    inside = str(folder.resolve())
    found = ((Path(path), line) for path, line in _FRAME.findall(stderr))
    return [f"{path.relative_to(inside)}:{line}" for path, line in found if path.is_relative_to(inside)][-1:]


def _differences(one: Mapping[int, Digests], other: Mapping[int, Digests]) -> str:
    """Which files differ, by name, in how many samples; empty where none do."""
    names: dict[str, int] = {}
    for index in sorted(one.keys() & other.keys()):
        for name in sorted(one[index].keys() | other[index].keys()):
            if name not in NOT_COMPARED and one[index].get(name) != other[index].get(name):
                names[name] = names.get(name, 0) + 1
    if one.keys() != other.keys():
        names["samples that only one has"] = len(one.keys() ^ other.keys())
    return ", ".join(f"{name} ({count})" for name, count in names.items())


def _content(digests: Digests) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, digest) for name, digest in digests.items() if name not in NOT_COMPARED))


def _error(rule: Rule, text: str, advice: str = "", places: Iterable[str] = ()) -> Finding:
    return _finding(rule, "error", text, advice, places)


def _warning(rule: Rule, text: str, advice: str = "", places: Iterable[str] = ()) -> Finding:
    return _finding(rule, "warning", text, advice, places)


def _finding(
    rule: Rule, severity: Literal["error", "warning"], text: str, advice: str, places: Iterable[str]
) -> Finding:
    return Finding(
        rule=rule, severity=severity, text=text, advice=advice, places=tuple(dict.fromkeys(places))
    )


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
