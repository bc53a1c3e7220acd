"""The lock of a folder of generators: made with stand-in wheels, every import tried in the sandbox."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lambda_worker.generator.try_imports import try_imports
from tests.fleet.conftest import Add
from vbvrdatafactory.core.errors import ConfigError, DataFactoryError
from vbvrdatafactory.core.generators_lock import GeneratorsLock, parse_lock
from vbvrdatafactory.fleet.catalogue import read_catalogue
from vbvrdatafactory.fleet.lock_writer import format_lock, write_lock
from vbvrdatafactory.fleet.locking import Locked, lock_generators
from vbvrdatafactory.fleet.states import State, state_of
from vbvrdatafactory.fleet.why import explain_environment, lock_changes
from vbvrdatafactory.lockfile import read_lock

PUBLIC = "numpy==1.26.4\nPillow==10.4.0\nopencv-python==4.10.0.84\n"
OURS = "numpy>=2\npillow>=11\n"


@pytest.fixture
def lock(index, fleet: Path) -> Callable[[], Locked]:
    return lambda: lock_generators(fleet, try_imports)


def why(locked: Locked, name: str, fleet: Path) -> str:
    return "\n".join(explain_environment(locked.lock, name, fleet))


def test_the_worker_keeps_its_own(lock, fleet: Path, add: Add) -> None:
    """Generators with pins that exclude each other have two environments, and each says because of whom."""
    add("O-1_old", "import numpy, PIL, cv2", PUBLIC)
    add("O-2_old", "import numpy", "numpy==1.26.4")
    add("V-1_new", "import numpy", OURS)
    done = lock()
    one, two, three = (done.lock.generators[name].environment for name in ("O-1_old", "O-2_old", "V-1_new"))
    assert (one == two, one == three, done.is_fewest) == (True, False, True)
    assert done.lock.environments[one].libraries["opencv-python-headless"] == "4.10.0.84"
    said = why(done, "O-1_old", fleet)
    assert "with 1 other generator: O-2_old" in said
    assert "not with V-1_new" in said
    assert "numpy==1.26.4 against numpy>=2" in said
    assert "opencv-python became opencv-python-headless" in said
    assert read_catalogue(fleet, on_this_machine=True).usable == ["O-1_old", "O-2_old", "V-1_new"]


def test_what_it_forgot_is_added_in_its_neighbours_version(lock, fleet: Path, add: Add) -> None:
    """An import of OpenCV that no requirement brings is found by looking, added, and said with its place."""
    add("O-1_full", "import cv2", PUBLIC)
    add("O-2_silent", "try:\n    import cv2\nexcept ImportError:\n    cv2 = None", "numpy==1.26.4")
    done = lock()
    silent = done.lock.generators["O-2_silent"]
    assert [*silent.added] == ["opencv-python-headless"]
    assert "imports cv2 (examples/generate.py:4) and does not ask for it, and would go on without" in why(
        done, "O-2_silent", fleet
    )
    assert silent.environment == done.lock.generators["O-1_full"].environment
    assert done.lock.environments[silent.environment].libraries["opencv-python-headless"] == "4.10.0.84"
    assert "O-2_silent: opencv-python-headless is added" in "\n".join(lock_changes(done.before, done.lock))


def test_again_nothing_changes(lock, fleet: Path, add: Add) -> None:
    """Locked twice, the lock and its lists are the same bytes."""
    add("O-1_silent", "import cv2", "numpy==1.26.4")
    add("V-1_new", "import numpy", OURS)
    lock()
    files = sorted([*fleet.glob("*.toml"), *fleet.glob("environments/*")])
    before = [path.read_bytes() for path in files]
    lock()
    assert [path.read_bytes() for path in files] == before


def test_what_only_a_host_has_is_said(lock, fleet: Path, add: Add) -> None:
    """A generator for Blender needs bpy; an interpreter that a person names is its environment."""
    add("B-1_blender", "import bpy", "numpy\n")
    done = lock()
    assert done.lock.generators["B-1_blender"].needs == "bpy"
    assert state_of(done.lock, "B-1_blender", fleet)[0] is State.NEEDS
    assert "B-1_blender" in read_catalogue(fleet).unusable
    (fleet / "overrides.toml").write_text(f'[generators.B-1_blender]\ninterpreter = "{sys.executable}"\n')
    named = lock().lock.environment_of("B-1_blender")
    assert (named.interpreter, "pytest" in named.libraries) == (sys.executable, True)
    assert read_catalogue(fleet, on_this_machine=True).usable == ["B-1_blender"]


def test_an_interpreter_of_another_machine_keeps_its_digest(lock, fleet: Path, add: Add) -> None:
    """Locked where the interpreter is not, its environment stays what it was where it is."""
    add("B-1_blender", "import bpy")
    (fleet / "overrides.toml").write_text('[generators.B-1_blender]\ninterpreter = "/nowhere/python"\n')
    first = lock().lock.environment_of("B-1_blender")
    known = first.model_copy(update={"digest": "f" * 64, "libraries": {"bpy": "4.2"}})
    changed = read_lock(fleet).model_copy(update={"environments": {"f" * 12: known}})
    write_lock(fleet, changed)
    assert lock().lock.environment_of("B-1_blender") == known


def test_an_unknown_module_is_installed_for_nobody(lock, fleet: Path, add: Add) -> None:
    """A distribution of a module's name may be anybody's: the generator is broken, with the place and what to do."""
    add("O-1_odd", "import twin", "numpy\n")
    add("O-2_fine", "import numpy", "numpy\n")
    done = lock()
    problem = done.lock.generators["O-1_odd"].problem
    assert "imports twin (examples/generate.py:3)" in problem
    assert "overrides.toml" in problem
    assert read_catalogue(fleet).usable == ["O-2_fine"]
    (fleet / "overrides.toml").write_text('[generators.O-1_odd]\nadd = ["twin-a"]\n')
    assert lock().lock.generators["O-1_odd"].problem == ""


def test_what_cannot_be_solved_is_broken_and_the_rest_goes_on(lock, fleet: Path, add: Add) -> None:
    """A pin that no index has, and a line that is none, break their generators alone; overrides.toml mends them."""
    add("O-1_gone", "", "no-such-thing==1\n")
    add("O-2_odd", "", "what is this\n")
    add("O-3_fine", "import numpy", "numpy\n")
    done = lock()
    assert "no-such-thing" in done.lock.generators["O-1_gone"].problem
    assert "requirements.txt:1" in done.lock.generators["O-2_odd"].problem
    assert read_catalogue(fleet).usable == ["O-3_fine"]
    (fleet / "overrides.toml").write_text(
        '[generators.O-1_gone]\ndrop = ["no-such-thing"]\n[generators.O-2_odd]\nrequirements = []\n'
    )
    assert read_catalogue(fleet).usable == ["O-3_fine"]
    again = lock()
    assert len(read_catalogue(fleet).usable) == 3
    assert "no-such-thing==1 is dropped by overrides.toml" in why(again, "O-1_gone", fleet)


def test_two_that_install_one_module_are_put_apart(lock, fleet: Path, add: Add) -> None:
    """Distributions that overwrite each other are found when they are installed, whatever they are called."""
    add("O-1_a", "import twin", "twin-a\n")
    add("O-2_b", "import twin", "twin-b\n")
    found = lock().lock
    assert found.generators["O-1_a"].environment != found.generators["O-2_b"].environment
    assert [one.problem for one in found.generators.values()] == ["", ""]


def test_one_that_asks_for_both_is_broken(lock, fleet: Path, add: Add) -> None:
    """A generator that itself asks for two such distributions is told."""
    add("O-1_both", "import twin", "twin-a\ntwin-b\n")
    assert "own one import package" in lock().lock.generators["O-1_both"].problem


def test_what_the_system_lacks_is_named_with_its_package(lock, fleet: Path, add: Add) -> None:
    """A shared library that an import does not find is a property of the environment, with who brings it; fonts too."""
    add("O-1_gl", "import scipy\nFONT = 'DejaVuSans.ttf'", "scipy\n")
    done = lock()
    environment = done.lock.environment_of("O-1_gl")
    assert (environment.system, environment.fonts) == (("libGL.so.1",), ("DejaVuSans.ttf",))
    said = why(done, "O-1_gl", fleet)
    assert "apt-get install fonts-dejavu-core libgl1; dnf install dejavu-sans-fonts mesa-libGL" in said


def test_what_is_not_here_stays_locked(lock, fleet: Path, add: Add) -> None:
    """A fetched generator that this machine has not, and its environment, stay in the lock as they were."""
    add("O-1_here", "import numpy", "numpy\n")
    add("O-2_away", "import numpy", "numpy==1.26.4\n")
    before = lock().lock
    away = before.generators["O-2_away"].model_copy(update={"url": "https://example.com/O-2_away"})
    write_lock(fleet, before.model_copy(update={"generators": {**before.generators, "O-2_away": away}}))
    (fleet / "O-2_away").rename(fleet.parent / "away")
    after = lock().lock
    assert after.generators["O-2_away"] == away
    assert after.environments[away.environment].libraries == {"numpy": "1.26.4"}
    assert (fleet / "environments" / f"{away.environment}.txt").is_file()
    assert state_of(after, "O-2_away", fleet)[0] is State.ABSENT


def test_nothing_to_ask_for_is_an_environment_too(lock, fleet: Path, add: Add) -> None:
    """A generator that needs only Python has an empty environment, not the worker's."""
    add("O-1_plain")
    found = lock().lock
    assert found.environment_of("O-1_plain").libraries == {}
    assert state_of(found, "O-1_plain", fleet)[0] is State.READY


