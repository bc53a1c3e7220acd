"""What a check found about one generator, in the words of its author."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Rule(StrEnum):
    """A rule that generators are checked against; `generators/README.md` says more of each."""

    ENTRY_POINT = "entry point"
    OPTIONS = "options"
    REQUIREMENTS = "requirements"
    RUNS = "runs"
    SAMPLES = "samples"
    SAME_BYTES = "same bytes twice"
    HASH_ORDER = "hash order"
    COUNT = "independent of the count"
    SEED = "the seed decides"
    DISTINCT = "distinct samples"
    TEMP_PATHS = "temp paths of its own"
    VIDEOS = "videos"


class Finding(BaseModel):
    """One thing that is wrong.

    Args:
        rule: the rule that it breaks.
        severity: ``error`` where it breaks the contract; else ``warning``.
        text: what is wrong.
        advice: what to do.
        places: where, as ``file:line``, relative to the generator's folder.
    """

    model_config = ConfigDict(frozen=True)

    rule: Rule
    severity: Literal["error", "warning"]
    text: str
    advice: str = ""
    places: tuple[str, ...] = ()


class CheckReport(BaseModel):
    """What a check found.

    Args:
        generator: its name.
        findings: errors first; empty where nothing is wrong.
        samples: how many samples each of its runs was asked for; 0 where none ran.
        seconds: how long its first run took; 0 where none ran.
        files: the files that each of its samples has.
    """

    model_config = ConfigDict(frozen=True)

    generator: str
    findings: tuple[Finding, ...] = ()
    samples: int = 0
    seconds: float = 0.0
    files: tuple[str, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether it keeps the contract; warnings may remain."""
        return not any(finding.severity == "error" for finding in self.findings)
