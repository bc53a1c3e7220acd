import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.paths import CHECKOUT
from infra.settings import STACK_ID


@pytest.mark.slow
def test_the_app_of_cdk_json_synthesises(tmp_path: Path) -> None:
    """The command in `cdk.json` writes the stack, in the region every other command uses."""
    command = json.loads((CHECKOUT / "cdk.json").read_text())["app"].split()
    assert command[0] == "python"
    context = json.dumps({"lambdaMemoryMB": "2048"})
    environment = {"AWS_REGION": "eu-west-1", "CDK_OUTDIR": str(tmp_path), "CDK_CONTEXT_JSON": context}
    subprocess.run(
        [sys.executable, *command[1:]],
        cwd=CHECKOUT,
        env={**os.environ, **environment},
        check=True,
        timeout=120,
    )
    stack = json.loads((tmp_path / "manifest.json").read_text())["artifacts"][STACK_ID]
    assert stack["environment"] == "aws://unknown-account/eu-west-1"
    template = json.loads((tmp_path / f"{STACK_ID}.template.json").read_text())
    functions = [one for one in template["Resources"].values() if one["Type"] == "AWS::Lambda::Function"]
    assert sorted(one["Properties"]["MemorySize"] for one in functions) == [1769, 2048]
