"""A check says what is wrong with a generator: the rule, the file and the line."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lambda_worker.check.generator import check_generator
from vbvrdatafactory.core.checks import CheckReport, Finding, Rule

CHECKOUT = Path(__file__).parents[3]
SCRIPT = """\
import argparse, os, sys, tempfile, time, zlib, struct
from pathlib import Path
parser = argparse.ArgumentParser()
parser.add_argument("--num-samples", type=int, default=1)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--output")
{options}
asked = parser.parse_args()
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
def png(text):
    colour = zlib.crc32(str(text).encode()).to_bytes(4, "big")[:3]
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    return b"\\x89PNG\\r\\n\\x1a\\n" + head + chunk(b"IDAT", zlib.compress(b"\\0" + colour)) + chunk(b"IEND", b"")
def box(kind, data):
    return struct.pack(">I", 8 + len(data)) + kind + data
for index in range(asked.num_samples):
    seed, count, video = asked.seed, asked.num_samples, True
    what = f"{{seed}} {{index}}"
    {body}
    folder = Path(asked.output) / "t_task" / f"t_{{index:08d}}"
    folder.mkdir(parents=True)
    (folder / "first_frame.png").write_bytes(png(what))
    (folder / "prompt.txt").write_text(f"Go on: {{what}}")
    if video:
        boxes = box(b"ftyp", b"isom") + box(b"moov", b"x") + box(b"mdat", str(what).encode())
        (folder / "ground_truth.mp4").write_bytes(boxes)
{end}
"""


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., CheckReport]:
    """Checks a generator that does this in its loop, with these options of its own."""

    def run(body: str = "pass", options: str = "", end: str = "", text: str = "") -> CheckReport:
        folder = tmp_path / "T-1_test"
        (folder / "examples").mkdir(parents=True, exist_ok=True)
        script = text or SCRIPT.format(body=body, options=options, end=end)
        (folder / "examples" / "generate.py").write_text(script)
        return check_generator(folder, Path(sys.executable), seconds=30)

    return run


def the(report: CheckReport, rule: Rule) -> Finding:
    found = [one for one in report.findings if one.rule is rule]
    assert len(found) == 1, report.findings
    return found[0]


def test_a_good_one_has_no_finding(check) -> None:
    """What depends on seed and index alone keeps the contract, and its files are listed."""
    report = check()
    assert (report.findings, report.passes, report.samples) == ((), True, 3)
    assert report.files == ("first_frame.png", "ground_truth.mp4", "prompt.txt")


@pytest.mark.parametrize(
    "name", ["template", *sorted(path.name for path in (CHECKOUT / "generators").glob("V-*"))]
)
def test_ours_keep_the_contract(name: str) -> None:
    """The reference generators and the template for authors have no finding at all."""
    report = check_generator(CHECKOUT / "generators" / name, Path(sys.executable))
    assert report.findings == ()


def test_no_script(tmp_path: Path) -> None:
    """Without a script nothing runs; one that lies deeper is named."""
    (tmp_path / "code" / "examples").mkdir(parents=True)
    (tmp_path / "code" / "examples" / "generate.py").touch()
    finding = the(check_generator(tmp_path, Path(sys.executable)), Rule.ENTRY_POINT)
    assert (finding.severity, "there is one in 'code'" in finding.text) == ("error", True)


def test_a_required_option_of_its_own(check) -> None:
    """An option that the factory does not pass is named with its line."""
    report = check(options='parser.add_argument("--style", required=True)')
    assert (the(report, Rule.OPTIONS).places, report.passes) == (("examples/generate.py:7",), False)
    assert "'--style'" in the(report, Rule.OPTIONS).text
    assert [one.rule for one in report.findings] == [Rule.OPTIONS]


def test_an_argument_of_its_own(check) -> None:
    """So is a positional argument; one that may be left out is none."""
    assert "'style'" in the(check(options='parser.add_argument("style")'), Rule.OPTIONS).text
    assert check(options='parser.add_argument("style", nargs="?")').findings == ()


@pytest.mark.parametrize(("option", "value"), [("--seed", "seed=0"), ("--num-samples", "num_samples=1")])
def test_an_option_that_is_missing(check, option: str, value: str) -> None:
    """An option of the contract that the script does not take is named."""
    lines = SCRIPT.format(body="pass", options=f"parser.set_defaults({value})", end="").splitlines()
    text = "\n".join(line for line in lines if f'"{option}"' not in line)
    finding = the(check(text=text), Rule.OPTIONS)
    assert (finding.severity, option in finding.text) == ("error", True)


def test_it_fails(check) -> None:
    """A crash is shown with its last line and the generator's own line."""
    finding = the(check(body="raise ValueError('no such colour')"), Rule.RUNS)
    assert "no such colour" in finding.text
    assert finding.places == ("examples/generate.py:20",)


