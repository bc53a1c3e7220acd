"""What the factory may rely on, of every generator of ours and of the template."""

import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

from tests.generators.program import FILES, Program, Variant, content, metadata

BAD_OPTIONS = [
    (("--num-samples", "0"), "0 is too small"),
    (("--num-samples", "many"), "'many'"),
    (("--num-samples", "1", "--seed", "-3"), "-3 is too small"),
    (("--num-samples", "1", "--image-size", "101"), "101 is odd"),
    (("--num-samples", "1", "--image-size", "62"), "62 is too small"),
]


def test_a_run_leaves_five_files_for_each_sample(program: Program, samples: list[Path]) -> None:
    """A run writes {task}_task/{task}_{index:08d}/ for every index, each with the five files and nothing else."""
    assert [sample.name for sample in samples] == [f"{program.task}_{index:08d}" for index in range(3)]
    assert all({path.name for path in sample.iterdir()} == FILES for sample in samples)


def test_the_pictures_are_rgb_and_square(samples: list[Path]) -> None:
    """Both pictures are RGB at 256 by 256 pixels, and they differ from each other."""
    for sample in samples:
        first, final = (Image.open(sample / f"{name}_frame.png") for name in ("first", "final"))
        assert (first.mode, first.size, final.mode, final.size) == ("RGB", (256, 256)) * 2
        assert first.tobytes() != final.tobytes()


def test_metadata_names_its_origin(program: Program, samples: list[Path]) -> None:
    """metadata.json tells task, generator, seed and index, and nothing of the clock."""
    for index, sample in enumerate(samples):
        data = metadata(sample)
        assert set(data) == {"task_id", "generator", "parameters", "param_hash", "generation"}
        assert (data["task_id"], data["generator"]) == (sample.name, program.folder.name)
        assert data["generation"] == {"seed": 42, "index": index}


def test_param_hash_is_of_the_parameters(samples: list[Path]) -> None:
    """param_hash is the start of the SHA-256 of the parameters as canonical JSON."""
    for sample in samples:
        data = metadata(sample)
        canonical = json.dumps(data["parameters"], sort_keys=True, separators=(",", ":"))
        assert data["param_hash"] == hashlib.sha256(canonical.encode()).hexdigest()[:16]


def test_a_prompt_is_whole_sentences(samples: list[Path]) -> None:
    """A prompt is one line of finished sentences with every place filled in."""
    for sample in samples:
        prompt = (sample / "prompt.txt").read_text()
        assert prompt.endswith(".\n")
        assert prompt.count("\n") == 1
        assert not set(prompt) & set("{}[]")


def test_without_videos_all_else_is_the_same(samples: list[Path], variant: dict[str, Variant]) -> None:
    """--no-videos leaves out the video and changes no other byte."""
    (bare,) = variant["bare"].samples
    assert content(bare) == {n: b for n, b in content(samples[0]).items() if n != "ground_truth.mp4"}


def test_the_image_size_changes_no_puzzle(samples: list[Path], variant: dict[str, Variant]) -> None:
    """--image-size changes the pictures alone: puzzle and prompt stay."""
    (small,) = variant["small"].samples
    assert Image.open(small / "first_frame.png").size == (64, 64)
    assert metadata(small) == metadata(samples[0])
    assert (small / "prompt.txt").read_text() == (samples[0] / "prompt.txt").read_text()


def test_a_seed_not_given_is_chosen_and_told(variant: dict[str, Variant]) -> None:
    """Without --seed one is chosen, printed and recorded, so the run can be made again."""
    unseeded = variant["unseeded"]
    seed = metadata(unseeded.samples[0])["generation"]["seed"]
    assert f"with seed {seed}\n" in unseeded.stdout


def test_finished_samples_are_announced(program: Program, variant: dict[str, Variant]) -> None:
    """Standard output has a line `  Generated: {task_id}` for every sample, and says at the end where they are."""
    lines = variant["neighbour"].stdout.splitlines()
    assert lines[1:3] == [f"  Generated: {program.task}_{index:08d}" for index in range(2)]
    assert lines[3].endswith(f"{program.task}_task")


def test_a_bad_option_is_one_line_and_exit_2(program: Program, tmp_path: Path) -> None:
    """A bad option ends the program with code 2 and one error line that has the value, before any work."""
    runs = program.run_each([program.command(tmp_path / "out", *options) for options, _ in BAD_OPTIONS])
    for run, (_, complaint) in zip(runs, BAD_OPTIONS, strict=True):
        assert run.exit_code == 2
        assert complaint in run.stderr.splitlines()[-1]
        assert run.stderr.count("error") == 1
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file_is_refused(program: Program, tmp_path: Path) -> None:
    """An output folder that is a file is refused by name and left alone; so the process exits with code 2."""
    taken = tmp_path / "taken"
    taken.write_text("mine")
    done = program.run(taken, "--num-samples", "1")
    assert (done.exit_code, taken.read_text()) == (2, "mine")
    assert str(taken) in done.stderr.splitlines()[-1]


def test_a_killed_run_keeps_what_it_announced(program: Program, tmp_path: Path) -> None:
    """Every sample announced on stdout is whole on disk, even if the run is killed right after."""
    options = ("--num-samples", "1000", "--seed", "1", "--image-size", "64")
    with program.start(program.command(tmp_path, *options)) as process:
        assert process.stdout
        lines = [next(process.stdout) for _ in range(4)]
        process.kill()
    announced = [line.split(": ")[1].strip() for line in lines if line.startswith("  Generated: ")]
    assert len(announced) == 3
    for name in announced:
        assert set(content(tmp_path / f"{program.task}_task" / name)) == FILES


@pytest.mark.parametrize("name", ["README.md", "requirements.txt"])
def test_each_folder_explains_itself(program: Program, name: str) -> None:
    """Every generator has a README that names its output option, and a requirements.txt with bounded ranges."""
    text = (program.folder / name).read_text()
    if name == "README.md":
        assert f"{program.output_option} " in text
    else:
        assert all(">=" in line and ",<" in line for line in text.splitlines())
