"""Requests that `huggingface_hub` and `datasets` make, as the stand-in of the Hub answers them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from vbvrdatafactory.testing.hub_files import Fault, HubFiles, Stored, git_digest

TOKEN = "hf_stand_in_of_a_token"  # noqa: S105 - it opens nothing

# As the Hub's .gitattributes has it for datasets, and any other file of this size.
_LARGE_KINDS = (".tar", ".parquet", ".png")
_LARGE = 10 * 1024 * 1024


class Handler(BaseHTTPRequestHandler):
    """Answers one connection to `hub`."""

    hub: HubFiles
    endpoint: str
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 - as http.server calls them

    def _answer(self) -> None:
        address = urlsplit(self.path)
        fault = self.hub.faults(self.command, unquote(address.path)) or Fault()
        time.sleep(fault.seconds)
        if fault.cut:
            self.close_connection = True
            self.connection.close()
            return
        body = (
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if not _is_chunked(self)
            else _chunks(self)
        )
        if fault.status:
            self._send(fault.status, {"error": fault.said})
            return
        query = {name: values[-1] for name, values in parse_qs(address.query).items()}
        for method, pattern, call in _ROUTES:
            found = re.fullmatch(pattern, unquote(address.path))
            if found and method in (self.command, "GET" if self.command == "HEAD" else ""):
                call(self, body, query, **found.groupdict())
                return
        self._send(404, {"error": f"the stand-in has no {self.command} {address.path}"})

    def _send(self, status: int, value: object = None, data: bytes = b"", **headers: str) -> None:
        data = json.dumps(value).encode() if value is not None else data
        self.send_response(status)
        for name, text in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        if self.command != "HEAD":
            with suppress(ConnectionError):
                self.wfile.write(data)

    def may_write(self) -> bool:
        """Whether the token is right; answers if it is not."""
        if self.headers.get("Authorization") == f"Bearer {TOKEN}":
            return True
        self._send(401, {"error": "Invalid credentials in Authorization header"})
        return False

    def files(self, repository: str) -> dict[str, Stored] | None:
        """The files of a repository; answers if there is none."""
        if repository in self.hub.repositories:
            return self.hub.repositories[repository]
        self._send(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
        return None

    def create(self, body: bytes, _: dict[str, str]) -> None:
        asked = json.loads(body)
        name = f"{asked['organization'] or 'me'}/{asked['name']}"
        if not self.may_write():
            return
        is_new = name not in self.hub.repositories
        self.hub.repositories.setdefault(name, {})
        self._send(200 if is_new else 409, {"url": f"{self.endpoint}/datasets/{name}"})

    def validate(self, _body: bytes, _: dict[str, str]) -> None:
        self._send(200, {"errors": [], "warnings": []})

    def preupload(self, body: bytes, _: dict[str, str], repository: str) -> None:
        if (files := self.files(repository)) is None or not self.may_write():
            return
        listed = []
        for each in json.loads(body)["files"]:
            is_large = each["path"].endswith(_LARGE_KINDS) or each["size"] > _LARGE
            oid = files[each["path"]].oid if each["path"] in files else None
            mode = "lfs" if is_large else "regular"
            listed.append({"path": each["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        self._send(200, {"files": listed})

    def batch(self, body: bytes, _: dict[str, str], repository: str) -> None:
        if self.files(repository) is None or not self.may_write():
            return
        objects = []
        for each in json.loads(body)["objects"]:
            upload = {"upload": {"href": f"{self.endpoint}/large/{each['oid']}"}}
            objects.append({**each, **({} if self.hub.has_large(each["oid"]) else {"actions": upload})})
        self._send(200, {"transfer": "basic", "objects": objects})

    def put(self, body: bytes, _: dict[str, str], oid: str) -> None:
        self._send(200 if self.hub.put_large(oid, body) else 400, {})

    def commit(self, body: bytes, _: dict[str, str], repository: str) -> None:
        if self.files(repository) is None or not self.may_write():
            return
        wrong = self.hub.commit(repository, [json.loads(line) for line in body.splitlines()])
        head = self.hub.head(repository)
        url = f"{self.endpoint}/datasets/{repository}/commit/{head}"
        self._send(
            400 if wrong else 200, {"error": wrong} if wrong else {"commitUrl": url, "commitOid": head}
        )

    def info(self, _body: bytes, _: dict[str, str], repository: str) -> None:
        if (files := self.files(repository)) is not None:
            siblings = [{"rfilename": path} for path in sorted(files)]
            about = {"id": repository, "sha": self.hub.head(repository), "private": False, "tags": []}
            self._send(200, {**about, "siblings": siblings})

    def tree(self, _body: bytes, query: dict[str, str], repository: str, folder: str | None = None) -> None:
        if (files := self.files(repository)) is None:
            return
        below = f"{folder.strip('/')}/" if folder and folder.strip("/") else ""
        is_deep = query.get("recursive", "").lower() in ("true", "1")
        listed: dict[str, dict[str, Any]] = {}
        for path, each in sorted(files.items()):
            inner = path.removeprefix(below)
            parts = inner.split("/")
            for depth in range(1, len(parts)):
                if path.startswith(below) and (is_deep or depth == 1):
                    parent = below + "/".join(parts[:depth])
                    listed[parent] = {"type": "directory", "path": parent, "size": 0, "oid": "0" * 40}
            if path.startswith(below) and (is_deep or len(parts) == 1):
                listed[path] = _entry(path, each)
        if below and not listed:
            self._send(404, {"error": "no such folder"}, X_Error_Code="EntryNotFound")
        else:
            self._send(200, [*listed.values()])

    def paths(self, body: bytes, _: dict[str, str], repository: str) -> None:
        if (files := self.files(repository)) is None:
            return
        is_json = "json" in self.headers.get("Content-Type", "")
        asked = json.loads(body)["paths"] if is_json else parse_qs(body.decode())["paths"]
        found = [_entry(path, files[path]) for path in asked if path in files]
        folders = [path for path in asked if any(each.startswith(f"{path}/") for each in files)]
        self._send(200, [*found, *({"type": "directory", "path": path, "oid": "0" * 40} for path in folders)])

    def resolve(self, _body: bytes, _: dict[str, str], repository: str, path: str) -> None:
        if (files := self.files(repository)) is None:
            return
        if path not in files:
            self._send(404, {"error": "Entry not found"}, X_Error_Code="EntryNotFound")
            return
        each = files[path]
        about = {
            "ETag": f'"{each.oid}"',
            "X-Repo-Commit": self.hub.head(repository),
            "Accept-Ranges": "bytes",
        }
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is None:
            self._send(200, data=each.data, **about)
            return
        start, size = int(asked[1]), len(each.data)
        stop = min(size, int(asked[2]) + 1) if asked[2] else size
        if start >= size:
            self._send(416, data=b"", **about)
        else:
            self._send(
                206, data=each.data[start:stop], **about, Content_Range=f"bytes {start}-{stop - 1}/{size}"
            )


def _entry(path: str, each: Stored) -> dict[str, Any]:
    large = {"lfs": {"oid": each.oid, "size": len(each.data), "pointerSize": 130}} if each.is_large else {}
    return {"type": "file", "path": path, "size": len(each.data), "oid": git_digest(each.data), **large}


def _is_chunked(handler: Handler) -> bool:
    return handler.headers.get("Transfer-Encoding", "").lower() == "chunked"


def _chunks(handler: Handler) -> bytes:
    pieces = []
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        pieces.append(handler.rfile.read(size))
        handler.rfile.readline()
    handler.rfile.readline()
    return b"".join(pieces)


_NAME = "(?P<repository>[^/]+/[^/]+?)"
_API = f"/api/datasets/{_NAME}"
_ROUTES: tuple[tuple[str, str, Callable[..., None]], ...] = (
    ("POST", "/api/repos/create", Handler.create),
    ("POST", "/api/validate-yaml", Handler.validate),
    ("POST", rf"{_API}/preupload/[^/]+", Handler.preupload),
    ("POST", rf"/datasets/{_NAME}\.git/info/lfs/objects/batch", Handler.batch),
    ("PUT", "/large/(?P<oid>[0-9a-f]{64})", Handler.put),
    ("POST", rf"{_API}/commit/[^/]+", Handler.commit),
    ("GET", rf"{_API}(?:/revision/[^/]+)?", Handler.info),
    ("GET", rf"{_API}/tree/[^/]+(?P<folder>/.*)?", Handler.tree),
    ("POST", rf"{_API}/paths-info/[^/]+", Handler.paths),
    ("GET", rf"/datasets/{_NAME}/resolve/[^/]+/(?P<path>.+)", Handler.resolve),
)
