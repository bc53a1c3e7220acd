"""``python -m infra.synth`` writes the committed template of the embedded AWS."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.node import use_packaged_node
from infra.paths import LOCAL_TEMPLATE


def main() -> None:
    use_packaged_node()
    from infra.synthesis import local_template  # noqa: PLC0415 - importing aws_cdk starts Node.js

    with TemporaryDirectory() as scratch:
        LOCAL_TEMPLATE.write_text(local_template(Path(scratch)))
    sys.stdout.write(f"wrote {LOCAL_TEMPLATE}\n")


if __name__ == "__main__":
    main()
