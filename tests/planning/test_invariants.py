"""What holds whatever happens: specs that change, workers that lose, cut and die, samples that somebody damages."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.control import circuit_breaker
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.models import TaskMessage, TaskResult
from vbvrdatafactory.core.ranges import IndexRange, compress, expand
from vbvrdatafactory.core.records import Receipt
from vbvrdatafactory.planning.evidence import Evidence
from vbvrdatafactory.planning.gaps import Gap, Gaps, Observation, find_gaps
from vbvrdatafactory.planning.inventory import Inventory
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.planning.replan import holes, messages
from vbvrdatafactory.report.build import make_report

NAMES = ("maze", "maze_2", "A-2")
FILES = ("first_frame.png", "prompt.txt", "ground_truth.mp4")
START = datetime(2026, 1, 1, tzinfo=UTC)
ROUNDS = 60

# By a seed: Hypothesis would find the world in which every message of every round is lost.
worlds = st.integers(0, 2**32).map(Random)


class Bucket:
    """Objects by key, with sizes and times; and, for the test alone, what each sample was made from."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.objects: dict[str, tuple[int, datetime]] = {}
        self.receipts: dict[keys.ReceiptKey, Receipt] = {}
        self.origins: dict[tuple[str, int], tuple[int | None, int]] = {}
        self.lost, self.failing = random.choice((0, 0.1, 0.3)), random.choice((0, 0.2, 0.5))
        self._now = START

    def put(self, key: str, size: int = 10) -> None:
        # Times have whole seconds, and several objects may share one.
        self._now += timedelta(seconds=self.random.choice((0, 1)))
        self.objects[key] = size, self._now

    def look(self, plan: Plan) -> tuple[Inventory, Gaps]:
        inventory = Inventory(plan.spec.require)
        inventory.add(
            sorted((k, size) for k, (size, _) in self.objects.items() if k.startswith("questions/"))
        )
        return inventory, find_gaps(plan, inventory)

    def evidence(self) -> Evidence:
        return Evidence((key, at) for key, (_, at) in self.objects.items())

    def messages(self, plan: Plan, gap: Gap) -> Iterator[TaskMessage]:
        evidence = self.evidence()
        known = {key: self.receipts[key] for key in holes(plan, gap, evidence) if key in self.receipts}
        return messages(plan, gap, evidence, known)

    def deliver(self, message: TaskMessage) -> None:
        """One delivery: lost without a trace, failed after a part, killed before its receipt, or well."""
        random, wanted = self.random, list(expand(message.wanted))
        if random.random() < self.lost:
            return
        failed = random.random() < self.failing
        stored = wanted[: random.randrange(len(wanted))] if failed else wanted
        self._store(message, stored)
        if failed:
            cause = random.choice([*Cause])
            self.put(keys.failure(keys.FailureKey(message.type, message.indices, message.salt, 1, cause)))
        elif random.random() < 0.9:
            self._receipt(message, stored)

    def damage(self) -> None:
        """Some objects are deleted or emptied, receipts among them."""
        for key in self.random.sample(sorted(self.objects), min(3, len(self.objects))):
            if "/receipts/" in key or self.random.random() < 0.5:
                del self.objects[key]
            elif not key.endswith(FILES[2]):
                self.objects[key] = 0, self.objects[key][1]

    def _store(self, message: TaskMessage, stored: list[int]) -> None:
        for index in stored:
            self.origins[message.type, index] = message.seed, index - message.start_index
        if message.output_format == "tar":
            for indices in compress(stored):
                self.put(keys.archive(keys.Archive(message.type, indices)))
            return
        for index in stored:
            folder = keys.sample_folder(keys.SampleFolder(message.type, "t", index))
            for name in FILES:
                self.put(f"{folder}/{name}")
            if self.random.random() < 0.1:  # as a generator may leave one beside what is asked for
                self.put(f"{folder}/notes.txt", 0)

    def _receipt(self, message: TaskMessage, stored: list[int]) -> None:
        key = keys.ReceiptKey(message.type, message.indices, message.salt, message.seed)
        self.put(keys.receipt(key))
        self.receipts[key] = Receipt(
            message=message,
            seed=message.seed or 0,
            stored=compress(stored),
            result=TaskResult(generator=message.type, samples_uploaded=len(stored), sample_ids=[]),
            attempt=1,
            generator_digest="",
            finished_at=START,
        )


def some_plan(random: Random, output_format: str) -> Plan:
    chosen = tuple(sorted(random.sample(NAMES, random.randrange(1, len(NAMES) + 1))))
    override = {"samples": random.choice((1, 5, 30)), "batch_size": random.choice((1, 4, 9))}
    return Plan(
        make_spec(
            dataset="d",
            generators=chosen,
            samples=random.choice((1, 2, 7, 20, 45)),
            batch_size=random.choice((1, 3, 7, 10, 25)),
            seed=42,
            output_format=output_format,
            require=random.choice(((), (FILES[2],))),
            overrides={chosen[0]: override} if random.random() < 0.3 else {},
        )
    )


def indices_of(sent: Iterable[TaskMessage]) -> list[int]:
    return [index for message in sent for index in expand(message.wanted)]


