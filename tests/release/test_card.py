"""The card of a release."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.release import folders
from tests.release.conftest import Write
from vbvrdatafactory.core.contract import FINAL_FRAME, FIRST_FRAME, METADATA, PROMPT, VIDEO
from vbvrdatafactory.release import card_rules
from vbvrdatafactory.release.card_generators import family
from vbvrdatafactory.release.card_header import size_category


def header_of(folder: Path) -> dict[str, Any]:
    _, text, _ = (folder / "README.md").read_text().split("---\n", 2)
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def body_of(folder: Path) -> str:
    return (folder / "README.md").read_text().split("---\n", 2)[2]


def test_header_says_how_it_is_read(write: Write) -> None:
    """The header has the splits with their shards and samples, and every column with its type, metadata as JSON."""
    folder, _ = write()
    found = header_of(folder)
    (config,), (info,) = found["configs"], found["dataset_info"]
    assert config["data_files"] == [
        {"split": "train", "path": "data/train/*.tar"},
        {"split": "test", "path": "data/test/*.tar"},
    ]
    types = {each["name"]: each["dtype"] for each in info["features"]}
    assert (types[METADATA], types[VIDEO], types[FIRST_FRAME]) == ("json", "video", "image")
    assert [(split["name"], split["num_examples"]) for split in info["splits"]] == [
        ("train", 18),
        ("test", 6),
    ]
    assert found["license"] == "apache-2.0"
    assert found["size_categories"] == ["n<1K"]
    assert "image-to-video" in found["task_categories"]


def test_what_is_trained_on_comes_first(write: Write) -> None:
    """The split `train` is the first in the header and in the example, in whatever order the manifest has them."""
    folder, _ = write(splits={"test": 6, "train": 18})
    assert [each["split"] for each in header_of(folder)["configs"][0]["data_files"]] == ["train", "test"]
    assert [each["name"] for each in header_of(folder)["dataset_info"][0]["splits"]] == ["train", "test"]
    assert 'split="train", streaming=True' in body_of(folder)


def test_unknown_licence_is_named(write: Write) -> None:
    """A licence that the Hub does not know is `other` with its name."""
    folder, _ = write(license="Our own, 2.0")
    found = header_of(folder)
    assert (found["license"], found["license_name"]) == ("other", "Our own, 2.0")


@pytest.mark.parametrize(
    ("samples", "category"),
    [(0, "n<1K"), (1000, "1K<n<10K"), (3_000_000, "1M<n<10M"), (10**12, "n>1T")],
)
def test_size_category(samples: int, category: str) -> None:
    """The category is the Hub's."""
    assert size_category(samples) == category


def test_each_generator_is_shown_with_the_bytes_of_a_sample(write: Write) -> None:
    """Each generator has both frames of its sample on the card, the same bytes as in its shard, by its family."""
    folder, release = write()
    body, made = body_of(folder), {sample.key: sample.files for sample in folders.samples()}
    for share in release.generators:
        for name in (FIRST_FRAME, FINAL_FRAME):
            path = f"pictures/{share.example}.{name}"
            assert f'src="{path}"' in body
            assert (folder / path).read_bytes() == made[share.example][name]
    assert re.findall(r"^### Family (\w+)$", body, re.MULTILINE) == ["G", "O", "V"]


def test_limits_are_told(write: Write) -> None:
    """The card says which generators repeat themselves or were left out, why, and that rates differ."""
    folder, release = write()
    share = release.generators[0].model_copy(update={"distinct": 1})
    folder, _ = write(into="other", generators=(share, *release.generators[1:]))
    body = body_of(folder)
    assert f"{share.generator} (1 of 4)" in body.replace("\\", "")
    assert "Left out: 4 samples of V-9_gone: it failed." in body
    assert "Revision 1, 2026-02-03: First release" in body


def test_text_of_a_stranger_is_text(write: Write) -> None:
    """Names, prompts and reasons of strangers become no markup, no HTML, no row and no field of the header."""
    hostile = "x | </td><script>alert(1)</script> ![a](http://e.org/x.png) ``` \n---\nlicense: mit # \u202e"
    given = [
        sample._replace(files={**sample.files, PROMPT: hostile.encode()})
        for sample in folders.samples({"V-1_maze": {}})
    ]
    _, release = write(given)
    share = release.generators[0].model_copy(update={"generator": f"V-1_maze{hostile}"})
    folder, _ = write(given, into="other", generators=(share,), dataset=hostile, license=hostile)
    for markup in ("<script>", "</td>", "![a](http", "\u202e"):
        assert markup not in body_of(folder)
    assert header_of(folder)["license"] == "other"
    rows = [line for line in body_of(folder).splitlines() if line.startswith("| <img")]
    assert [len(re.split(r"(?<!\\)\|", row)) for row in rows] == [7]
    assert body_of(folder).count("```") % 2 == 0


def test_a_key_that_is_no_key_shows_no_picture(write: Write) -> None:
    """An example whose key could be markup or another path is not shown."""
    folder, release = write()
    share = release.generators[0].model_copy(update={"example": '../x" onerror="alert(1)'})
    folder, _ = write(into="other", generators=(share,))
    assert "onerror" not in (folder / "README.md").read_text()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("O-41_nonogram", "O"), ("O_48_sudoku", "O"), ("G12", "G"), ("maze", ""), ("multi-9_x", "multi")],
)
def test_family(name: str, expected: str) -> None:
    """The family is what comes before the number."""
    assert family(name) == expected


@pytest.mark.parametrize("name", ["my---", "a\n---\nb", "x: y\n--- #", "]: {"])
def test_a_licence_ends_no_header(write: Write, name: str) -> None:
    """Whatever is in it: the header is read to its end, and the Hub's own pattern finds the same end."""
    folder, release = write(license=name)
    text = (folder / "README.md").read_text()
    found = card_rules.header_of(text)
    assert (found["license"], found["license_name"]) == ("other", name)
    assert [*card_rules.card_problems(text, release, {})] == []
