"""A release for a run's page in the Prefect UI: what it has, what is wrong with it, and where it is."""

from collections.abc import Iterable, Mapping, Sequence

from vbvrdatafactory.core.escaping import code_for_markdown, for_markdown
from vbvrdatafactory.core.humanize import format_bytes, format_count
from vbvrdatafactory.release.card_generators import table
from vbvrdatafactory.release.manifest import Release

# Prefect shows artifacts of up to about a megabyte; 300 generators take 30 kB.
_MOST_GENERATORS, _MOST_FINDINGS = 2000, 60
_LONGEST = 300


def page(release: Release, places: Sequence[str], found: Iterable[str], counts: Mapping[str, int]) -> str:
    """The page, as Markdown.

    Args:
        release: the manifest.
        places: where it is, as text.
        found: what is wrong with it, a sentence each.
        counts: how often what is wrong is so, by its name.
    """
    parts = [
        f"**{for_markdown(headline(release, counts))}**",
        "\n".join(f"- {code_for_markdown(place)}" for place in places),
        _wrong(found, counts),
        _splits(release),
        _generators(release),
        _left_out(release),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def headline(release: Release, counts: Mapping[str, int]) -> str:
    """One line: how much it has, and whether something is wrong."""
    samples, size = sum(release.splits.values()), sum(shard.bytes for shard in release.shards)
    wrong = sum(counts.values())
    verdict = (
        f"{format_count(wrong, 'thing is', 'things are')} wrong with it"
        if wrong
        else "nothing is wrong with it"
    )
    return (
        f"{release.name}, revision {release.revision}: {format_count(samples, 'sample')} in "
        f"{format_count(len(release.shards), 'shard')}, {format_bytes(size)}; {verdict}"
    )


def _wrong(found: Iterable[str], counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    tally = ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))
    lines = [f"- {for_markdown(each[:_LONGEST])}" for each in [*found][:_MOST_FINDINGS]]
    return f"### What is wrong\n\n{for_markdown(tally)}\n\n" + "\n".join(lines)


def _splits(release: Release) -> str:
    rows = []
    for split, samples in release.splits.items():
        own = [shard for shard in release.shards if shard.split == split]
        size = format_bytes(sum(shard.bytes for shard in own))
        rows.append((for_markdown(split), f"{samples:,}", f"{len(own):,}", size))
    return "### Splits\n\n" + table(("split", "samples", "shards", "size"), rows)


def _generators(release: Release) -> str:
    rows = [
        (for_markdown(share.generator), f"{share.samples:,}", f"{share.distinct:,}")
        for share in release.generators[:_MOST_GENERATORS]
    ]
    return "### Generators\n\n" + table(("generator", "samples", "different"), rows)


def _left_out(release: Release) -> str:
    lines = [
        f"- {for_markdown(left.generator)}: {format_count(left.samples, 'sample')}, {for_markdown(left.why)}"
        for left in release.left_out
    ]
    return "### Left out\n\n" + "\n".join(lines) if lines else ""