def check_look(plan: Plan, inventory: Inventory, gaps: Gaps) -> None:
    """Plan minus inventory is the gaps, and the report tallies to the plan."""
    for line in plan.generators.values():
        lacking = list(expand(gaps.of(line.generator).ranges))
        assert set(lacking) <= set(range(line.samples))
        assert line.samples - len(lacking) == inventory[line.generator].whole(IndexRange(0, line.samples))
    report = make_report(plan, Observation(inventory, find_gaps(plan, inventory)), at=START, bucket="b")
    assert report.complete is (gaps.sample_count == 0)
    assert sum(t.whole + t.torn + t.missing for t in report.generators) == plan.sample_count


def check_messages(plan: Plan, gap: Gap, sent: list[TaskMessage]) -> None:
    """They make the gap and each index once, under a receipt key of their own, and survive the wire."""
    assert sorted(indices_of(sent)) == list(expand(gap.ranges))
    assert max(Counter((message.indices, message.salt) for message in sent).values()) == 1
    for message in sent:
        assert TaskMessage.model_validate_json(message.to_json()) == message
        assert (message.require, message.output_format) == (plan.spec.require, plan.spec.output_format)


@given(worlds, st.sampled_from(["files", "tar"]))
def test_every_run_ends_complete_and_no_two_samples_are_the_same(random: Random, output_format: str) -> None:
    """Run after run on one bucket: each look adds up, each round makes just the gaps, and the rounds come to an end."""
    bucket = Bucket(random)
    for _ in range(random.randrange(1, 4)):
        plan = some_plan(random, output_format)
        for _ in range(ROUNDS):
            inventory, gaps = bucket.look(plan)
            check_look(plan, inventory, gaps)
            if not len(gaps):
                break
            for gap in gaps:
                sent = list(bucket.messages(plan, gap))
                check_messages(plan, gap, sent)
                for message in sent * random.choice((1, 1, 2)):
                    bucket.deliver(message)
        else:
            raise AssertionError(f"after {ROUNDS} rounds {gaps.sample_count} samples are missing still")
        origins = Counter((name, *origin) for (name, _), origin in bucket.origins.items())
        assert max(origins.values()) == 1
        bucket.damage()


@given(worlds, st.sampled_from(["files", "tar"]))
def test_probes_and_what_is_held_back_make_the_gap(random: Random, output_format: str) -> None:
    """Nothing is in both, nothing in neither, and what is held back is made by messages of its own."""
    bucket, plan = Bucket(random), some_plan(random, output_format)
    for _ in range(4):
        for gap in bucket.look(plan)[1]:
            probes = circuit_breaker.probes(bucket.evidence(), gap.generator)
            portion, is_held = circuit_breaker.first_portion(bucket.messages(plan, gap), probes)
            sent = list(portion)
            rest = gap.without(part for message in sent for part in message.wanted)
            assert bool(rest.ranges) is is_held
            assert sorted([*indices_of(sent), *expand(rest.ranges)]) == list(expand(gap.ranges))
            assert list(rest.ranges) == compress(expand(rest.ranges))
            for message in sent:
                bucket.deliver(message)
            if is_held:
                check_messages(plan, rest, list(bucket.messages(plan, rest)))
        bucket.damage()


files = st.builds(
    "questions/{}{}/t_task/t_{:0{}d}/{}".format,
    st.sampled_from(["maze", "maze_2", "maze_00000-00004", "a b"]),
    st.sampled_from(["", "", "/deep"]),
    st.sampled_from([0, 1, 2, 9, 9999, 10000, 99999999, 10**11]),
    st.sampled_from([4, 5, 8]),
    st.sampled_from(["first_frame.png", "prompt.txt", "x", "metadata.json"]),
)
archives = st.builds(
    lambda name, start, size: f"questions/{name}_{start:05d}-{start + size:05d}.tar.gz",
    st.sampled_from(["maze", "a b"]),
    st.integers(0, 50),
    st.sampled_from([0, 9, 999, 1000]),
)
strangers = st.sampled_from(["questions/x", "questions/maze/x", "questions/maze/t_task/t_1/deep/x"])


@given(
    st.dictionaries(
        files | files | archives | strangers, st.sampled_from([0, 1, 5]), min_size=1, max_size=40
    ),
    st.data(),
)
def test_the_order_and_the_parts_of_a_listing_do_not_matter(
    listing: dict[str, int], data: st.DataObject
) -> None:
    """Whatever lies there: shuffled, and cut into parts, it shows what it shows in order and at once."""

    def shown(*parts: Iterable[str]) -> list[object]:
        inventory = Inventory()
        for part in parts:
            inventory.add((key, listing[key]) for key in part)
        return [
            (name, seen.whole(wide), seen.torn(wide), seen.strays(5), seen.missing(IndexRange(0, 60)))
            for name in inventory
            for seen, wide in [(inventory[name], IndexRange(0, 20_000))]
        ]

    shuffled = data.draw(st.permutations(sorted(listing)))
    cut = data.draw(st.integers(0, len(shuffled)))
    folders = data.draw(st.permutations(sorted({key.rpartition("/")[0] for key in listing})))
    assert (
        shown(sorted(listing))
        == shown(*([k for k in sorted(listing) if k.rpartition("/")[0] == each] for each in folders))
        == shown(shuffled[:cut], shuffled[cut:])
    )
