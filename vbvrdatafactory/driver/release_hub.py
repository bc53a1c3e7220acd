"""A dataset repository of the Hugging Face Hub as a target for releases; ``HF_ENDPOINT`` and ``HF_TOKEN`` are honoured.

What a library says of a failure may hold the token, as httpx shows a header that it refuses: no error leaves this module with
it, nor with the error that it came from.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]  # as its docs have it

from vbvrdatafactory.driver.release_publish import NoTargetError, TargetError
from vbvrdatafactory.driver.release_source import PublishError, Source
from vbvrdatafactory.release.publishing import HUB, ListedFile, LocalFile, Step

_KIND = "dataset"
# Uploads at once, of files that are no smaller than this: a connection is seldom faster than a few of them.
_AT_ONCE, _LARGE = 4, 10 * 1024 * 1024
_LONGEST = 300


class HubRepository:
    """A dataset repository.

    Args:
        repository: its name, as ORG/NAME.
        private: whether one that does not exist yet is made private.
        endpoint: address of the Hub; by default that of ``HF_ENDPOINT``.

    Raises:
        PublishError: there is no token.
    """

    def __init__(self, repository: str, *, private: bool, endpoint: str | None = None) -> None:
        disable_progress_bars()
        self.repository: str | None = repository
        self.name = f"hf:{repository}"
        self.limits = HUB
        self._id, self._private = repository, private
        self._token = get_token() or ""
        if not self._token:
            raise PublishError("there is no token for the Hub; set HF_TOKEN, or log in with 'hf auth login'")
        self._api = HfApi(endpoint, token=self._token)

    def prepare(self) -> None:
        with self._explained():
            self._api.create_repo(self._id, repo_type=_KIND, private=self._private, exist_ok=True)

    def listed(self) -> Mapping[str, ListedFile]:
        with self._explained():
            found = self._api.list_repo_tree(self._id, repo_type=_KIND, recursive=True)
            return {each.path: _placed(each) for each in found if isinstance(each, RepoFile)}

    def read(self, path: str) -> bytes | None:
        with self._explained(), TemporaryDirectory() as folder:
            try:
                # Not from the user's cache.
                there = self._api.hf_hub_download(self._id, path, repo_type=_KIND, local_dir=folder)
            except EntryNotFoundError:
                return None
            return Path(there).read_bytes()

    def send(self, step: Step, source: Source, message: str, on_sent: Callable[[int], None]) -> None:
        with self._explained():
            added = {file: _addition(file, source) for file in step.files}
            with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="send") as pool:
                for files in pool.map(lambda files: self._upload(files, added), _groups(step.files)):
                    on_sent(sum(file.size for file in files))
            deleted = [CommitOperationDelete(path) for path in step.deleted]
            self._api.create_commit(
                self._id, [*added.values(), *deleted], commit_message=message, repo_type=_KIND
            )

    def _upload(
        self, files: Sequence[LocalFile], added: Mapping[LocalFile, CommitOperationAdd]
    ) -> Sequence[LocalFile]:
        """Send the contents of files, which are seen when they are committed; what the Hub has already is not sent."""
        self._api.preupload_lfs_files(
            self._id, [added[file] for file in files], repo_type=_KIND, free_memory=False
        )
        for file in files:
            if (digest := added[file].upload_info.sha256.hex()) != file.sha256:
                raise PublishError(
                    f"{file.path} has SHA-256 {digest[:16]}…, not {file.sha256[:16]}…: it was changed; run 'datafactory release check'"
                )
        return files

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors of the Hub and of its libraries as ours, without the token."""
        try:
            yield
        except (PublishError, TargetError):
            raise
        except Exception as error:  # noqa: BLE001 - each may hold the token
            text = " ".join(f"{type(error).__name__}: {error}".split())
            for secret in (self._token, self._token.encode("unicode_escape").decode()):
                text = text.replace(secret, "…")
            text = text[:_LONGEST]
            raise _error(_cause(error), self.name, text) from None


def _error(error: BaseException, name: str, text: str) -> PublishError | TargetError:
    if isinstance(error, (HfHubHTTPError, httpx2.HTTPStatusError)):
        return _refusal(error.response.status_code, name, text)
    # These are about what was asked, not about the way there.
    is_ours = isinstance(error, (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol, OfflineModeIsEnabled))
    # Xet's client has no class of its own for what fails on the way.
    is_on_the_way = isinstance(error, (httpx2.TransportError, ConnectionError, TimeoutError))
    if (is_on_the_way or type(error) is RuntimeError) and not is_ours:
        return TargetError(f"{name} can't be reached: {text}")
    return PublishError(f"{name}: {text}")


def _refusal(status: int, name: str, text: str) -> PublishError | TargetError:
    if status == httpx2.codes.TOO_MANY_REQUESTS or httpx2.codes.is_server_error(status):
        return TargetError(f"{name} answers {status}")
    if status == httpx2.codes.UNAUTHORIZED:
        return PublishError(
            f"the Hub does not accept the token (401); set HF_TOKEN to one that may write to {name}"
        )
    if status == httpx2.codes.FORBIDDEN:
        return PublishError(f"the token may not write to {name} (403); take one that may, or another name")
    if status == httpx2.codes.NOT_FOUND:
        return NoTargetError(f"{name} does not exist, or the token may not see it")
    return PublishError(f"{name} refuses it ({status}): {text}")


def _cause(error: BaseException) -> BaseException:
    """What an upload failed of: the library says only which one."""
    while type(error) is RuntimeError and error.__cause__ is not None:
        error = error.__cause__
    return error


def _placed(found: RepoFile) -> ListedFile:
    return ListedFile(
        found.path, found.size, found.lfs.sha256 if found.lfs else "", "" if found.lfs else found.blob_id
    )


def _addition(file: LocalFile, source: Source) -> CommitOperationAdd:
    content = source.content(file)
    return CommitOperationAdd(file.path, str(content) if isinstance(content, Path) else content)


def _groups(files: Sequence[LocalFile]) -> Iterator[Sequence[LocalFile]]:
    """Large files one by one, as each is a step of the progress; small ones together, as each costs a request."""
    yield from ([file] for file in files if file.size >= _LARGE)
    if small := [file for file in files if file.size < _LARGE]:
        yield small
