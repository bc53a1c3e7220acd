"""Numbers that a person gives on a command line."""

import math
from typing import Any

import click


class FiniteRange(click.FloatRange):
    """A number within limits; click's own range lets NaN pass, and infinity where it has no upper limit."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - what click has
        """The number, or click's error."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number", param, ctx)
        return number