def test_a_new_generator_needs_the_lock(lock, fleet: Path, add: Add) -> None:
    """One that was put beside the others since is left out, with what to do; and what is not installed here too."""
    add("O-1_one")
    found = lock().lock
    add("O-2_two")
    assert "run 'datafactory generators lock'" in read_catalogue(fleet).unusable["O-2_two"]
    environment = fleet / ".environments" / found.generators["O-1_one"].environment
    environment.rename(fleet.parent / "gone")
    assert read_catalogue(fleet).usable == ["O-1_one"]
    assert "generators install" in read_catalogue(fleet, on_this_machine=True).unusable["O-1_one"]


def test_the_lock_is_read_as_it_was_written() -> None:
    """Names with dots, spaces and quotes come back; what another version adds is ignored."""
    text = 'schema_version = 1\nof_tomorrow = 1\n[generators."a.b c"]\nurl = "x"\nof_tomorrow = "y"\n'
    lock = parse_lock(text)
    assert parse_lock(format_lock(lock)) == lock
    assert lock.generators["a.b c"].url == "x"


@pytest.mark.parametrize(
    "text", ["not toml", "generators = 1", '[generators."../x"]\nurl = ""', "schema_version = 2"]
)
def test_what_is_no_lock_is_said(text: str) -> None:
    """A lock that can't be read is an error that says where, never an empty one."""
    with pytest.raises(DataFactoryError, match=r"generators.lock.toml|update it"):
        parse_lock(text)


@pytest.mark.parametrize(
    "text",
    ['python = "3"', "[generators.x]\nwhat = 1", '[generators.x]\nadd = ["not a thing"]', "[generators"],
)
def test_wrong_overrides_are_said(lock, fleet: Path, text: str) -> None:
    """A misspelt field, version or requirement in overrides.toml is named with the file."""
    (fleet / "overrides.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"overrides.toml' can't be read"):
        lock()


def test_the_committed_lock_is_current(lock) -> None:
    """The lock of the checkout has the code of the three first-party generators as it is."""
    from vbvrdatafactory.files import code_digest
    from vbvrdatafactory.fleet.digests import tree_digest

    folder = Path("generators")
    found: GeneratorsLock = read_lock(folder)
    for name, locked in found.generators.items():
        if not locked.url:
            assert (locked.code, locked.tree) == (code_digest(folder / name), tree_digest(folder / name)), (
                f"{name} was changed: run 'datafactory generators lock'"
            )
