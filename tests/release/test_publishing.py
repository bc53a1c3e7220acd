"""What is sent where, in which order, and what a target would not take."""

import pytest

from vbvrdatafactory.release.publishing import (
    HUB,
    Limits,
    ListedFile,
    LocalFile,
    git_name,
    left,
    limit_problems,
    needs_grant,
    steps,
)

SMALL = Limits(files=5, of_a_folder=2, bytes_of_a_file=100, bytes_granted=150)
CARD = LocalFile("README.md", 9, "c" * 64, git_name(b"the card."))
MANIFEST = LocalFile("release.json", 5, "d" * 64, "d")


def shard(number: int, content: str = "a") -> LocalFile:
    return LocalFile(f"data/train/train-{number:05d}.tar", 50, content * 64)


def listed(*files: LocalFile) -> dict[str, ListedFile]:
    return {
        file.path: ListedFile(file.path, file.size, "", file.git)
        if file.git
        else ListedFile(file.path, file.size, file.sha256)
        for file in files
    }


def test_only_what_differs_is_left() -> None:
    """What a target has with another size, SHA-256 or Git name, or of which it knows neither, is left to send."""
    there = listed(CARD, shard(0), shard(1))
    assert left([CARD, shard(0), shard(1)], there) == []
    assert left([shard(0, "b")], there) == [shard(0, "b")]
    assert left([CARD._replace(git="other")], there) == [CARD._replace(git="other")]
    assert left([shard(0)._replace(size=51)], there) == [shard(0)._replace(size=51)]
    assert left([shard(0)], {shard(0).path: ListedFile(shard(0).path, 50)}) == [shard(0)]


def test_the_card_goes_last_to_an_empty_place() -> None:
    """Shards go in steps, the manifest with the first of them, and the card with the last, so nobody finds half a release."""
    shards = [shard(number) for number in range(120)]
    made = steps([MANIFEST, CARD, *shards], {})
    assert [len(step.files) for step in made] == [51, 50, 20, 1]
    assert made[0].files[0] == MANIFEST
    assert made[-1].files == [CARD]


def test_a_revision_goes_at_once() -> None:
    """Where a card is, replaced and new shards, the card and what is deleted go in one step."""
    there = listed(CARD, MANIFEST, shard(0), shard(1), shard(9))
    new = CARD._replace(git="new")
    (only,) = steps([MANIFEST, new, shard(0), shard(1, "b"), shard(2)], there)
    assert [file.path for file in only.files] == [shard(1).path, shard(2).path, CARD.path]
    assert only.deleted == [shard(9).path]
    assert steps([MANIFEST, CARD, shard(0), shard(1), shard(9)], there) == []


def test_a_revision_that_is_too_large_for_one_step_ends_with_the_card() -> None:
    """A revision of more files than a commit takes goes in several, the card and what is deleted in the last."""
    there = listed(CARD, shard(9999))
    made = steps([CARD._replace(git="new"), *(shard(number) for number in range(2300))], there)
    assert [len(step.files) for step in made] == [1000, 1000, 301]
    assert made[-1].files[-1].path == CARD.path
    assert [len(step.deleted) for step in made] == [0, 0, 1]


def test_files_of_others_stay() -> None:
    """Nothing is deleted but in folders that only a release has."""
    there = {**listed(CARD, MANIFEST), "assets/logo.png": ListedFile("assets/logo.png", 1, "e")}
    assert steps([MANIFEST, CARD], there) == []


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([(f"{n}/x", 1) for n in range(5)], "5 files; fewer than 5"),
        ([("data/a", 1), ("data/b", 1), ("data/c", 1)], "3 files in data/"),
        ([("data/a", 101)], "data/a has 101 bytes; 100 bytes are taken"),
    ],
)
def test_limits_are_told_with_the_file(files: list[tuple[str, int]], said: str) -> None:
    """What a target does not take is told with its figure and the next move."""
    (problem,) = limit_problems(files, SMALL)
    assert said in problem
    assert "build" in problem


def test_what_fits_is_taken() -> None:
    """3,000 shards of 1 GB fit the Hub, and need its consent."""
    files = [LocalFile(f"data/train/{number}.tar", 10**9, "") for number in range(3000)]
    assert not [*limit_problems([(file.path, file.size) for file in files], HUB)]
    assert needs_grant(files, HUB)
    assert not needs_grant(files[:1000], HUB)
