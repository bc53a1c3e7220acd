"""Fetches repositories with the `git` command, as what they are: strangers' code.

No hook runs, no submodule or large file is fetched, nothing asks for a password, and no configuration of the user
or of the machine is read: a filter or a hook that it names would run on the repository's word.
"""

import os
import shutil
import subprocess
from pathlib import Path

from vbvrdatafactory.core.errors import DataFactoryError

_MB = 1024 * 1024
_NO_REFERENCE = 2

_OPTIONS = (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.attributesFile=/dev/null", "core.autocrlf=false",
    "core.protectHFS=true", "core.protectNTFS=true", "submodule.recurse=false", "fetch.recurseSubmodules=false",
    "credential.helper=", "filter.lfs.smudge=", "filter.lfs.process=", "filter.lfs.required=false",
    "protocol.allow=never", "protocol.https.allow=always", "protocol.http.allow=always",
    "protocol.ssh.allow=always", "protocol.file.allow=always", "protocol.version=2", "gc.auto=0",
    "safe.directory=*", "advice.detachedHead=false",
)  # fmt: skip
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "SSH_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}


class FetchFailed(DataFactoryError):  # noqa: N818 - what happened, not what is wrong
    """A repository could not be fetched; the text says why."""


class Git:
    """Runs Git.

    Args:
        seconds: what one command may take.
        token: is sent to ``https://github.com/`` with every request; empty sends none.
    """

    def __init__(self, *, seconds: float = 900, token: str = "") -> None:
        if shutil.which("git") is None:
            raise DataFactoryError("there is no 'git' on PATH; install it to fetch generators")
        self._seconds = seconds
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        self._environment = {**kept, **_ENVIRONMENT, **_header(token)}

    def newest_commit(self, url: str) -> str:
        """The commit that a repository's HEAD names.

        Raises:
            FetchFailed: it is empty, or can't be reached.
        """
        done = self._run("ls-remote", "--exit-code", "--", url, "HEAD")
        if done.returncode == _NO_REFERENCE:
            raise FetchFailed("the repository is empty")
        if done.returncode:
            raise FetchFailed(f"the repository can't be reached: {_last_line(done)}")
        return done.stdout.split()[0]

    def fetch(self, url: str, commit: str, folder: Path, *, most_mb: int) -> None:
        """Put the files of `commit` into `folder`, which must not exist, without Git's own.

        Raises:
            FetchFailed: the commit can't be had, or its files are more than `most_mb` megabytes.
        """
        store = folder.with_name(f"{folder.name}.git")
        try:
            self._check("init", "--quiet", "--bare", "--template=", "--", str(store))
            self._check(f"--git-dir={store}", "fetch", "--quiet", "--depth=1", "--no-tags", "--", url, commit)
            self._check_size(store, commit, most_mb)
            folder.mkdir()
            where = (f"--git-dir={store}", f"--work-tree={folder}", "-c", "core.bare=false")
            self._check(*where, "checkout", "--quiet", "--force", commit, "--", ".")
        finally:
            shutil.rmtree(store, ignore_errors=True)

    def _check_size(self, store: Path, commit: str, most_mb: int) -> None:
        listed = self._check(f"--git-dir={store}", "ls-tree", "-r", "-l", "--full-tree", commit)
        sizes = (line.split(None, 4)[3] for line in listed.splitlines())
        total = sum(int(size) for size in sizes if size.isdigit())
        if not listed:
            raise FetchFailed("the repository has no file")
        if total > most_mb * _MB:
            raise FetchFailed(
                f"it has {total // _MB:,} MB of files; at most {most_mb:,} MB are fetched (--max-mb)"
            )

    def _check(self, *arguments: str) -> str:
        done = self._run(*arguments)
        if done.returncode:
            raise FetchFailed(f"it can't be fetched: {_last_line(done)}")
        return done.stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        options = [word for option in _OPTIONS for word in ("-c", option)]
        try:
            return subprocess.run(  # noqa: S603 - git, with arguments that are no options
                ["git", *options, *arguments],  # noqa: S607 - the user's own git
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self._seconds,
                check=False,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            raise FetchFailed(f"Git took over {self._seconds:,.0f} s and was ended") from None


def _header(token: str) -> dict[str, str]:
    """The token, in the environment: a command's arguments are seen by everybody on the machine."""
    if not token:
        return {}
    import base64  # noqa: PLC0415 - few have a token

    said = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.https://github.com/.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {said}",
    }


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else f"git ended with {done.returncode}"
