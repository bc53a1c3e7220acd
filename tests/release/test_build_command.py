"""`datafactory release plan` and `build`, on the command line."""

from pathlib import Path

import obstore
import pytest
from click.testing import CliRunner, Result

from tests.release.planted import files_of, plant_many
from tests.release.test_build import held
from vbvrdatafactory.cli.main import cli
from vbvrdatafactory.core import keys
from vbvrdatafactory.s3.specs import write_spec
from vbvrdatafactory.testing import InMemoryAws


def run(cloud: InMemoryAws, *arguments: object) -> Result:
    return CliRunner().invoke(cli, ["release", *map(str, arguments)], env=cloud.environment)


@pytest.fixture
def described(cloud: InMemoryAws) -> InMemoryAws:
    """A bucket with a complete dataset of 40 samples."""
    write_spec(cloud.store, plant_many(cloud.store, ["G-1_a", "O-2_b"], 20).spec)
    return cloud


def test_a_plan_says_what_will_come_out(described: InMemoryAws) -> None:
    """Samples, puzzles, shards, files, bytes, and hours; without reading a sample."""
    done = run(described, "plan", "my-release", "--split", "test=0.25", "--mbit", "1")
    assert done.exit_code == 0, done.output
    first, second, total, hours = done.output.splitlines()
    assert first.startswith("test: ")
    assert second.startswith("train: ")
    assert total.startswith("40 samples of 2 generators, 11 files, ")
    assert hours.endswith("to read at 1 Mbit/s, and as much to publish")


def test_a_plan_says_what_the_hub_would_not_take(
    described: InMemoryAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And ends with 1, before anything is built."""
    from vbvrdatafactory.release import publishing

    monkeypatch.setattr(publishing, "HUB", publishing.HUB._replace(of_a_folder=4, bytes_granted=10))
    done = run(described, "plan", "my-release")
    assert done.exit_code == 1
    told = [line for line in done.output.splitlines() if line.startswith("the Hub would not take it")]
    assert len(told) == 2


def test_a_release_is_built_with_its_card(described: InMemoryAws, tmp_path: Path) -> None:
    """In a folder of the name that it has; run again, nothing is built."""
    for built in ("2 shards", "0 shards"):
        done = run(
            described,
            "build",
            "my-release",
            "--out",
            tmp_path / "r",
            "--split",
            "test=0.25",
            "--export",
            "jsonl",
        )
        assert done.exit_code == 0, done.output
        assert (
            done.output.endswith(f"40 samples in 2 shards, 156 kB; {built} built now\n")
            or built in done.output
        )
    assert {"README.md", "croissant.json", "release.json", "metadata.parquet", "CHANGELOG.md"} <= held(
        tmp_path / "r"
    ).keys()
    assert "exports/paths/test.jsonl" in held(tmp_path / "r")


def test_a_dataset_with_gaps_is_refused_in_one_line(described: InMemoryAws, tmp_path: Path) -> None:
    """By both commands, with what leaves the gaps out."""
    obstore.delete(described.store, f"{keys.sample_folder(keys.SampleFolder('G-1_a', 't', 3))}/prompt.txt")
    for command in (("plan", "r"), ("build", "r", "--out", tmp_path)):
        done = run(described, *command)
        assert (done.exit_code, done.output.count("\n")) == (1, 1)
        assert "1 sample missing" in done.output
        assert "--leave-out gaps" in done.output
    assert run(described, "plan", "r", "--leave-out", "gaps").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--split", "test"), "no split"),
        (("--without", "X-*"), "names no generator"),
        (("--without", "*"), "no sample that a release could hold"),
        (("--out", "https://x/y"), "no place for a release"),
        (("--decontaminate", "nowhere"), "neither a folder nor a file"),
    ],
)
def test_what_is_asked_wrongly_is_refused(
    described: InMemoryAws, tmp_path: Path, arguments: tuple[str, str], why: str
) -> None:
    """In one line that shows the value."""
    done = run(
        described, "build", "r", *(() if "--out" in arguments else ("--out", tmp_path / "r")), *arguments
    )
    assert done.exit_code == 1
    assert why in done.output
    assert not [*tmp_path.iterdir()]


def test_samples_that_equal_a_benchmark_are_listed(described: InMemoryAws, tmp_path: Path) -> None:
    """Each in a line, with what it equals."""
    folder = tmp_path / "bench" / "one"
    folder.mkdir(parents=True)
    for name, data in files_of("G-1_a", 4).items():
        (folder / name).write_bytes(data)
    done = run(described, "build", "r", "--out", tmp_path / "r", "--decontaminate", tmp_path / "bench")
    assert "left out: G-1_a-000004 has the digest of bench/one\n" in done.output
    assert "39 samples" in done.output
