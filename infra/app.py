"""What the `cdk` command runs: ``cdk deploy``, ``cdk diff``, ``cdk synth``."""

import os

import click

from infra.node import use_packaged_node
from vbvrdatafactory.core.config import config


@click.command()
def main() -> None:
    """Synthesise the stack for AWS; the `cdk` command runs this, and says where to."""
    use_packaged_node()
    from infra.synthesis import aws_app  # noqa: PLC0415 - importing aws_cdk starts Node.js

    # The region of every other command, or the stack would not be where they look for it.
    aws_app(config.aws_region, os.environ.get("CDK_DEFAULT_ACCOUNT")).synth()


if __name__ == "__main__":
    main()
