from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3

from infra import nag
from infra.settings import LOCAL, StackSettings
from infra.stack import PipelineStack


def failures(app: cdk.App, outdir: Path) -> str:
    """What cdk-nag reports on an app; empty if it is clean."""
    nag.check(app)
    try:
        app.synth()
    except RuntimeError:
        return (outdir / "validation-report.json").read_text()
    return ""


@pytest.mark.parametrize(
    "settings",
    [StackSettings(), LOCAL, StackSettings(extra_output_buckets=("other-one",))],
    ids=["aws", "embedded", "more buckets"],
)
def test_the_stack_is_clean(settings: StackSettings, tmp_path: Path) -> None:
    """The AwsSolutions rules find nothing that is not acknowledged."""
    app = cdk.App(outdir=str(tmp_path))
    PipelineStack(app, settings)
    assert failures(app, tmp_path) == ""


def test_a_new_finding_stops_the_synthesis(tmp_path: Path) -> None:
    """A bucket open to plain HTTP does not pass."""
    app = cdk.App(outdir=str(tmp_path))
    s3.Bucket(PipelineStack(app, LOCAL), "Careless")
    assert "AwsSolutions-S10" in failures(app, tmp_path)


def test_every_exception_has_a_reason(tmp_path: Path) -> None:
    """An acknowledged finding carries the sentence that says why, and they are of three kinds."""
    app = cdk.App(outdir=str(tmp_path))
    stack = PipelineStack(app, LOCAL)
    key = cdk.Validations.ACKNOWLEDGED_RULES_METADATA_KEY
    found = [entry.data for one in stack.node.find_all() for entry in one.node.metadata if entry.type == key]
    reasons = {finding: reason for one in found for finding, reason in one.items()}
    kinds = {finding.partition("AwsSolutions-")[2].partition("[")[0] for finding in reasons}
    assert kinds == {"S1", "L1", "IAM5"}
    assert all(len(reason) > 40 for reason in reasons.values())
