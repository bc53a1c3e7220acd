from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from lambda_worker.failure import BatchFailed
from lambda_worker.samples.collect import collect
from vbvrdatafactory.core.models import TaskMessage

_buffer = BytesIO()
Image.new("RGB", (2, 2), "navy").save(_buffer, "PNG")
PNG = _buffer.getvalue()


def write(output: Path, *names: str) -> None:
    for name in names:
        folder = output / name
        folder.mkdir(parents=True)
        (folder / "first_frame.png").write_bytes(PNG)
        (folder / "prompt.txt").write_text("Move the circle.")


def message(count: int = 2, start: int = 10) -> TaskMessage:
    return TaskMessage(type="G-1_x", num_samples=count, start_index=start)


@pytest.mark.parametrize(
    "names",
    [
        ("x_task/x_00000000", "x_task/x_00000001"),
        ("x_task/x_0000", "x_task/x_0001"),
        ("data/questions/x_task/x_0000", "data/questions/x_task/x_0001"),
        ("x_task/x_1", "x_task/x_2"),
    ],
    ids=["eight digits", "four digits", "nested", "counted from one"],
)
def test_known_shapes_are_found(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Samples are found in every known shape and get the planned indices in their own order."""
    write(tmp_path, *names)
    found = collect(tmp_path, message())
    assert [(s.task, s.index, s.folder.name) for s in found.whole] == [
        ("x", 10, names[0].rsplit("/", 1)[1]),
        ("x", 11, names[1].rsplit("/", 1)[1]),
    ]


def test_a_hole_stays_a_hole(tmp_path: Path) -> None:
    """A sample that is missing in the middle does not move the ones behind it."""
    write(tmp_path, "x_task/x_0000", "x_task/x_0002")
    found = collect(tmp_path, message(3))
    assert [s.index for s in found.whole] == [10, 12]
    with pytest.raises(BatchFailed, match="the first is index 11"):
        found.check(range(10, 13))


def test_more_than_asked_is_left_alone(tmp_path: Path) -> None:
    """Samples beyond the batch are not collected, so that they can't overwrite the next batch's."""
    write(tmp_path, "x_task/x_0000", "x_task/x_0001", "x_task/x_0002")
    assert [s.index for s in collect(tmp_path, message()).whole] == [10, 11]


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A sample folder that is a link, or a required file that is one, is not a sample's."""
    write(tmp_path, "x_task/x_0000")
    (tmp_path / "x_task" / "x_0001").symlink_to(tmp_path / "x_task" / "x_0000")
    (tmp_path / "x_task" / "x_0000" / "prompt.txt").unlink()
    (tmp_path / "x_task" / "x_0000" / "prompt.txt").symlink_to("/etc/passwd")
    found = collect(tmp_path, message())
    assert not found.whole
    assert found.torn == {10: ["prompt.txt: missing"]}


def test_two_tasks_in_one_batch_are_refused(tmp_path: Path) -> None:
    """Two folders that claim one place fail the batch with both names."""
    write(tmp_path, "x_task/x_0000", "y_task/y_0000")
    with pytest.raises(BatchFailed, match="x_0000 and y_0000|y_0000 and x_0000"):
        collect(tmp_path, message()).check([10])
