"""Modules that are run by themselves say what they are for when they are asked, and do nothing else."""

import runpy
import sys
from pathlib import Path

import pytest

from infra.paths import CHECKOUT

MODULES = sorted(
    ".".join(file.relative_to(CHECKOUT).with_suffix("").parts)
    for room in ("bench", "deployments", "flows", "infra")
    for file in (CHECKOUT / room).rglob("*.py")
    if '__name__ == "__main__"' in file.read_text()
)


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("module", MODULES)
def test_help_only_helps(
    module: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--help prints how the module is used and ends at once; no file is written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    written = {file: file.stat().st_mtime_ns for file in (CHECKOUT / "infra").rglob("*.json")}
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__", alter_sys=False)
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out.lower()
    assert {file: file.stat().st_mtime_ns for file in written} == written
    assert list(tmp_path.iterdir()) == []
