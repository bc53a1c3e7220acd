"""``python -m infra.embedded`` is ministack with what it lacks here; `infra.server` starts it and sets its environment."""

from ministack import app as ministack

from infra.embedded.gate import Gate


def main() -> None:
    ministack.app = Gate(ministack.app, int(ministack._resolve_port()))
    ministack.main()


if __name__ == "__main__":
    main()
