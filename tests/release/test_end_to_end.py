"""From a bucket to a training loop: built, checked, published to a stand-in of the Hub, and read there."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import obstore
import polars as pl
import pytest
from click.testing import CliRunner
from obstore.store import MemoryStore

from tests.release import folders, planted
from tests.release.test_check import Inline
from vbvrdatafactory.cli.main import cli
from vbvrdatafactory.core import content, keys
from vbvrdatafactory.core.content import FileContent
from vbvrdatafactory.driver import release_check, release_publish
from vbvrdatafactory.driver.release import build_release
from vbvrdatafactory.driver.release_build import Asked
from vbvrdatafactory.driver.release_check import check
from vbvrdatafactory.driver.release_hub import HubRepository
from vbvrdatafactory.driver.release_place import Place
from vbvrdatafactory.driver.release_source import Source
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.testing import Clock, InMemoryAws
from vbvrdatafactory.testing.hub import TOKEN, LoopbackHub

NAME = "an-org/a-dataset"
SAMPLES = 10

# Splits that the training loop does not read, and what it should have seen of all samples.
TELL = f"""
import json
from hashlib import sha256
read = {{}}
for split in ("train", "test"):
    for sample in load_dataset("{NAME}", split=split, streaming=True).decode(False):
        values = [sample[name] for name in ("first_frame.png", "final_frame.png", "prompt.txt", "ground_truth.mp4")]
        values = [value.encode() if isinstance(value, str) else value["bytes"] for value in values]
        read[sample["__key__"]] = [sha256(value).hexdigest() for value in values]
print(json.dumps({{"read": read, "shape": video.shape, "fps": fps}}))
"""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    with LoopbackHub().serving() as serving:
        yield serving


def build(cloud: InMemoryAws, folder: Path) -> None:
    """A release of six generators whose metadata disagrees about the type of a field."""
    for number, (generator, metadata) in enumerate(folders.CLASHING.items()):
        made = {
            index: planted.files_of(generator, 100 * number + index, metadata) for index in range(SAMPLES)
        }
        planted.plant(cloud.store, generator, made)
    plan = Plan(make_spec(generators=[*folders.CLASHING], samples=SAMPLES, batch_size=10))
    asked = Asked("Reasoning", 3, "cc-by-4.0", {"test": 0.2}, 100_000, 0)
    build_release(Services(cloud.config), plan, asked, Place(folder), datetime(2026, 3, 1, tzinfo=UTC))


def in_bucket(store: MemoryStore, folder: Path) -> dict[str, list[str]]:
    """SHA-256 of what the bucket has of each sample, by its key."""
    found = {}
    for key, generator, index in (
        pl.read_parquet(folder / "metadata.parquet").select("key", "generator", "index").iter_rows()
    ):
        place = keys.sample_folder(keys.SampleFolder(generator, "t", index))
        data = [bytes(obstore.get(store, f"{place}/{name}").bytes()) for name in folders.MEMBERS[:4]]
        found[key] = [FileContent.of(each).sha256.hex() for each in data]
    return found


def test_six_generators_go_from_the_bucket_to_a_training_loop(
    cloud: InMemoryAws, hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is built passes the check, against the ledger too, arrives, and the loop of the docs reads it: the bucket's bytes."""
    monkeypatch.setattr(release_check, "ProcessPoolExecutor", Inline)
    folder = tmp_path / "release"
    build(cloud, folder)
    checked = check(folder)
    assert checked.is_good, checked.found.kept
    target = HubRepository(NAME, private=True, endpoint=hub.endpoint)
    done = release_publish.publish(Source(folder, NAME), target, Clock(), print)
    assert done.sent == done.files == len(hub.repositories[NAME])
    told = run(training_loop() + TELL, hub, tmp_path)
    assert told["read"] == in_bucket(cloud.store, folder)
    assert len(told["read"]) == SAMPLES * len(folders.CLASHING)
    assert (told["shape"], told["fps"]) == ([2, 64, 64, 3], 12.0)


