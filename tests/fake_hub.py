"""A server that speaks as much of the Hugging Face Hub's HTTP API as a push and a download need.

The real huggingface_hub client drives it. Where the shapes of its answers are documented:

- repos/create, commit (NDJSON in, commitUrl and commitOid out), preupload, validate-yaml: the types
  of the Hub's JavaScript client, github.com/huggingface/huggingface.js, packages/hub/src/types/api
  (api-create-repo.ts, api-commit.ts), and what huggingface_hub 2.4 reads of the answers in
  hf_api.py (create_repo, create_commit, _validate_yaml) and _commit_api.py
  (_validate_preupload_info, _prepare_commit_payload).
- objects/batch: github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md, and for the upload with
  PUT docs/api/basic-transfers.md beside it.
- resolve: huggingface_hub's file_download.py, get_hf_file_metadata: X-Repo-Commit, ETag,
  X-Linked-Etag, X-Linked-Size.
- errors: huggingface_hub's utils/_http.py, hf_raise_for_status: X-Error-Code, X-Error-Message.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WRITER, READER = "hf_writer", "hf_reader"  # tokens that may write, and only read


@dataclass
class Hub:
    """What is on it: repos as {file: bytes}; `calls` are method and path of every request."""

    url: str = ""
    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    lfs: dict[str, bytes] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    refuse_commits: bool = False


@contextmanager
def fake_hub() -> Iterator[Hub]:
    """A hub of its own, on a free port."""
    hub = Hub()

    class Handler(_Handler):
        the_hub = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    the_hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def _answer(self) -> None:
        self.the_hub.calls.append(f"{self.command} {self.path}")
        self.body = self._read_body()
        path = self.path.partition("?")[0]
        for pattern, answer in _ROUTES:
            found = re.fullmatch(pattern, f"{self.command} {path}")
            if found:
                return answer(self, *found.groups())
        self._send(404, {"error": f"no such call here: {self.command} {path}"})

    do_GET = do_HEAD = do_POST = do_PUT = _answer

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _send(self, status: int, answer: Any = None, **headers: str) -> None:
        content = answer if isinstance(answer, bytes) else json.dumps(answer or {}).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _refuses(self) -> bool:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token == WRITER:
            return False
        status, text = 403, "You don't have the rights to create a model under this namespace"
        if token != READER:
            status, text = 401, "Invalid credentials in Authorization header"
        self._send(status, {"error": text}, X_Error_Message=text)
        return True

    def create(self) -> None:
        if self._refuses():
            return
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}"
        address = f"{self.the_hub.url}/{name}"
        if name in self.the_hub.repos:
            text = "You already created this model repo"
            return self._send(409, {"error": text, "url": address}, X_Error_Message=text)
        self.the_hub.repos[name] = {}
        self._send(200, {"url": address, "name": name, "id": "6553f1"})

    def validate_yaml(self) -> None:
        content = json.loads(self.body)["content"]
        front = re.match(r"---\n.*?\n---\n", content, re.DOTALL)
        if front:
            return self._send(200, {"errors": [], "warnings": []})
        self._send(400, {"errors": [{"message": "no front matter"}], "warnings": []})

    def preupload(self, repo: str) -> None:
        if self._refuses():
            return
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                "shouldIgnore": False,
                "oid": None,
            }
            for file in json.loads(self.body)["files"]
        ]
        self._send(200, {"files": files, "commitOid": COMMIT})

    def batch(self, repo: str) -> None:
        asked = json.loads(self.body)
        assert asked["operation"] == "upload" and "basic" in asked["transfers"]
        objects = [
            {
                "oid": each["oid"],
                "size": each["size"],
                "authenticated": True,
                "actions": {"upload": {"href": f"{self.the_hub.url}/lfs/{each['oid']}"}},
            }
            for each in asked["objects"]
        ]
        self._send(200, {"transfer": "basic", "objects": objects})

    def put_lfs(self, oid: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != oid:
            return self._send(422, {"error": "another file than was told"})
        self.the_hub.lfs[oid] = self.body
        self._send(200)

    def commit(self, repo: str) -> None:
        if self._refuses():
            return
        if self.the_hub.refuse_commits:
            return self._send(403, {"error": "no"}, X_Error_Message="no commits today")
        for line in self.body.decode().splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "file":
                self.the_hub.repos[repo][value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                self.the_hub.repos[repo][value["path"]] = self.the_hub.lfs[value["oid"]]
        address = f"{self.the_hub.url}/{repo}/commit/{COMMIT}"
        self._send(200, {"success": True, "commitUrl": address, "commitOid": COMMIT})

    def resolve(self, repo: str, path: str) -> None:
        files = self.the_hub.repos.get(repo)
        if files is None:
            return self._send(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
        if path not in files:
            return self._send(404, {"error": "Entry not found"}, X_Error_Code="EntryNotFound")
        digest = hashlib.sha256(files[path]).hexdigest()
        self._send(200, files[path], ETag=f'"{digest}"', X_Repo_Commit=COMMIT)


_ROUTES = [
    (r"POST /api/repos/create", _Handler.create),
    (r"POST /api/validate-yaml", _Handler.validate_yaml),
    (r"POST /api/models/([^/]+/[^/]+)/preupload/main", _Handler.preupload),
    (r"POST /([^/]+/[^/]+)\.git/info/lfs/objects/batch", _Handler.batch),
    (r"PUT /lfs/([0-9a-f]{64})", _Handler.put_lfs),
    (r"POST /api/models/([^/]+/[^/]+)/commit/main", _Handler.commit),
    (r"(?:HEAD|GET) /([^/]+/[^/]+)/resolve/main/(.+)", _Handler.resolve),
]
