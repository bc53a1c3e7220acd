"""The bench runs on the checkout alone, and its fake S3 keeps what it is given."""

import json
import subprocess
import sys
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

from bench.measure import BenchError, FakeAws, fake_aws

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def aws(tmp_path: Path):
    with fake_aws(tmp_path / "cloud") as running:
        yield running


def _store(aws: FakeAws) -> S3Store:
    return S3Store(
        "bench-bucket",
        endpoint=aws.url,
        access_key_id="test",
        secret_access_key="test",
        region="us-east-2",
        client_options={"allow_http": True},
    )


def test_small_objects_come_back_and_are_counted(aws: FakeAws) -> None:
    """The fake S3 keeps small objects and counts each request by its kind."""
    store = _store(aws)
    obstore.put(store, "a/receipt.json", b"{}")
    assert bytes(obstore.get(store, "a/receipt.json").bytes()) == b"{}"
    assert obstore.head(store, "a/receipt.json")["size"] == 2
    assert [entry["path"] for page in obstore.list(store, "a") for entry in page] == ["a/receipt.json"]
    assert aws.state()["counts"] == {"PUT": 1, "GET": 2, "HEAD": 1}
    obstore.delete(store, ["a/receipt.json"])
    assert aws.state()["objects"] == {}


def test_a_frame_is_known_by_its_digest_only(aws: FakeAws) -> None:
    """Of a frame the fake keeps size and digest, not bytes, and says so when asked for them."""
    store = _store(aws)
    obstore.put(store, "questions/g/t_task/t_0007/first_frame.png", b"x" * 300_000, use_multipart=False)
    found = aws.digests(aws.state()["objects"], "g")
    assert list(found) == [("t", 7, "first_frame.png")]
    with pytest.raises(BenchError, match="501"):
        aws.get("/bench-bucket/questions/g/t_task/t_0007/first_frame.png")


def test_parts_of_an_archive_are_put_together(aws: FakeAws) -> None:
    """A multipart upload becomes one object with the bytes of its parts."""
    store, content = _store(aws), bytes(range(256)) * 50_000
    with obstore.open_writer(store, "questions/g_0-1.tar.gz", buffer_size=5 * 1024 * 1024) as writer:
        writer.write(content)
    assert aws.get("/bench-bucket/questions/g_0-1.tar.gz") == content
    assert aws.state()["counts"]["PUT"] == 3


def test_a_delay_holds_the_answer_back_and_a_reset_forgets(aws: FakeAws) -> None:
    """A reset sets the delay and forgets every object."""
    store = _store(aws)
    obstore.put(store, "a.json", b"{}")
    aws.reset(1)
    with pytest.raises(FileNotFoundError):
        obstore.head(store, "a.json")


def test_it_measures_a_first_party_generator(tmp_path: Path) -> None:
    """The benchmark runs with nothing but the checkout and writes its readings."""
    readings = tmp_path / "readings.json"
    command = [
        sys.executable, "-m", "bench.worker", "--weights", "light", "--samples", "2", "--delays", "1",
        "--memory", "--json", str(readings),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    files, tar = json.loads(readings.read_text())["cases"]
    assert files["ours"][0]["puts"] > tar["ours"][0]["puts"]
    assert files["ours"][0]["left"] == 0