def test_digests_are_those_of_the_ledger(
    cloud: InMemoryAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release of what the bucket has passes; samples that are recorded with other content now, or not at all, are named."""
    monkeypatch.setattr(release_check, "ProcessPoolExecutor", Inline)
    folder = tmp_path / "release"
    build(cloud, folder)

    def look() -> "tuple[int, list[str]]":
        arguments = ["release", "check", str(folder), "--ledger", "--json"]
        result = CliRunner().invoke(cli, arguments, env=cloud.environment)
        return result.exit_code, [
            f"{each['trap']} {each['what']}" for each in json.loads(result.output)["found"]
        ]

    assert look() == (0, [])
    planted.plant(cloud.store, "V-1_maze", {3: planted.files_of("V-1_maze", 999, {})})
    for page in obstore.list(cloud.store, "_datafactory/receipts/V-2_draw/"):
        obstore.delete(cloud.store, [each["path"] for each in page])
    code, said = look()
    assert code == 1
    assert said[0] == "ledger 'V-1_maze-000003' has other content in the ledger"
    assert said[1] == "ledger 'V-2_draw-000000' is not in the ledger"


OTHER_FILES: list[dict[str, bytes]] = [
    {"metadata.json": b'{"n": 1}', "question_metadata.json": b'{"m": 2}'},
    {"question_metadata.json": b'{"m": 3}'},
    {"metadata.json": b'{"n": 4}', "notes.txt": b"by hand"},
    {"notes.txt": b"by hand"},
    {},
]


@pytest.mark.parametrize("digests", ["recorded", "of-before"])
def test_a_release_has_one_file_of_metadata_whatever_a_sample_has(
    cloud: InMemoryAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digests: str
) -> None:
    """With both, with others, with none, in files and in archives, of receipts with digests and without: it passes, against the ledger too."""
    monkeypatch.setattr(release_check, "ProcessPoolExecutor", Inline)
    if digests == "of-before":
        monkeypatch.setattr(planted, "metadata_digest", lambda _: "")
    made = {
        index: planted.files_of("G", index) | OTHER_FILES[index % len(OTHER_FILES)] for index in range(10)
    }
    planted.plant(cloud.store, "G", made)
    planted.plant_archive(cloud.store, "H", made)
    folder, plan = tmp_path / "r", Plan(make_spec(generators=["G", "H"], samples=10, batch_size=10))
    asked = Asked("Reasoning", 3, "cc-by-4.0", {}, 100_000, 0)
    build_release(Services(cloud.config), plan, asked, Place(folder), datetime(2026, 3, 1, tzinfo=UTC))
    checked = check(folder)
    assert checked.is_good, checked.found.kept
    said = CliRunner().invoke(cli, ["release", "check", str(folder), "--ledger"], env=cloud.environment)
    assert said.exit_code == 0, said.output
    monkeypatch.setattr(planted, "metadata_digest", content.metadata_digest)
    planted.plant(cloud.store, "G", {6: planted.files_of("G", 6) | {"question_metadata.json": b"{}"}})
    said = CliRunner().invoke(
        cli, ["release", "check", str(folder), "--ledger", "--json"], env=cloud.environment
    )
    found = [each["what"] for each in json.loads(said.output)["found"]]
    assert "'G-000006' has other content in the ledger" in found


def test_withdrawn_samples_are_gone_from_where_it_was_published(
    cloud: InMemoryAws, hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a release with samples withdrawn, one that the card shows too, only their shards are sent; nothing there shows them."""
    monkeypatch.setattr(release_check, "ProcessPoolExecutor", Inline)
    folder = tmp_path / "release"
    build(cloud, folder)
    target = HubRepository(NAME, private=True, endpoint=hub.endpoint)
    release_publish.publish(Source(folder, NAME), target, Clock(), print)
    before, sent, commits = dict(hub.repositories[NAME]), len(hub.received), len(hub.commits)
    gone = ["V-1_maze-000000", "V-1_maze-000004", "V-2_draw-000007"]
    named = [word for key in gone for word in ("--key", key)]
    arguments = ["release", "withdraw", str(folder), *named, "--why", "wrong walls"]
    result = CliRunner().invoke(cli, arguments, env=cloud.environment)
    assert result.exit_code == 0, result.output
    checked = check(folder)
    assert checked.is_good, checked.found.kept
    done = release_publish.publish(Source(folder, NAME), target, Clock(), print)
    assert len(hub.commits) == commits + 1
    now = hub.repositories[NAME]
    assert not [path for path in now if "V-1_maze-000000" in path]
    tars = [path for path in now if path.endswith(".tar")]
    shards = set(pl.read_parquet(folder / "metadata.parquet")["shard"])
    changed = [path for path in tars if now[path] != before.get(path)]
    assert 1 <= len(changed) <= len(gone) < len(tars)
    assert set(tars) == shards
    held = {each.oid for each in before.values()}
    assert Counter(hub.received[sent:]) == Counter(
        {each.oid for each in now.values() if each.is_large} - held
    )
    assert done.deleted == len(before.keys() - now.keys())
    assert "wrong walls" in now["README.md"].data.decode()


def training_loop() -> str:
    """The loop as docs/publishing.md has it."""
    text = (Path(__file__).parents[2] / "docs" / "publishing.md").read_text()
    _, _, rest = text.partition("<!-- the training loop -->\n\n```python\n")
    loop, _, _ = rest.partition("```")
    assert 5 <= len(loop.splitlines()) <= 20
    return loop.replace("my-org/my-dataset", NAME)


def run(script: str, hub: LoopbackHub, tmp_path: Path) -> dict[str, object]:
    """What a program says in its last line, in a process that knows the Hub by its variables alone."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **hub.environment, "HF_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found
