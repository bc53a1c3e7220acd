"""From settings to CloudFormation: the app that `cdk deploy` ships, and the template of the embedded AWS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import aws_cdk as cdk

from infra import nag
from infra.one_click import one_click_template, to_text
from infra.settings import LOCAL, StackSettings
from infra.stack import PipelineStack

if TYPE_CHECKING:
    from pathlib import Path


def aws_app(region: str, account: str | None = None) -> cdk.App:
    """The app for AWS, as CDK context asks for it."""
    app = cdk.App()
    settings = StackSettings.from_context(app.node)
    PipelineStack(app, settings, env=cdk.Environment(account=account, region=region))
    nag.check(app)
    return app


def one_click(scratch: Path) -> str:
    """The template for who has no clone, the same bytes every time; `scratch` takes the cloud assembly."""
    app = cdk.App(outdir=str(scratch), analytics_reporting=False)
    # The address only has the topic made; the template has a parameter in its place.
    settings = StackSettings(worker_packaging="uri", alarm_email="nobody@example.com")
    stack = PipelineStack(app, settings, synthesizer=cdk.BootstraplessSynthesizer())
    nag.check(app)
    return to_text(one_click_template(app.synth().get_stack_by_name(stack.stack_name).template))


def local_template(scratch: Path) -> str:
    """The template of the embedded AWS, the same bytes every time; `scratch` takes the cloud assembly."""
    app = cdk.App(outdir=str(scratch), analytics_reporting=False)
    stack = PipelineStack(app, LOCAL, synthesizer=cdk.BootstraplessSynthesizer())
    nag.check(app)
    template = app.synth().get_stack_by_name(stack.stack_name).template
    return json.dumps(template, indent=1) + "\n"
