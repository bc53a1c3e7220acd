"""The password of the Prefect server here."""

import stat

import pytest

from infra import password
from vbvrdatafactory.core.errors import DataFactoryError


def test_it_is_made_once_for_its_owner_alone(tmp_path) -> None:
    """The second time says the same; nobody else reads it, and two checkouts have two."""
    file = tmp_path / "password"
    made = password.ensure(file)
    assert password.ensure(file) == password.read(file) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert password.ensure(tmp_path / "another") != made
    user, _, secret = made.partition(":")
    assert user == "datafactory"
    assert len(secret) >= 32


def test_a_file_that_others_could_read_is_closed(tmp_path) -> None:
    """A copy that lost its mode gets it back."""
    file = tmp_path / "password"
    made = password.ensure(file)
    file.chmod(0o644)
    assert password.ensure(file) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_was_cut_short_leaves_no_password_by_half(tmp_path) -> None:
    """The rest of a start that died in the middle is in nobody's way."""
    (tmp_path / "password.partial").write_text("datafac")
    made = password.ensure(tmp_path / "password")
    assert password.read(tmp_path / "password") == made


@pytest.mark.parametrize("kept", [None, "", "no-colon", ":x", "x:"])
def test_no_password_is_told_with_the_next_move(tmp_path, kept) -> None:
    """An empty one would open the server to everybody."""
    file = tmp_path / "password"
    if kept is not None:
        file.write_text(kept)
    with pytest.raises(DataFactoryError, match="make up"):
        password.read(file)
