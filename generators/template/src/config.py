"""What may be asked of this generator. Every knob of the task is a field here."""

from dataclasses import dataclass

from core import GenerationConfig


@dataclass(frozen=True, kw_only=True)
class TaskConfig(GenerationConfig):
    """`domain` names the task: samples land in {domain}_task/{domain}_{index}/."""

    domain: str = "dot_to_ring"
    shortest_way: float = 0.3
