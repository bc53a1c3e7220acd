"""Where a release lies, and the processes that build it."""

import os
import pickle
import signal
from pathlib import Path

import pytest
from obstore.store import S3Store

from vbvrdatafactory.aws import Identity
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.errors import ReleaseError
from vbvrdatafactory.driver.release_place import Place, parse_place
from vbvrdatafactory.driver.release_pool import Context, Pool

CONFIG = Config(aws_endpoint_url="https://s3.example.com")


def _end(_: Context, number: int) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def _number(_: Context, number: int) -> int:
    return number


def test_another_process_has_the_same_credentials() -> None:
    """Not those of its environment, where the caller has others."""
    place = Place(bucket="some-bucket", prefix="a/b", config=CONFIG, identity=Identity("key", "secret"))
    store = pickle.loads(pickle.dumps(place)).store()
    assert isinstance(store, S3Store)
    assert store.credential_provider()["access_key_id"] == "key"
    assert (store.config["bucket"], store.prefix) == ("some-bucket", "a/b")


def test_places_are_folders_or_prefixes_of_buckets(tmp_path: Path) -> None:
    """A slash at the end changes nothing; any other address is refused."""
    assert parse_place("s3://some-bucket/v1/", CONFIG) == Place(
        bucket="some-bucket", prefix="v1", config=CONFIG
    )
    assert str(parse_place("s3://some-bucket", CONFIG)) == "s3://some-bucket"
    assert parse_place(str(tmp_path), CONFIG).folder == tmp_path
    for wrong in (
        *("gs://bucket/x", "s3://", "s3://bucket/x//y", "s3://bucket/x?y", "s3://bucket/x#2"),
        *("gs:bucket", "https:example", "file:/tmp/x"),
        *("s3://bucket/../x", "s3://bucket/x/.", "s3://key:secret@bucket/x"),
    ):
        with pytest.raises(ReleaseError, match="no place for a release"):
            parse_place(wrong, CONFIG)
    assert parse_place("./hf:x", CONFIG).folder == Path("hf:x").absolute()
    assert parse_place("c:x", CONFIG).folder == Path("c:x").absolute()


def test_the_hub_is_no_place_to_build(tmp_path: Path) -> None:
    """What to do instead is said; nothing is made in a folder of that name."""
    with pytest.raises(ReleaseError, match="build it in a folder, then .*publish FOLDER --to hf:org/name'"):
        parse_place("hf:org/name", CONFIG)


def test_a_process_that_is_killed_ends_the_build(tmp_path: Path) -> None:
    """In one line that says what to do; results of the others came before."""
    place = Place(tmp_path)
    with Pool(place, place, tmp_path, 1) as pool:
        assert sorted(pool.run(_number, range(3))) == [0, 1, 2]
        with pytest.raises(ReleaseError, match="fewer --workers"):
            list(pool.run(_end, range(3)))
