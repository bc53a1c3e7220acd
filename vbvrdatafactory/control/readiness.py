"""Whether a deployed stack is as a run needs it: rules on what AWS says of it, with the next move for each. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

# What Lambda needs of the concurrency quota for functions without a reservation.
_UNRESERVED_LEFT = 100
# A new account's functions have at most this, until its quota is raised.
NEW_ACCOUNT_MB = 3008
# Generators stage videos in the temp folder, and a batch as an archive is packed from there.
_LEAST_TEMP_MB = 1024
_WORKING = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"}


class StackFacts(NamedTuple):
    """What AWS says of a stack.

    Args:
        status: of the stack, as CloudFormation has it; empty where there is none.
        reason: why it is so.
        mapping: the state of the event source mapping, as in ``Enabled``; empty where there is none.
        most_at_once: its MaximumConcurrency; None where it has none.
        function: the state of the worker function, as in ``Active``; empty where there is none.
        memory_mb: of the function.
        temp_mb: of its temp folder.
        image: the URI of its image, with the digest; empty for a function that is none.
        quota: how many functions the account may run at once; None where that is not known.
    """

    status: str = ""
    reason: str = ""
    mapping: str = ""
    most_at_once: int | None = None
    function: str = ""
    memory_mb: int = 0
    temp_mb: int = 0
    image: str = ""
    quota: int | None = None


class Problem(NamedTuple):
    """Something that a run would meet.

    Args:
        text: what it is.
        next_move: what to do.
        stops: whether nothing would be made; else it would be made slowly, or may fail.
    """

    text: str
    next_move: str
    stops: bool = True


def problems(facts: StackFacts) -> list[Problem]:
    """What a run on this stack would meet, the worst first."""
    return sorted(_problems(facts), key=lambda problem: not problem.stops)


def _problems(facts: StackFacts) -> Iterator[Problem]:
    if facts.status not in _WORKING:
        why = f" ({facts.reason})" if facts.reason else ""
        yield Problem(
            f"the stack is {facts.status or 'not there'}{why}", "'cdk deploy', or wait for the one under way"
        )
        return
    if facts.function != "Active":
        yield Problem(
            f"the function is {facts.function or 'not there'}", "'cdk deploy' again; its image may be gone"
        )
    if facts.mapping != "Enabled":
        yield Problem(
            f"the event source mapping is {facts.mapping or 'not there'}, so nobody takes messages",
            "'datafactory resume DATASET --workers', or enable it in the Lambda console",
        )
    yield from _limits(facts)


def _limits(facts: StackFacts) -> Iterator[Problem]:
    if facts.quota is not None and facts.most_at_once and facts.most_at_once > facts.quota:
        yield Problem(
            f"{facts.most_at_once} batches at once are more than the {facts.quota:,} functions that the account may run",
            f"deploy with -c sqsMaxConcurrency={fitting_concurrency(facts.quota)}, or ask for a higher quota "
            "(Service Quotas, Lambda, Concurrent executions)",
            stops=False,
        )
    if facts.temp_mb and facts.temp_mb < _LEAST_TEMP_MB:
        yield Problem(
            f"the temp folder has {facts.temp_mb} MB, which a batch with videos may fill",
            "deploy with -c ephemeralStorageMB=4096",
            stops=False,
        )


def before_deploying(quota: int, *, memory_mb: int, most_at_once: int) -> list[Problem]:
    """What a first deployment into an account would meet, with the context that fits.

    Args:
        quota: how many functions the account may run at once.
        memory_mb: of the function.
        most_at_once: the event source mapping's MaximumConcurrency.
    """
    found = []
    if most_at_once > quota:
        fits = fitting_concurrency(quota)
        found.append(
            Problem(
                f"the account may run {quota:,} functions at once, and the stack asks for {most_at_once}",
                f"deploy with -c sqsMaxConcurrency={fits}, or ask for a higher quota first",
                stops=False,
            )
        )
    if quota <= _UNRESERVED_LEFT and memory_mb > NEW_ACCOUNT_MB:
        found.append(
            Problem(
                f"an account with so low a quota is new, and its functions have at most {NEW_ACCOUNT_MB} MB",
                f"deploy with -c lambdaMemoryMB=1769, instead of {memory_mb}",
            )
        )
    return found


def fitting_concurrency(quota: int) -> int:
    """The MaximumConcurrency that leaves other functions of the account some room; 2 at least, as AWS has it.

    >>> [fitting_concurrency(quota) for quota in (10, 100, 1000, 5000)]
    [8, 90, 900, 990]
    """
    return max(2, min(990, quota - max(2, quota // 10)))
