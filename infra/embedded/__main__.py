"""``python -m infra.embedded`` is ministack with what it lacks here; `infra.server` starts it and sets its environment."""

from ministack import app as ministack
from ministack.services import lambda_svc, s3, sqs

from infra.embedded import queues
from infra.embedded.disk import DiskTruth
from infra.embedded.gate import Gate
from infra.embedded.writes import CheckedWrites


def main() -> None:
    CheckedWrites(s3).install()
    DiskTruth(s3).install()
    queues.install(sqs, lambda_svc)
    ministack.app = Gate(ministack.app, int(ministack._resolve_port()))
    ministack.main()


if __name__ == "__main__":
    main()
