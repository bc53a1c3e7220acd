"""One check of one generator: its source first, then up to five runs of a few samples."""

from collections.abc import Iterator
from pathlib import Path

from lambda_worker.check import rules
from lambda_worker.check.runs import CheckedRun, Runner
from lambda_worker.check.source import Facts, read_facts
from vbvrdatafactory.core.checks import CheckReport, Finding
from vbvrdatafactory.core.contract import ENTRY_POINT

_SEED, _OTHER_SEED, _HASH_SEED, _OTHER_HASH_SEED = 20_260, 777, 11, 12


def check_generator(
    folder: Path, interpreter: Path, *, samples: int = 3, seconds: float = 120.0
) -> CheckReport:
    """Check the generator in `folder`.

    Args:
        folder: the generator's.
        interpreter: the Python that runs it, with what it imports.
        samples: how many samples a run is asked for, 2 at least.
        seconds: what one run may take.
    """
    folder = folder.resolve()
    facts = read_facts(folder)
    findings = [*rules.of_source(facts, has_script=(folder / ENTRY_POINT).is_file())]
    if not (folder / ENTRY_POINT).is_file():
        return CheckReport(generator=folder.name, findings=tuple(findings))
    runner = Runner(folder, interpreter, seconds)
    first = runner.run(samples, seed=_SEED, python_hash_seed=_HASH_SEED, stream=True)
    findings += rules.of_first_run(first, facts, folder)
    if first.samples:
        findings += _compare(runner, first, facts)
    else:
        findings += [one for one in rules.of_options(facts) if one.rule not in {two.rule for two in findings}]
    files = sorted({name for digests in first.samples.values() for name in digests})
    return CheckReport(
        generator=folder.name,
        findings=tuple(sorted(findings, key=lambda finding: finding.severity)),
        samples=samples,
        seconds=round(first.seconds, 3),
        files=tuple(files),
    )


def _compare(runner: Runner, first: CheckedRun, facts: Facts) -> Iterator[Finding]:
    """What more runs show, each with one thing other than in the first."""
    again = runner.run(first.count, seed=_SEED, python_hash_seed=_HASH_SEED)
    unstable = [*rules.of_second_run(first, again, facts)]
    yield from unstable
    if not unstable:
        # Of a generator that does not repeat itself, these would only say so again.
        other_hash = runner.run(first.count, seed=_SEED, python_hash_seed=_OTHER_HASH_SEED)
        yield from rules.of_hash_order(first, other_hash, facts)
        shorter = runner.run(first.count - 1, seed=_SEED, python_hash_seed=_HASH_SEED)
        yield from rules.of_count(first, shorter)
    other = runner.run(first.count, seed=_OTHER_SEED, python_hash_seed=_OTHER_HASH_SEED)
    yield from rules.of_temp(again, other, facts)
    yield from rules.of_seed(first, other)
