"""The environment of a checkout: made as the lock says, whatever pip's and uv's settings are; looked at; mended."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from infra import installer, paths

PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"
# What the last step of an installation leaves: as many distributions as the lock names.
UV = """#!/bin/sh
here=$(cd "$(dirname "$0")/.." && pwd -P)
echo "$*" >> "$here/said"
sed 's/==\\(.*\\)/-\\1.dist-info/' "$here/../requirements.lock" | (cd "$here/lib/PYTHON/site-packages" && rm -rf six-* && xargs mkdir -p)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose .venv has Python's own venv, a stand-in for uv, and what the lock names."""
    folder = tmp_path / "a $HOME `echo` it's"
    (folder / "infra").mkdir(parents=True)
    for name in ("__init__.py", "installation.py", "installer.py"):
        shutil.copy(paths.CHECKOUT / "infra" / name, folder / "infra" / name)
    (folder / "requirements.lock").write_text("six==1.17.0\nuv==0.13.9\n")
    (folder / "pyproject.toml").write_text("")
    environment = folder / ".venv"
    venv.create(environment, symlinks=True)
    with (environment / "pyvenv.cfg").open("a") as config:
        config.write("relocatable = true\n")
    site = environment / "lib" / PYTHON / "site-packages"
    (site / "pip").mkdir()
    (site / "pip" / "__main__.py").write_text("")
    (site / "_vbvrdatafactory.pth").write_text(f"{folder}\n")
    uv = environment / "bin" / "uv"
    uv.write_text(UV.replace("PYTHON", PYTHON))
    uv.chmod(0o755)
    subprocess.run([uv], check=True)
    run(folder, "record")
    return folder


def run(checkout: Path, command: str, python: Path | None = None) -> subprocess.CompletedProcess[str]:
    interpreter = python or checkout / ".venv" / "bin" / "python"
    arguments = [interpreter, "-I", checkout / "infra" / "installation.py", command]
    return subprocess.run(arguments, capture_output=True, text=True)


def test_what_was_installed_is_whole(checkout: Path) -> None:
    """Nothing is done to an environment that is as it was left."""
    assert run(checkout, "check").returncode == 0
    assert run(checkout, "make").stderr == ""


def test_a_replaced_package_is_put_back(checkout: Path) -> None:
    """`pip install` of another version into .venv is noticed, told, and mended."""
    site = checkout / ".venv" / "lib" / PYTHON / "site-packages"
    (site / "six-1.17.0.dist-info").rename(site / "six-1.0.0.dist-info")
    assert run(checkout, "check").stderr == "six-1.17.0 is not there\n"
    made = run(checkout, "make")
    assert made.stderr == "mending .venv: six-1.17.0 is not there\n"
    assert "pip install" in (checkout / ".venv" / "said").read_text()
    assert run(checkout, "check").returncode == 0


def test_a_package_more_is_nobodys_business(checkout: Path) -> None:
    """What a generator needs besides may be added."""
    (checkout / ".venv" / "lib" / PYTHON / "site-packages" / "more-1.0.dist-info").mkdir()
    assert run(checkout, "check").returncode == 0


