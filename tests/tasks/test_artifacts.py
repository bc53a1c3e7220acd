import pytest

from tasks import artifacts


def test_a_server_that_is_away_costs_an_artifact_not_the_run(caplog, monkeypatch) -> None:
    """An artifact that can't be written is logged with the reason and left out."""
    import logging

    monkeypatch.setattr(artifacts, "get_run_logger", lambda: logging.getLogger("run"))

    def away() -> None:
        raise ConnectionError("the server is away")

    assert artifacts.guarded(away) is None
    assert "the server is away" in caplog.text


@pytest.mark.parametrize(("name", "key"), [("VBVR v2.1", "vbvr-v2-1"), ("G-1_x", "g-1-x"), ("é", "-")])
def test_any_dataset_name_makes_an_artifact_key(name: str, key: str) -> None:
    """Keys hold only the letters that Prefect allows."""
    assert artifacts.artifact_key(name) == key
