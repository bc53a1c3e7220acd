from flows.loop import Standing
from vbvrdatafactory.core.gaps import Gap, Gaps
from vbvrdatafactory.core.ranges import IndexRange


def gaps(**lacking: int) -> Gaps:
    return Gaps(Gap(name, (IndexRange(0, count),)) for name, count in lacking.items())


def test_a_generator_that_stands_still_twice_is_given_up() -> None:
    """After two rounds without one new sample a generator is not asked again, the others are."""
    standing = Standing()
    for left in (8, 4):
        tried = standing.worth_trying(gaps(hopeless=10, slow=left))
        standing.learn(tried, gaps(hopeless=10, slow=left - 3))
    assert [gap.generator for gap in standing.worth_trying(gaps(hopeless=10, slow=1))] == ["slow"]


def test_one_new_sample_earns_another_chance() -> None:
    """Rounds without progress count only when they follow each other."""
    standing = Standing()
    for before, after in ((10, 10), (10, 9), (9, 9)):
        standing.learn(standing.worth_trying(gaps(g=before)), gaps(g=after))
    assert len(standing.worth_trying(gaps(g=9))) == 1