def test_another_lock_is_installed(checkout: Path) -> None:
    """Its content counts, not its time: copying and unpacking set times anew."""
    lock = checkout / "requirements.lock"
    before = lock.stat()
    lock.write_text(lock.read_text().replace("six==1.17.0", "six==1.18.0"))
    os.utime(lock, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run(checkout, "check").returncode == 1
    run(checkout, "make")
    assert (checkout / ".venv" / "lib" / PYTHON / "site-packages" / "six-1.18.0.dist-info").exists()


@pytest.mark.parametrize("how", ["copied", "moved"])
def test_a_checkout_elsewhere_is_its_own(checkout: Path, tmp_path: Path, how: str) -> None:
    """A copied or moved checkout is whole at once, and imports its own code."""
    other = tmp_path / "elsewhere"
    if how == "copied":
        shutil.copytree(checkout, other, symlinks=True)
    else:
        checkout.rename(other)
    assert run(other, "check").returncode == 0
    code = "import infra; print(infra.__file__)"
    found = subprocess.run(
        [other / ".venv" / "bin" / "python", "-I", "-c", code], capture_output=True, text=True
    )
    assert found.stdout.strip() == str(other / "infra" / "__init__.py")


def test_a_checkout_seen_through_a_link_is_the_same(checkout: Path, tmp_path: Path) -> None:
    """Another way to the same folder makes nothing anew."""
    link = tmp_path / "link"
    link.symlink_to(checkout)
    assert run(link, "check").returncode == 0


def test_an_environment_shared_by_link_is_not_taken_for_ones_own(checkout: Path, tmp_path: Path) -> None:
    """Where .venv is a link, a copy has the original's: its code would run."""
    checkout.joinpath(".venv").rename(tmp_path / "shared")
    checkout.joinpath(".venv").symlink_to(tmp_path / "shared")
    run(checkout, "record")
    assert run(checkout, "check").returncode == 0
    other = tmp_path / "elsewhere"
    shutil.copytree(checkout, other, symlinks=True)
    assert "another checkout" in run(other, "check").stderr


def no_python(venv_folder: Path) -> None:
    (venv_folder / "bin" / "python").unlink()
    (venv_folder / "bin" / "python").symlink_to("/nonexistent/python3")


def not_relocatable(venv_folder: Path) -> None:
    (venv_folder / "pyvenv.cfg").write_text(
        (venv_folder / "pyvenv.cfg").read_text().replace("relocatable", "x")
    )
    (venv_folder / ".ready").write_text("")


def another_version(venv_folder: Path) -> None:
    (venv_folder / "lib" / PYTHON).rename(venv_folder / "lib" / "python3.9")


def killed_half_way(venv_folder: Path) -> None:
    (venv_folder / ".ready").unlink()
    (venv_folder / "bin" / "uv").unlink()


def a_dangling_link(venv_folder: Path) -> None:
    shutil.rmtree(venv_folder)
    venv_folder.symlink_to("/nonexistent/venv")


@pytest.mark.parametrize(
    "spoil", [no_python, not_relocatable, another_version, killed_half_way, a_dangling_link]
)
def test_an_environment_that_cannot_be_mended_is_made_anew(checkout: Path, spoil) -> None:
    """Made by an older make, by a Python that is gone or by one that was killed: it is deleted, not patched."""
    spoil(checkout / ".venv")
    # Python's own venv takes seconds; that it is asked for is enough here, and tests/soak/test_whole_installation.py has it whole.
    code = (
        "import runpy, sys; sys._base_executable = '/bin/false'; sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-I", "-c", code, checkout / "infra" / "installation.py", "make"]
    made = subprocess.run(command, capture_output=True, text=True)
    first, last = made.stderr.splitlines()
    assert first == "making .venv from requirements.lock"
    assert last == "the environment .venv could not be made: false ended with 1; see above"
    assert not os.path.lexists(checkout / ".venv")


ODD = (
    "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV", "PIP_CONSTRAINT", "PIP_NO_DEPS", "PIP_NO_BINARY",
    "PIP_REQUIRE_HASHES", "PIP_DRY_RUN", "UV_REQUIRE_HASHES", "UV_CONSTRAINT", "UV_OVERRIDE", "UV_EXCLUDE_NEWER", "UV_RESOLUTION",
    "UV_PRERELEASE", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_OFFLINE", "UV_LINK_MODE", "UV_NO_BUILD",
    "UV_NO_BUILD_ISOLATION", "PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS", "VIRTUAL_ENV", "CONDA_PREFIX", "SOURCE_DATE_EPOCH",
    "HATCH_BUILD_HOOKS_ENABLE",
)  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_a_setting_of_what_to_install_stays_out(name: str) -> None:
    """Into .venv goes what the lock says, and nowhere else."""
    assert name not in installer.installer_environment({name: "1", "PATH": "/bin"}, {}, [])


WHERE = {
    "PIP_INDEX_URL": "https://mirror.example/simple", "PIP_EXTRA_INDEX_URL": "https://more.example/simple",
    "PIP_TRUSTED_HOST": "mirror.example", "PIP_TIMEOUT": "60", "UV_INDEX_URL": "https://mirror.example/simple",
    "UV_DEFAULT_INDEX": "https://mirror.example/simple", "UV_INDEX": "https://more.example/simple", "UV_INDEX_MORE_PASSWORD": "secret",
    "UV_INDEX_STRATEGY": "unsafe-best-match", "UV_HTTP_TIMEOUT": "60", "HTTPS_PROXY": "http://proxy.example:3128",
}  # fmt: skip


@pytest.mark.parametrize("name", WHERE)
def test_a_setting_of_where_from_is_kept(name: str) -> None:
    """Who has a mirror, a proxy or a password for it installs from there as before."""
    inner = installer.installer_environment({name: WHERE[name], "PATH": "/bin"}, {}, [])
    assert inner[name] == WHERE[name]
    assert inner["UV_SYSTEM_CERTS"] == "1"


def test_pips_mirror_is_uvs_too() -> None:
    """Who told only pip, in its file, means both; who told uv as well is taken at their word."""
    inner = installer.installer_environment({}, {"index-url": "https://mirror.example/simple"}, [])
    assert inner["PIP_INDEX_URL"] == inner["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert inner["PIP_CONFIG_FILE"] == os.devnull
    own = {"UV_INDEX_URL": "https://other.example/simple"}
    assert "UV_DEFAULT_INDEX" not in installer.installer_environment(own, {"index-url": "https://x"}, [])


def test_of_uvs_file_only_where_from_is_read(tmp_path: Path) -> None:
    """Its indexes and its cache count; hashes, targets, dates and `offline` are for other work."""
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv" / "uv.toml").write_text(
        'offline = true\nexclude-newer = "2020-01-01"\nindex-strategy = "unsafe-best-match"\n'
        '[[index]]\nname = "more"\nurl = "https://more.example/simple"\n'
        '[[index]]\nurl = "https://mirror.example/simple"\ndefault = true\n'
        '[[index]]\nname = "only"\nurl = "https://torch.example"\nexplicit = true\n'
        "[pip]\nrequire-hashes = true\nno-deps = true\ntarget = '/x'\n"
    )
    tables = installer.uv_tables({"XDG_CONFIG_HOME": str(tmp_path)})
    inner = installer.installer_environment({}, {}, tables[:1])
    assert inner["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert inner["UV_INDEX"] == "more=https://more.example/simple"
    assert inner["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert inner["UV_NO_CONFIG"] == "1"
    assert not {"UV_OFFLINE", "UV_EXCLUDE_NEWER", "UV_REQUIRE_HASHES", "UV_NO_DEPS", "UV_TARGET"} & set(inner)


def test_of_pips_files_only_where_from_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`user`, `target` and hashes of a pip.conf stay out; pip itself is asked what its files say."""
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://mirror.example/simple\nuser = true\ntarget = /x\n[install]\nno-deps = true\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    found = installer.pip_settings(paths.CHECKOUT / ".venv")
    assert found["index-url"] == "https://mirror.example/simple"
    assert not {"user", "target", "no-deps"} & set(found)


def test_certificates_that_are_gone_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A path of another machine would stop both; it is told, and left out."""
    inner = installer.installer_environment({"SSL_CERT_FILE": "/nonexistent/ca.pem"}, {}, [])
    assert "SSL_CERT_FILE" not in inner
    assert "SSL_CERT_FILE=/nonexistent/ca.pem is not there" in capsys.readouterr().err


def test_without_a_place_for_a_cache_there_is_none(tmp_path: Path) -> None:
    """A user without a home, or whose home cannot be written, installs all the same."""
    assert "UV_NO_CACHE" not in installer.installer_environment({"HOME": str(tmp_path / "new")}, {}, [])
    (tmp_path / "file").touch()
    inner = installer.installer_environment({"HOME": str(tmp_path / "file")}, {}, [])
    assert inner["UV_NO_CACHE"] == inner["PIP_NO_CACHE_DIR"] == "1"
