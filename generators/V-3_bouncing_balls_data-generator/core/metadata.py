"""metadata.json: what defines a sample, and nothing that changes from run to run."""

import hashlib
import json
from pathlib import Path
from typing import Any


def param_hash(parameters: dict[str, Any]) -> str:
    """Return 16 hex digits that two samples share only if their parameters are equal."""
    canonical = json.dumps(parameters, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def build_metadata(task_id: str, seed: int, parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "task_id": task_id,
        "generator": Path(__file__).resolve().parents[1].name,
        "parameters": parameters,
        "param_hash": param_hash(parameters),
        "generation": {"seed": seed, "index": int(task_id.rsplit("_", 1)[1])},
    }
