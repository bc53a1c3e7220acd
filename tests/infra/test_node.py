import os
import subprocess

import pytest

from infra.node import use_packaged_node


def test_node_comes_from_pypi(monkeypatch: pytest.MonkeyPatch) -> None:
    """Synthesis needs no Node.js on the machine: the packaged one is used, and it runs."""
    monkeypatch.delenv("JSII_NODE", raising=False)
    use_packaged_node()
    said = subprocess.run([os.environ["JSII_NODE"], "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("v")


def test_a_chosen_node_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has set JSII_NODE keeps it."""
    monkeypatch.setenv("JSII_NODE", "/usr/bin/node")
    use_packaged_node()
    assert os.environ["JSII_NODE"] == "/usr/bin/node"