def test_a_package_is_missing(check) -> None:
    """An import that fails names the package and the line."""
    finding = the(check(body="import no_such_package"), Rule.REQUIREMENTS)
    assert ("no_such_package" in finding.text, finding.places) == (True, ("examples/generate.py:20",))


def test_too_few_samples(check) -> None:
    """Samples that were asked for and not written are counted."""
    assert "1 of the samples requested" in the(check(body="if index == 2: break"), Rule.SAMPLES).text


def test_chance_without_a_seed(check) -> None:
    """Two runs with one seed that differ are an error, with the lines that draw from the system."""
    finding = the(check(body="what = os.urandom(4)"), Rule.SAME_BYTES)
    assert (finding.severity, finding.places) == ("error", ("examples/generate.py:20",))
    assert "first_frame.png (3)" in finding.text


def test_a_clock_in_the_pictures(check) -> None:
    """So is the time of day, with its line."""
    assert the(check(body="what = time.time()"), Rule.SAME_BYTES).places == ("examples/generate.py:20",)


def test_hash_order(check) -> None:
    """What changes with PYTHONHASHSEED is a warning, with the lines that hash."""
    finding = the(check(body="what = (hash('a'), index)"), Rule.HASH_ORDER)
    assert (finding.severity, finding.places) == ("warning", ("examples/generate.py:20",))


def test_it_depends_on_the_count(check) -> None:
    """A run of fewer that makes other samples is a warning."""
    assert the(check(body="what = (seed, index, count)"), Rule.COUNT).severity == "warning"


def test_the_seed_does_nothing(check) -> None:
    """Another seed that makes the same samples is an error: all batches would be the same."""
    report = check(body="what = index")
    assert (the(report, Rule.SEED).severity, report.passes) == ("error", False)


def test_all_samples_are_one(check) -> None:
    """Samples that do not differ within a run are a warning."""
    assert "all 3 samples are the same" in the(check(body="what = seed"), Rule.DISTINCT).text


def test_fixed_temp_paths(check) -> None:
    """Files under the same names in the temp folder after two runs are a warning, with the lines that ask for the folder."""
    finding = the(check(body="(Path(tempfile.gettempdir()) / f'frame_{index}.png').touch()"), Rule.TEMP_PATHS)
    assert ("frame_0.png" in finding.text, finding.places) == (True, ("examples/generate.py:20",))


def test_temp_paths_that_differ_are_fine(check) -> None:
    """Files whose names are made up are none of ours."""
    assert check(body="tempfile.mkstemp()").findings == ()


def test_a_named_temp_path(check) -> None:
    """A path below /tmp in the source is a warning, whether it was used or not."""
    assert the(check(body="path = '/tmp/frames'"), Rule.TEMP_PATHS).places == ("examples/generate.py:20",)


def test_videos_are_missing_because_a_package_is(check) -> None:
    """Samples without a video name the import that it goes on without."""
    text = SCRIPT.format(body="video = cv2 is not None", options="", end="")
    text = text.replace("from pathlib", "try:\n    import cv2_that_is_not_there as cv2\nexcept ImportError:\n    cv2 = None\nfrom pathlib", 1)  # fmt: skip
    finding = the(check(text=text), Rule.VIDEOS)
    assert ("goes on without cv2_that_is_not_there" in finding.text, finding.places) == (
        True,
        ("examples/generate.py:3",),
    )


def test_it_hangs(tmp_path: Path, check) -> None:
    """A generator that does not end is stopped and said, and nothing more is tried."""
    check()
    script = tmp_path / "T-1_test" / "examples" / "generate.py"
    script.write_text(SCRIPT.format(body="time.sleep(60)", options="", end=""))
    report = check_generator(tmp_path / "T-1_test", Path(sys.executable), seconds=1)
    assert "stopped after" in the(report, Rule.RUNS).text


def test_what_is_no_python(check) -> None:
    """A syntax error is named with its file."""
    report = check(text="print 'x'")
    assert any(one.places == ("examples/generate.py",) for one in report.findings)
    assert not report.passes
