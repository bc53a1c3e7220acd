"""A release of what workers made, by the flow, on a real Prefect server and the embedded AWS."""

from pathlib import Path

import obstore
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from flows.release_dataset import release_dataset
from vbvrdatafactory import aws
from vbvrdatafactory.release.layout import MANIFEST

pytestmark = [pytest.mark.aws, pytest.mark.prefect]


def test_a_release_is_built_checked_and_published_when_that_is_asked_for(factory, tmp_path: Path) -> None:
    """The run's page says what is in it and where it is; nothing is published before, and all of it then."""
    name = factory.add_generator("T-release")
    assert factory.generate(name, dataset="to-release", samples=12).complete
    bucket = factory.config.output_bucket
    target = aws.bucket(factory.config, bucket, prefix="released/to-release")

    def release(publish_to: str = "") -> tuple[str, str]:
        """The message that the run ends with, and its page."""
        state = release_dataset(
            "to-release", folder=str(tmp_path), test_percent=20, publish_to=publish_to, return_state=True
        )
        assert state.is_completed(), state.message
        of_run = FlowRunFilter(id=FlowRunFilterId(any_=[state.state_details.flow_run_id]))
        with get_client(sync_client=True) as client:
            (page,) = client.read_artifacts(flow_run_filter=of_run)
        return str(state.message), str(page.data)

    said, page = release()
    assert "12 samples" in said
    assert "nothing is wrong" in said
    assert str(tmp_path / "to-release") in page
    assert [*obstore.list(target).collect()] == []
    _, page = release(f"s3://{bucket}/released/to-release")
    assert f"s3://{bucket}/released/to-release" in page
    sent = {one["path"] for one in obstore.list(target).collect()}
    made = tmp_path / "to-release"
    assert sent == {file.relative_to(made).as_posix() for file in made.rglob("*") if file.is_file()}
    assert bytes(obstore.get(target, MANIFEST).bytes()) == (made / MANIFEST).read_bytes()
