"""A house of wheels in place of PyPI, repositories in place of GitHub's, and folders of stand-in generators."""

import base64
import hashlib
import os
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

SCRIPT = """\
import argparse, json
from pathlib import Path
{imports}
parser = argparse.ArgumentParser()
parser.add_argument("--num-samples", type=int)
parser.add_argument("--seed", type=int)
parser.add_argument("--output")
asked = parser.parse_args()
for index in range(asked.num_samples):
    folder = Path(asked.output) / "t_task" / f"t_{{index:08d}}"
    folder.mkdir(parents=True)
    (folder / "prompt.txt").write_text(f"{{asked.seed}} {{index}}")
    (folder / "first_frame.png").write_bytes(bytes.fromhex({png!r}))
"""
# A PNG of one pixel.
PNG = (
    "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
    "53de0000000c4944415408d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)


def make_wheel(
    folder: Path, name: str, version: str, modules: Mapping[str, str], requires: tuple[str, ...] = ()
) -> Path:
    """A wheel that holds these files, on the page of its distribution."""
    stem = name.replace("-", "_")
    info = f"{stem}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {
        **modules,
        f"{info}/METADATA": metadata + "".join(f"Requires-Dist: {one}\n" for one in requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in files.items())
    path = folder / "simple" / name / f"{stem}-{version}-py3-none-any.whl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            wheel.writestr(file, text)
    links = "".join(f'<a href="{one.name}">{one.name}</a>' for one in sorted(path.parent.glob("*.whl")))
    (path.parent / "index.html").write_text(links)
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Distributions that stand in for those that generators ask for, by the same names."""
    folder = tmp_path_factory.mktemp("wheels")
    for version in ("1.26.4", "2.0.0", "2.4.6"):
        make_wheel(folder, "numpy", version, {"numpy/__init__.py": f"__version__ = {version!r}"})
    for version in ("10.4.0", "11.0.0"):
        make_wheel(folder, "pillow", version, {"PIL/__init__.py": f"__version__ = {version!r}"})
    for version in ("4.10.0.84", "4.12.0"):
        for name in ("opencv-python-headless", "opencv-contrib-python-headless"):
            text = f"__version__ = {version!r}; kind = {name!r}"
            make_wheel(folder, name, version, {"cv2/__init__.py": text}, ("numpy",))
    # Its conflict with NumPy 2 is no word of whoever asks for it.
    make_wheel(folder, "olden", "1.0", {"olden.py": "import numpy"}, ("numpy<2",))
    for name in ("twin-a", "twin-b"):
        make_wheel(folder, name, "1.0", {"twin.py": f"kind = {name!r}"})
    make_wheel(
        folder, "scipy", "1.0", {"scipy.py": "raise OSError('libGL.so.1: cannot open shared object file')"}
    )
    return folder


@pytest.fixture(scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uv-cache")


@pytest.fixture
def index(wheels: Path, _cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let uv find the stand-in wheels, and nothing else."""
    for name in [name for name in os.environ if name.startswith("UV_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("UV_DEFAULT_INDEX", (wheels / "simple").as_uri())
    monkeypatch.setenv("UV_CACHE_DIR", str(_cache))
    return wheels


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A folder of generators of this test's own."""
    folder = tmp_path / "generators"
    folder.mkdir()
    return folder


Add = Callable[..., Path]


def write_generator(folder: Path, imports: str = "", requirements: str | None = None) -> Path:
    """A generator that makes two files a sample, in `folder`."""
    (folder / "examples").mkdir(parents=True, exist_ok=True)
    (folder / "examples" / "generate.py").write_text(SCRIPT.format(imports=imports, png=PNG))
    if requirements is not None:
        (folder / "requirements.txt").write_text(requirements)
    return folder


@pytest.fixture
def add(fleet: Path) -> Add:
    """Adds a stand-in generator: `add(name, imports, requirements)`."""
    return lambda name, imports="", requirements=None: write_generator(fleet / name, imports, requirements)


_GIT = {
    **os.environ,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{
        f"GIT_{who}_{what}": "test@example.com"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    },
}


def git(folder: Path, *arguments: str) -> str:
    """Run Git in `folder`, by nobody's configuration."""
    command = ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *arguments]
    return subprocess.run(
        command, cwd=folder, env=_GIT, check=True, capture_output=True, text=True
    ).stdout.strip()


class Repository:
    """A repository with a bare one that it is pushed to."""

    def __init__(self, place: Path, name: str) -> None:
        self.work, self.bare = place / "work" / name, place / "bare" / f"{name}.git"
        self.work.mkdir(parents=True)
        git(self.work, "init", "-q")
        self.bare.parent.mkdir(parents=True, exist_ok=True)
        git(self.work, "init", "-q", "--bare", str(self.bare))

    @property
    def url(self) -> str:
        return str(self.bare)

    def commit(self) -> str:
        """Commit and push all that is there; the commit."""
        git(self.work, "add", "-A", "-f")
        git(self.work, "commit", "-q", "--allow-empty", "-m", "more")
        git(self.work, "push", "-q", str(self.bare), "HEAD:main")
        return git(self.work, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Callable[..., Repository]:
    """Makes a repository that holds a generator: `repository(name)`; an empty one with ``content=False``."""

    def make(
        name: str, imports: str = "", requirements: str | None = None, *, content: bool = True
    ) -> Repository:
        made = Repository(tmp_path / "remote", name)
        if content:
            write_generator(made.work, imports, requirements)
            made.commit()
        return made

    return make
