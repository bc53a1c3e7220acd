"""The YAML at the head of a card: what the Hub and `datasets` read."""

from collections.abc import Mapping
from typing import Any

import yaml

from vbvrdatafactory.release.layout import FEATURES, SHARDS
from vbvrdatafactory.release.manifest import Release

# The Hub knows more; any other is said as `other`, with its name.
_KNOWN_LICENSES = frozenset(
    [
        "agpl-3.0",
        "apache-2.0",
        "bsd-2-clause",
        "bsd-3-clause",
        "cc",
        "cc0-1.0",
        "cc-by-4.0",
        "cc-by-sa-4.0",
        "cc-by-nc-4.0",
        "cc-by-nc-sa-4.0",
        "cc-by-nc-nd-4.0",
        "cc-by-nd-4.0",
        "cdla-permissive-2.0",
        "cdla-sharing-1.0",
        "gpl-3.0",
        "lgpl-3.0",
        "mit",
        "mpl-2.0",
        "odbl",
        "odc-by",
        "pddl",
        "unlicense",
        "wtfpl",
        "unknown",
        "other",
    ]
)
_TASKS = ["image-to-video", "image-text-to-video", "text-to-video"]
_TAGS = ["webdataset", "synthetic", "reasoning", "video-reasoning", "vbvr-datafactory"]
_SIZES = (
    (3, "1K"),
    (4, "10K"),
    (5, "100K"),
    (6, "1M"),
    (7, "10M"),
    (8, "100M"),
    (9, "1B"),
    (10, "10B"),
    (11, "100B"),
)


def header(release: Release) -> str:
    """The YAML between its two lines of dashes, with one configuration, `default`, of all samples.

    There is none for each generator: shards mix them, and `datasets` reads a repository with one reader, so that none can be of
    ``metadata.parquet`` either. The card says how to read one generator.
    """
    fields: dict[str, Any] = {
        "pretty_name": release.name,
        **_license(release.license),
        "language": ["en"],
        "task_categories": _TASKS,
        "tags": _TAGS,
        "size_categories": [size_category(sum(release.splits.values()))],
        "configs": [{"config_name": "default", "default": True, "data_files": _data_files(release)}],
        "dataset_info": [_info(release)],
    }
    # Without `allow_unicode` what can't be seen is escaped.
    return "---\n" + yaml.safe_dump(fields, sort_keys=False, width=1000) + "---\n"


def ordered(splits: Mapping[str, int]) -> dict[str, int]:
    """Splits as they are shown: what is trained on comes first.

    >>> ordered({"test": 1, "train": 9})
    {'train': 9, 'test': 1}
    """
    return dict(sorted(splits.items(), key=lambda split: (split[0] != "train", split[0])))


def size_category(samples: int) -> str:
    """The Hub's category of a dataset's size.

    >>> size_category(999), size_category(1000), size_category(3_000_000)
    ('n<1K', '1K<n<10K', '1M<n<10M')
    """
    least = ""
    for digits, name in _SIZES:
        if samples < 10**digits:
            return f"{least}<n<{name}" if least else f"n<{name}"
        least = name
    return "n>1T" if samples >= 10**12 else "100B<n<1T"


def _license(name: str) -> dict[str, str]:
    known = name.lower()
    return {"license": known} if known in _KNOWN_LICENSES else {"license": "other", "license_name": name}


def _data_files(release: Release) -> list[dict[str, str]]:
    return [
        {"split": split, "path": f"{SHARDS}{split}/*.tar"}
        for split, count in ordered(release.splits).items()
        if count
    ]


def _info(release: Release) -> dict[str, Any]:
    sizes = {
        split: sum(shard.bytes for shard in release.shards if shard.split == split)
        for split in release.splits
    }
    total = sum(sizes.values())
    splits = [
        {"name": split, "num_bytes": sizes[split], "num_examples": count}
        for split, count in ordered(release.splits).items()
        if count
    ]
    return {
        "config_name": "default",
        "features": [{"name": name, "dtype": kind} for name, kind in FEATURES.items()],
        "splits": splits,
        "download_size": total,
        "dataset_size": total,
    }
