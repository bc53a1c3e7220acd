"""``croissant.json``: the release for tools that read Croissant, with what responsible use of synthetic data needs to know.

It follows version 1.0, which readers of 1.1 take as well. Each shard is a file with its size and SHA-256. The records are the
rows of ``metadata.parquet``: Croissant has no words for files of one sample that lie side by side in an archive, so a row has
the shard and the byte at which its sample begins.
"""

import json
from typing import Any

from vbvrdatafactory.core.content import FileContent
from vbvrdatafactory.core.humanize import format_count
from vbvrdatafactory.release.card import REPOSITORY
from vbvrdatafactory.release.layout import COLUMNS, TABLE
from vbvrdatafactory.release.manifest import Release

_NUMBERS = {
    "index",
    "offset",
    "seed",
    "python_hash_seed",
    "salt",
    "start",
    "count",
    "frames",
    "width",
    "height",
}
_FRACTIONS = {"fps"}

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def croissant(release: Release, table: FileContent) -> str:
    """The description as JSON-LD.

    Args:
        release: the manifest.
        table: size and SHA-256 of ``metadata.parquet``.
    """
    described = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": release.name,
        "description": _description(release),
        "license": release.license,
        "url": f"https://huggingface.co/datasets/{REPOSITORY}",
        "version": f"{release.revision}.0.0",
        "datePublished": _date(release),
        "creator": {"@type": "Organization", "name": "VBVR DataFactory"},
        "keywords": ["video reasoning", "synthetic", "webdataset"],
        "citeAs": f"{release.name}, revision {release.revision}, {REPOSITORY}",
        **_responsible_use(release),
        "distribution": [_table_file(table), *_shard_files(release)],
        "recordSet": [_records()],
    }
    kept = {name: value for name, value in described.items() if value is not None}
    return json.dumps(kept, indent=1) + "\n"


def _description(release: Release) -> str:
    return (
        f"{format_count(sum(release.splits.values()), 'sample')} of {format_count(len(release.generators), 'video reasoning task')}, "
        "made by programs: an instruction, a first frame, and the video and final frame that are right. In a shard the files of a "
        "sample are called KEY.first_frame.png, KEY.final_frame.png, KEY.prompt.txt, KEY.ground_truth.mp4 and KEY.metadata.json."
    )


def _date(release: Release) -> str | None:
    return f"{max(change.at for change in release.changes):%Y-%m-%d}" if release.changes else None


def _responsible_use(release: Release) -> dict[str, Any]:
    left_out = [
        f"{left.samples} samples of {left.generator} are left out: {left.why}." for left in release.left_out
    ]
    repeated = [
        f"{share.generator} has {share.distinct} different samples among {share.samples}."
        for share in release.generators
        if share.distinct < share.samples
    ]
    return {
        "rai:dataCollection": (
            "Wholly synthetic. Programs, one a task, draw each puzzle, its solution and its video from a seed; metadata.parquet names the "
            "seed, the commit and the environment of each sample. No person, no recording and no generative model is a source."
        ),
        "rai:dataCollectionType": ["Software Collection", "Synthetic data"],
        # One text, unlike most of these.
        "rai:dataCollectionMissingData": " ".join(left_out) or "No samples are left out.",
        "rai:dataCollectionRawData": "There is none: samples are drawn by programs.",
        "rai:dataPreprocessingProtocol": [
            "Each sample was decoded and its video compared with its pictures before it was stored.",
            "Samples that are equal puzzles are all in one split.",
            f"{len(release.decontaminated)} samples that equal one of a public benchmark were taken out.",
        ],
        "rai:dataAnnotationProtocol": "The final frame and the video are the solution as the program computes it.",
        "rai:machineAnnotationTools": [
            f"{share.generator} at {share.commit or 'code ' + share.code[:16]}"
            for share in release.generators
        ],
        "rai:dataUseCases": ["Training and evaluation of models that reason in video or pictures."],
        "rai:dataLimitations": [
            "Pictures are drawn, not photographed. Instructions are written by programs, in English. Frame rates differ; fps has each.",
            *repeated,
        ],
        "rai:dataBiases": [
            "The distribution of puzzles is that of the programs, which says nothing about how often they occur elsewhere."
        ],
        "rai:personalSensitiveInformation": ["None: nothing in it is about a person."],
        "rai:dataSocialImpact": "None is known beyond that of models trained on it.",
        "rai:dataReleaseMaintenancePlan": (
            "Samples that are found wrong are withdrawn or replaced in a new revision; CHANGELOG.md says which and why."
        ),
    }


def _table_file(table: FileContent) -> dict[str, str]:
    return {
        "@type": "cr:FileObject",
        "@id": "metadata",
        "name": TABLE,
        "description": "One row a sample.",
        "contentUrl": TABLE,
        "contentSize": f"{table.size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": table.sha256.hex(),
    }


def _shard_files(release: Release) -> list[dict[str, str]]:
    return [
        {
            "@type": "cr:FileObject",
            "@id": shard.path,
            "name": shard.path,
            "description": f"{format_count(shard.samples, 'sample')} of the split {shard.split}.",
            "contentUrl": shard.path,
            "contentSize": f"{shard.bytes} B",
            "encodingFormat": "application/x-tar",
            "sha256": shard.sha256,
        }
        for shard in release.shards
    ]


def _records() -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "samples",
        "name": "samples",
        "description": "What is known of each sample, and where it lies.",
        "key": {"@id": "samples/key"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"samples/{name}",
                "name": name,
                "description": what,
                "dataType": _type_of(name),
                "source": {"fileObject": {"@id": "metadata"}, "extract": {"column": name}},
            }
            for name, what in COLUMNS.items()
        ],
    }


def _type_of(column: str) -> str:
    if column in _NUMBERS:
        return "sc:Integer"
    return "sc:Float" if column in _FRACTIONS else "sc:Text"
