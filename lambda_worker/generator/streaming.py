"""Runs in the generator's process: lets each sample of a generator that follows the public template out at once.

The template's own writer writes the sample into a staging folder; a rename then shows it in the output
folder, so whoever looks there sees whole samples only. What the generator does with its samples afterwards is
checked against what was written: where it differs, the run ends with `RERUN` and is done again as it is.

Only the standard library is used.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Exit code: what was let out is not what the generator means to write. Nothing of it is kept.
RERUN = 97
# The folder of the sandbox that samples are written in, and the file in it that says that they come out early.
STAGING, MARK = "staging", "streaming"


def stream(output: Path, root: Path) -> None:
    """Wrap the template's classes, if the generator on ``sys.path`` has them."""
    try:
        import core  # type: ignore[import-not-found]  # noqa: PLC0415
        import src  # type: ignore[import-not-found]  # noqa: PLC0415

        generator, writer = src.TaskGenerator, core.OutputWriter
        methods = (generator.generate_task_pair, writer.write_task_pair, writer.write_dataset)
    except Exception:  # noqa: BLE001 - the script will meet the same error, and tell it
        return
    if all(callable(method) for method in methods):
        (root / STAGING / MARK).touch()
        _Stream(output, root / STAGING, writer).wrap(generator)


class _Stream:
    """What came out early, by the task id that the generator gave it."""

    def __init__(self, output: Path, staging: Path, writer: type[Any]) -> None:
        self._output, self._staging = output, staging
        self._writer = writer
        self._write = writer.write_task_pair
        self._out: dict[str, Path] = {}
        self._as_written: dict[str, str] = {}

    def wrap(self, generator: type[Any]) -> None:
        make = generator.generate_task_pair
        generator.generate_task_pair = self._making(make)
        self._writer.write_task_pair = self._writing(self._writer.write_task_pair)
        self._writer.write_dataset = self._writing_all()

    def _making(self, make: Callable[..., Any]) -> Callable[..., Any]:
        def generate_task_pair(generator: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            pair = make(generator, *args, **kwargs)
            self._let_out(pair)
            return pair

        return generate_task_pair

    def _writing(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def write_task_pair(writer: Any, pair: Any) -> Any:  # noqa: ANN401
            if pair.task_id not in self._out:
                return write(writer, pair)
            self._check(writer, pair)
            return self._out[pair.task_id]

        return write_task_pair

    def _writing_all(self) -> Callable[..., Any]:
        def write_dataset(writer: Any, pairs: Any) -> Any:  # noqa: ANN401
            # It may make its samples only now, one by one.
            pairs = list(pairs)
            self._check(writer, *pairs)
            wanted = [pair.task_id for pair in pairs]
            if not set(wanted) <= set(self._out) or len(set(wanted)) != len(wanted):
                self._give_up()
            for task_id in set(self._out) - set(wanted):
                shutil.rmtree(self._out.pop(task_id))
            return writer.output_dir

        return write_dataset

    def _let_out(self, pair: Any) -> None:  # noqa: ANN401
        folder = self._write(self._writer(self._staging), pair)
        if not isinstance(folder, Path) or self._staging not in folder.parents:
            self._give_up()
        shown = self._output / folder.relative_to(self._staging)
        if shown.exists():
            shutil.rmtree(shown)
        shown.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(shown)
        self._out[pair.task_id] = shown
        _forget(pair, shown)
        self._as_written[pair.task_id] = _state(pair)

    def _check(self, writer: Any, *pairs: Any) -> None:  # noqa: ANN401
        """Give up if the script writes elsewhere, or changed a sample after it was written."""
        elsewhere = Path(writer.output_dir).resolve() != self._output.resolve()
        if elsewhere or any(self._as_written.get(pair.task_id) != _state(pair) for pair in pairs):
            self._give_up()

    def _give_up(self) -> None:
        for folder in self._output.iterdir():
            shutil.rmtree(folder, ignore_errors=True)
        sys.stdout.flush()
        os._exit(RERUN)


def _state(pair: Any) -> str:  # noqa: ANN401
    """What a script might change of a sample between making and writing it."""
    names = ("prompt", "metadata", "first_image", "final_image", "ground_truth_video", "domain")
    return repr([getattr(pair, name, None) for name in names])


def _forget(pair: Any, shown: Path) -> None:  # noqa: ANN401
    """Let go of the frames in memory and of the video that was staged, now that both are written."""
    for name in ("first_image", "final_image"):
        if hasattr(pair, name):
            object.__setattr__(pair, name, None)
    staged = getattr(pair, "ground_truth_video", None)
    if isinstance(staged, str | os.PathLike) and (shown / f"ground_truth{Path(staged).suffix}").is_file():
        path = Path(staged).resolve()
        if Path(tempfile.gettempdir()).resolve() in path.parents:
            path.unlink(missing_ok=True)
