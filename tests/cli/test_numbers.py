"""Numbers on command lines."""

from collections.abc import Iterator

import click
import pytest

from lambda_worker.pull.commands import worker
from vbvrdatafactory.cli.main import cli
from vbvrdatafactory.numbers import FiniteRange


def commands(command: click.Command, name: str = "datafactory") -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found
            yield from commands(found, f"{name} {each}")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "x"])
def test_what_is_no_finite_number_is_refused(value: str) -> None:
    """With the value, whatever limits there are."""
    for kind in (FiniteRange(), FiniteRange(min=0.5), FiniteRange(0, 1, min_open=True)):
        with pytest.raises(click.BadParameter, match=value):
            kind.convert(value, None, None)
    assert FiniteRange(min=0.5).convert("0.75", None, None) == 0.75


def test_no_command_takes_a_number_that_is_none() -> None:
    """Each option that takes a number with a fraction refuses NaN, infinity, and what is so large that sums of it are."""
    checked = []
    for name, command in [*commands(cli), ("worker", worker)]:
        for param in command.params:
            if isinstance(param.type, click.types.FloatParamType):
                assert isinstance(param.type, FiniteRange), f"{name} {param.opts[0]}"
                assert param.type.max is not None, f"{name} {param.opts[0]}"
                checked.append(f"{name} {param.opts[0]}")
    assert {"datafactory release plan --mbit", "datafactory approve --max-cost-usd"} <= {*checked}
