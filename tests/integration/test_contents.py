"""Samples that were changed behind the factory's back: told, kept or replaced, on the embedded AWS with the real worker."""

from typing import Any

import pytest

from vbvrdatafactory import aws
from vbvrdatafactory.report.run_figures import Reason
from vbvrdatafactory.s3.listing import sizes

pytestmark = [pytest.mark.aws, pytest.mark.prefect]


def content(factory: Any, generator: str) -> dict[str, bytes]:
    """All samples and archives of a generator, by key."""
    s3, bucket = aws.s3(factory.config), factory.config.output_bucket
    found = [key for key, _ in sizes(factory.store, "questions") if f"/{generator}" in key]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in found}


@pytest.mark.parametrize(("output_format", "changed"), [("files", 3), ("tar", 8)])
def test_what_was_changed_is_told_and_each_policy_does_what_it_says(
    factory: Any, output_format: str, changed: int
) -> None:
    """Two swapped videos and an edited prompt, or two swapped archives: refused, kept and counted, or made again byte for byte."""
    name = factory.add_generator(f"T-changed-{output_format}")
    asked = {"dataset": f"changed-{output_format}", "output_format": output_format}
    assert factory.generate(name, **asked).complete
    before = content(factory, name)
    s3, bucket = aws.s3(factory.config), factory.config.output_bucket
    large = sorted(key for key in before if key.endswith((".mp4", ".tar.gz")))
    one, other = large[:2]
    s3.put_object(Bucket=bucket, Key=one, Body=before[other])
    s3.put_object(Bucket=bucket, Key=other, Body=before[one])
    if output_format == "files":
        edited = next(key for key in before if key.endswith("_0005/prompt.txt"))
        s3.put_object(Bucket=bucket, Key=edited, Body=b"another prompt")
    refused = factory.generate(name, **asked)
    assert (refused.complete, refused.total.foreign, refused.total.right) == (False, changed, 8 - changed)
    assert (refused.run.early.reason, refused.run.messages) == (Reason.MISMATCH, 0)
    kept = factory.generate(name, on_mismatch="keep", **asked)
    assert (kept.complete, kept.total.kept, kept.run.messages) == (True, changed, 0)
    replaced = factory.generate(name, on_mismatch="replace", **asked)
    assert (replaced.complete, replaced.total.right, replaced.total.foreign) == (True, 8, 0)
    assert (replaced.run.restored, replaced.run.made_anew) == (changed, 0)
    now = content(factory, name)
    assert {
        key for key in before if not key.endswith("metadata.json") and now.get(key) != before[key]
    } == set()
