"""``python -m infra.embedded`` is ministack with what it lacks here; `infra.server` starts it and sets its environment."""

import os

import click

from infra.embedded import queues
from infra.embedded.disk import DiskTruth
from infra.embedded.origin_check import OriginCheck
from infra.embedded.writes import CheckedWrites


@click.command()
def main() -> None:
    """Run the server of the embedded AWS; 'datafactory local up' does, with its whole environment."""
    if "GATEWAY_PORT" not in os.environ:
        # ministack would listen on all addresses, and keep nothing.
        raise click.UsageError("its settings are not in the environment; 'datafactory local up' starts it")
    _serve()


def _serve() -> None:
    # Importing them reads what the environment says, and every object there is.
    from ministack import app as ministack  # noqa: PLC0415
    from ministack.services import lambda_svc, s3, sqs  # noqa: PLC0415

    CheckedWrites(s3).install()
    DiskTruth(s3).install()
    queues.install(sqs, lambda_svc)
    ministack.app = OriginCheck(ministack.app, int(ministack._resolve_port()))
    ministack.main()


if __name__ == "__main__":
    main()
