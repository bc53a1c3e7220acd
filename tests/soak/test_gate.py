"""The gate on samples of public generators: no false alarm, and no video of another sample.

They are no part of the project. `DATAFACTORY_PUBLIC_SAMPLES` names a folder with a folder for each generator, and anywhere in
that at least 100 samples of it, as it writes them; without it nothing is tested here.
"""

import os
import random
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from lambda_worker.gate.gate import Gate, Verdict
from lambda_worker.gate.measure import distance, read_sample
from lambda_worker.generator.limits import Limits
from lambda_worker.samples.collect import Sample
from vbvrdatafactory.core.records import Band

pytestmark = pytest.mark.soak

FOLDER = os.environ.get("DATAFACTORY_PUBLIC_SAMPLES", "")
GENERATORS = sorted(path for path in Path(FOLDER).iterdir() if path.is_dir()) if FOLDER else []
SAMPLES, BATCH = 100, 25
# More would say that the bands have widened: of O-19, whose samples differ by a degree, up to 7 look alike.
MOST_ALIKE = 10


def judge(samples: Sequence[Sample], band: Band | None) -> Verdict:
    with Gate(Limits(), 600, threading.Event(), band) as gate:
        return gate.judge(samples)


def samples_of(generator: Path) -> list[Sample]:
    folders = sorted(path.parent for path in generator.rglob("first_frame.png"))[:SAMPLES]
    assert len(folders) == SAMPLES, f"{generator} has {len(folders)} samples; {SAMPLES} are needed"
    return [Sample("t", index, folder) for index, folder in enumerate(folders)]


def with_video_of(sample: Sample, other: Sample, folder: Path) -> Sample:
    """A sample with the video of another."""
    made = folder / f"t_{sample.index:04d}"
    made.mkdir()
    for file in sample.folder.iterdir():
        (made / file.name).symlink_to(
            (other if file.name == "ground_truth.mp4" else sample).folder / file.name
        )
    return Sample("t", sample.index, made)


def look_alike(one: Sample, other: Sample, band: Band) -> bool:
    """Whether their pictures differ no more than a picture and its own video may."""
    pairs = [
        (read_sample(sample.folder)[0].first, read_sample(sample.folder)[0].final) for sample in (one, other)
    ]
    for mine, its, end in zip(*pairs, (band.start, band.end), strict=True):
        if mine and its and end and end.is_held and distance(mine, its) > end.limit:
            return False
    return True


@pytest.mark.skipif(not GENERATORS, reason="DATAFACTORY_PUBLIC_SAMPLES names no folder")
@pytest.mark.parametrize("generator", GENERATORS, ids=lambda path: path.name)
def test_nothing_is_refused_but_videos_of_other_samples(generator: Path, tmp_path: Path) -> None:
    """Of 100 samples none; with the video of another one, all but those whose pictures look alike."""
    samples, band, refused = samples_of(generator), None, {}
    for at in range(0, SAMPLES, BATCH):
        verdict = judge(samples[at : at + BATCH], band)
        band, refused = band or verdict.band, refused | verdict.refused
    assert refused == {}
    assert band
    draw = random.Random(generator.name)
    others = {sample.index: draw.choice([one for one in samples if one is not sample]) for sample in samples}
    swapped = judge([with_video_of(sample, others[sample.index], tmp_path) for sample in samples], band)
    missed = [sample for sample in samples if sample.index not in swapped.refused]
    assert [one.index for one in missed if not look_alike(one, others[one.index], band)] == []
    assert len(missed) <= MOST_ALIKE, f"{len(missed)} of {SAMPLES} videos of another sample were let through"
