"""Prints what was measured as Markdown: medians, ratios, and whether the targets are reached."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.measure import Reading

Readings = dict[str, list[Reading]]
# Of issue 3: predecessor over ours at 30 ms, as files: (one batch alone, both processors busy).
TARGETS = {"light": (2.9, 5.0), "medium": (1.9, 3.0), "heavy": (1.1, 2.0)}
_TARGET_DELAY = 30
_MB = 1e6
_TIMES = [
    "seconds a batch",
    "predecessor",
    "ours alone",
    "ours both",
    "alone faster x",
    "both faster x",
    "generator",
    "generator tuned",
    "ours beyond tuned",
]
_COSTS = [
    "cost of a batch",
    "CPU s predecessor",
    "ours",
    "both",
    "peak MB predecessor",
    "ours",
    "temp bytes left predecessor",
    "ours",
    "PUTs predecessor",
    "ours",
    "requests predecessor",
    "ours",
    "server CPU ms a request",
    "others' CPU %",
]
_MEMORY = ["memory of a batch", "samples", "tree MB", "largest process MB", "CPU s", "wall s"]


@dataclass(frozen=True)
class Case:
    """What is measured at once: batches of one generator, one format, one delay of each request."""

    weight: str
    generator: str
    output_format: str
    delay_ms: int
    count: int

    def __str__(self) -> str:
        return f"{self.weight} ({self.generator.split('_')[0]}), {self.output_format}, {self.delay_ms} ms"


def print_tables(
    cases: Iterable[tuple[Case, Readings]], memory: Iterable[tuple[str, dict[str, dict[int, Reading]]]]
) -> None:
    """Print the tables, and a line for each target."""
    cases = list(cases)
    print_table(_TIMES, [[str(case), *_times(found)] for case, found in cases])
    print_table(_COSTS, [[str(case), *_costs(found)] for case, found in cases])
    print_table(_MEMORY, [row for weight, found in memory for row in _memory(weight, found)])
    for line in _targets(cases):
        print(line)


def print_table(head: Sequence[str], rows: list[list[str]]) -> None:
    """Print a Markdown table, if there is a row."""
    if rows:
        for row in (list(head), ["---", *["---:"] * (len(head) - 1)], *rows):
            print(f"| {' | '.join(row)} |")
        print()


def middle(found: Readings, who: str, what: str) -> float | None:
    """The median of one figure of one contestant, if it took part."""
    return median(getattr(reading, what) for reading in found[who]) if who in found else None


def times_faster(found: Readings, who: str) -> float | None:
    """How many times faster than the predecessor: the median of the rounds, whose readings lie close in time."""
    if "predecessor" not in found:
        return None
    rounds = zip(found["predecessor"], found[who], strict=True)
    return median(theirs.wall / ours.wall for theirs, ours in rounds)


def _times(found: Readings) -> list[str]:
    walls = [middle(found, who, "wall") for who in ("predecessor", "ours", "both", "generator", "tuned")]
    theirs, ours, both, bare, tuned = (_number(wall) for wall in walls)
    rounds = zip(found["ours"], found["tuned"], strict=True)
    beyond = median(mine.wall - alone.wall for mine, alone in rounds)
    ratios = [_number(times_faster(found, who)) for who in ("ours", "both")]
    return [theirs, ours, both, *ratios, bare, tuned, _number(beyond)]


def _costs(found: Readings) -> list[str]:
    cpu = [_number(middle(found, who, "cpu")) for who in ("predecessor", "ours", "both")]
    rest = [
        _number(middle(found, who, what), digits, unit)
        for what, digits, unit in (("peak", 0, _MB), ("left", 0, 1), ("puts", 0, 1), ("requests", 0, 1))
        for who in ("predecessor", "ours")
    ]
    answered = middle(found, "ours", "requests") or 1
    server = (middle(found, "ours", "server_cpu") or 0) / answered
    others = median(reading.others for readings in found.values() for reading in readings)
    return [*cpu, *rest, _number(server, 2, 0.001), _number(others, 0, 0.01)]


def _memory(weight: str, found: dict[str, dict[int, Reading]]) -> Iterable[list[str]]:
    for who, sizes in found.items():
        for count, reading in sizes.items():
            figures = (reading.tree_peak, reading.peak)
            yield [
                f"{weight}, {who}", str(count), *(_number(value, 0, _MB) for value in figures),
                _number(reading.cpu), _number(reading.wall),
            ]  # fmt: skip
        small, large = (sizes[count].tree_peak or 0 for count in (min(sizes), max(sizes)))
        yield [f"{weight}, {who}", f"{max(sizes)} / {min(sizes)}", f"{large / small:.2f} x", "", "", ""]


def _targets(cases: Sequence[tuple[Case, Readings]]) -> Iterable[str]:
    for case, found in cases:
        if case.output_format != "files" or case.delay_ms != _TARGET_DELAY:
            continue
        for what, who, target in zip(("alone", "both"), ("ours", "both"), TARGETS[case.weight], strict=True):
            if reached := times_faster(found, who):
                verdict = "reached" if reached >= target else "not reached"
                yield f"{case.weight}, {what}: {reached:.2f} times faster, target {target}: {verdict}"


def _number(value: float | None, digits: int = 2, unit: float = 1) -> str:
    return "" if value is None else f"{value / unit:,.{digits}f}"
