"""The card of a release, ``README.md``: what it is, how to load it, how it was made, and what its limits are.

What generators say (names, prompts) is a stranger's text, and escaped. `REPOSITORY` stands for the repository until the
release is published to one.
"""

from collections.abc import Iterable, Mapping, Sequence

from vbvrdatafactory.core.escaping import code_for_markdown, for_markdown
from vbvrdatafactory.core.humanize import format_bytes, format_count
from vbvrdatafactory.core.names import is_safe_name
from vbvrdatafactory.release.card_generators import (
    Example,
    Videos,
    family,
    show_generators,
    span,
    table,
)
from vbvrdatafactory.release.card_header import header, ordered
from vbvrdatafactory.release.layout import CHANGELOG, COLUMNS, CROISSANT, TABLE
from vbvrdatafactory.release.manifest import Release
from vbvrdatafactory.release.naming import key_prefix

REPOSITORY = "ORG/NAME"

_MOST_NAMED = 40
_COMMIT_SHOWN = 12


def readme(release: Release, examples: Mapping[str, Example], videos: Mapping[str, Videos]) -> str:
    """The card.

    Args:
        release: the manifest.
        examples: the sample that is shown of each generator.
        videos: the videos of each generator; those without a video are missing.
    """
    parts = [
        header(release) + f"# {for_markdown(release.name)}",
        _summary(release),
        _how_to_load(release),
        show_generators(release.generators, examples, videos),
        _one_generator(release),
        _sample(),
        _made(release),
        _limits(release, videos),
        _changes(release),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(release: Release) -> str:
    samples, size = sum(release.splits.values()), sum(shard.bytes for shard in release.shards)
    splits = ", ".join(
        f"{code_for_markdown(name)} {count:,}" for name, count in ordered(release.splits).items()
    )
    return (
        f"{format_count(samples, 'sample')} of {format_count(len(release.generators), 'generator')} of video reasoning tasks, "
        f"in {format_count(len(release.shards), 'shard')}, {format_bytes(size)}. Splits: {splits}. Revision {release.revision}.\n\n"
        "A sample is an instruction, a first frame, and the video and final frame that are right. Every sample is made by a "
        "program, so the ground truth is exact. All generators are mixed in every shard in the proportion of the whole: reading "
        "shard by shard is reading at random."
    )


def _how_to_load(release: Release) -> str:
    split = next(iter(ordered(release.splits)), "train")
    return f"""## Load it

```python
from datasets import load_dataset
samples = load_dataset("{REPOSITORY}", split="{split}", streaming=True).decode(False)
print(next(iter(samples))["prompt.txt"])
```

`decode(False)` gives the bytes of pictures and videos as they are; [PyAV](https://pyav.org) reads them. Without it `datasets` decodes them,
and needs `torchcodec` and Pillow for that. `webdataset` reads the shards, too: they lie under `data/`."""


def _one_generator(release: Release) -> str:
    # As text of Python in a fenced block, only a safe name is nothing but a name.
    name = next((share.generator for share in release.generators if is_safe_name(share.generator)), "")
    if not name:
        return ""
    prefix, letters = key_prefix(name), family(name)
    of_family = (
        f', and those of the family {letters} all with `"{prefix[: len(letters) + 1]}"`' if letters else ""
    )
    return f"""## One generator, or one family

There is one configuration, `default`, as every shard holds all generators. The key of a sample begins with its generator's name:

```python
samples.filter(lambda sample: sample["__key__"].startswith("{prefix}"))
```

gives one generator's{of_family}, and reads on through the others. To fetch nothing else, `{TABLE}` says in which shard a sample begins, and at which byte:

```python
rows = load_dataset("{REPOSITORY}", data_files="{TABLE}", split="train", streaming=True,
                    filters=[("generator", "==", "{name}")])
for row in rows:  # opened at row["offset"], a shard is a tar that begins with this sample
    print(row["key"], row["shard"], row["offset"], row["fps"])
```"""


def _sample() -> str:
    rows = [
        ("`first_frame.png`", "image", "The state at the start"),
        ("`final_frame.png`", "image", "The state at the end; the solution"),
        ("`prompt.txt`", "text", "The instruction"),
        ("`ground_truth.mp4`", "video", "From the first frame to the final one"),
        (
            "`metadata.json`",
            "JSON",
            "What the generator says of the sample; its fields differ between generators",
        ),
    ]
    columns = [(f"`{name}`", what) for name, what in COLUMNS.items()]
    return (
        "## What a sample is\n\n"
        + table(("column", "type", "what it is"), rows)
        + f"\n\n`{TABLE}` has one row a sample, with the real frame rate of its video and what made it:\n\n"
        + "<details><summary>Its columns</summary>\n\n"
        + table(("column", "what it is"), columns)
        + f"\n\n</details>\n\n`{CROISSANT}` describes all of it for tools that read [Croissant](https://mlcommons.org/croissant)."
    )


def _made(release: Release) -> str:
    rows = [
        (
            for_markdown(share.generator),
            code_for_markdown(share.commit[:_COMMIT_SHOWN]) or "not fetched from a repository",
            code_for_markdown(share.code[:_COMMIT_SHOWN]),
            code_for_markdown(share.environment[:_COMMIT_SHOWN]),
        )
        for share in release.generators
    ]
    return (
        "## How it was made\n\n"
        f"By VBVR DataFactory {for_markdown(release.datafactory_version)}, from the dataset {for_markdown(release.dataset)}. "
        "Programs draw each puzzle, its solution and its video from a seed; no person, no camera and no model is involved. Each "
        f"sample was decoded and compared with its pictures before it was stored, and its digest was recorded then: `{TABLE}` has it, "
        "and the seed with which its generator makes the sample again, byte for byte. "
        f"Seed of the order and the splits: {release.seed}.\n\n"
        "Splits are by content: samples that are equal puzzles are all in one split.\n\n"
        "<details><summary>Code of each generator</summary>\n\n"
        + table(("generator", "commit", "digest of its code", "of its environment"), rows)
        + "\n\n</details>"
    )


def _limits(release: Release, videos: Mapping[str, Videos]) -> str:
    lines = [
        "The pictures are drawn, not photographed; the instructions are written by programs, in English."
    ]
    rates = {rate for one in videos.values() for rate in one.fps}
    if len(rates) > 1:
        lines.append(
            f"Videos have {span((min(rates), max(rates)))} frames a second: read `fps`, and assume none."
        )
    without = [share.generator for share in release.generators if share.generator not in videos]
    if without:
        lines.append(f"{_named(without)} {'have' if len(without) > 1 else 'has'} no videos.")
    repeated = sorted(
        (share for share in release.generators if share.distinct < share.samples),
        key=lambda s: s.distinct / max(s.samples, 1),
    )
    if repeated:
        listed = _listed(f"{for_markdown(s.generator)} ({s.distinct:,} of {s.samples:,})" for s in repeated)
        lines.append(f"Some generators repeat themselves. Different samples: {listed}.")
    lines += [
        f"Left out: {format_count(left.samples, 'sample')} of {for_markdown(left.generator)}: {for_markdown(left.why)}."
        for left in release.left_out
    ]
    if release.benchmarks:
        named = _listed(
            f"{for_markdown(one.name)} ({format_count(one.samples, 'sample')})" for one in release.benchmarks
        )
        lines.append(f"Compared, by content and first frame, with {named}.")
    if release.decontaminated:
        against = sorted({for_markdown(removed.against) for removed in release.decontaminated})
        lines.append(
            f"{format_count(len(release.decontaminated), 'sample')} that equal one of {_listed(against)} are not in it; `release.json` lists them."
        )
    return "## Known limits\n\n" + "\n".join(f"- {line}" for line in lines)


def _changes(release: Release) -> str:
    if not release.changes:
        return ""
    lines = [
        f"- Revision {change.revision}, {change.at:%Y-%m-%d}: {for_markdown(change.why)} ({format_count(change.samples, 'sample')})"
        for change in sorted(release.changes, key=lambda change: -change.revision)
    ]
    return f"## Changes\n\n`{CHANGELOG}` has them at length.\n\n" + "\n".join(lines)


def _named(names: Sequence[str]) -> str:
    return _listed(for_markdown(name) for name in names)


def _listed(items: Iterable[str]) -> str:
    listed = [*items]
    more = f", and {len(listed) - _MOST_NAMED:,} more" if len(listed) > _MOST_NAMED else ""
    return ", ".join(listed[:_MOST_NAMED]) + more
