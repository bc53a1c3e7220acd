"""What is asked for, worked out on this machine: generators chosen from the catalogue, their code and environments pinned."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.generators_lock import pin
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.fleet.catalogue import read_catalogue
from vbvrdatafactory.lockfile import read_lock
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.planning.selection import choose_generators
from vbvrdatafactory.planning.spec_changes import check_pins


class Chosen(NamedTuple):
    """Generators.

    Args:
        names: those that can run.
        left_out: those that the patterns match and that can't, with the reason.
    """

    names: tuple[str, ...]
    left_out: Mapping[str, str]


def choose(config: Config, patterns: Iterable[str]) -> Chosen:
    """The generators that `patterns` stand for.

    Raises:
        SpecError: a pattern matches none that can run.
    """
    patterns = tuple(patterns)
    # The workers of an endpoint on this machine are on this machine.
    catalogue = read_catalogue(config.generators_path, on_this_machine=config.is_embedded)
    chosen = choose_generators(patterns, catalogue.usable, catalogue.unusable)
    return Chosen(chosen, catalogue.left_out(patterns))


def plan(config: Config, chosen: Chosen, wanted: Mapping[str, object]) -> Plan:
    """The plan of a dataset of the chosen generators, pinned to the generators' lock.

    Args:
        config: says where the generators are.
        chosen: the generators.
        wanted: the other fields of `DatasetSpec`.

    Raises:
        SpecError: it can't be planned.
    """
    pinned = pin(read_lock(config.generators_path), chosen.names)
    return Plan(make_spec(**{**wanted, "generators": chosen.names, "pins": pinned}))


def check_lock(services: Services, planned: Plan) -> None:
    """Check that the generators here are those that a filed dataset was planned with, where its spec asks for that.

    A machine without the lock checks nothing.

    Raises:
        Redefined: they are others.
    """
    lock = read_lock(services.config.generators_path)
    check_pins(planned.spec, pin(lock, planned.spec.generators))
