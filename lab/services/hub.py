#!/usr/bin/env python3
"""A small Hub: enough of the Hugging Face Hub's HTTP for `hf download` and huggingface_hub, with faults on request.

    python3 lab/services/hub.py --data DIR [--host 127.0.0.1] [--port 8080]

Standard library only. The repositories are described in snapshots.py, the faults in faults.py. The lab's own routes:
GET /_lab/health, GET|POST|DELETE /_lab/faults, GET|DELETE /_lab/requests.
"""

import argparse
import json
import re
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent))

from faults import BadFault, Fault, Faults, parse
from snapshots import Entry, Repositories, UnknownRepo, UnknownRevision, paths_of

RESOLVE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
API = re.compile(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree|paths-info|refs)(?:/([^/]+))?(?:/(.+))?)?")
RANGE = re.compile(r"bytes=(\d*)-(\d*)")
SLICE = 256 * 1024
# Seconds that the request log waits for answers that are still being sent.
SETTLE = 1.0


class Hub(ThreadingHTTPServer):
    """The server and what its threads share."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], data: Path) -> None:
        super().__init__(address, Handler)
        self.repositories = Repositories(data)
        self.faults = Faults()
        self.lock = threading.Lock()
        self.answered = threading.Condition(self.lock)
        self.answering = 0
        self.requests: list[dict[str, Any]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; anything else is."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Refused(Exception):
    """An answer other than 200, with the Hub's own error code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "twinspark-hub"
    server: Hub

    def respond(self) -> None:
        """Answers one request and writes it into the request log. A token is never logged, only that there was one."""
        url = urlsplit(self.path)
        path = unquote(url.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path.startswith("/_lab/"):
            self.admin(path, body)
            return
        self.entry: dict[str, Any] = {
            "time": time.time(),
            "method": self.command,
            "path": path,
            "range": self.headers.get("Range"),
            "client": self.client_address[0],
            "agent": self.headers.get("User-Agent"),
            "token": "Authorization" in self.headers,
            "status": 0,
            "bytes": 0,
        }
        with self.server.lock:
            self.server.requests.append(self.entry)
            self.server.answering += 1
        try:
            self.answer(url, path, body)
        finally:
            with self.server.lock:
                self.server.answering -= 1
                self.server.answered.notify_all()

    do_HEAD = do_GET = do_POST = do_DELETE = respond

    def answer(self, url: SplitResult, path: str, body: bytes) -> None:
        """The answer to a request that is in the log."""
        fault = self.server.faults.take(self.command, path)
        if fault:
            self.entry["fault"] = fault.fault
        try:
            self.refuse_by_fault(fault)
            self.route(path, parse_qs(url.query), body, fault)
        except UnknownRepo:
            self.refuse(Refused(404, "RepoNotFound", "Repository not found"))
        except UnknownRevision as error:
            self.refuse(Refused(404, "RevisionNotFound", f"Invalid rev id: {error}"))
        except Refused as error:
            self.refuse(error, fault)

    def refuse_by_fault(self, fault: Fault | None) -> None:
        if fault is None:
            return
        if fault.fault == "status":
            raise Refused(fault.status, "", HTTPStatus(fault.status).phrase)
        if fault.fault == "gated":
            raise Refused(fault.status, "GatedRepo", "Access to this model is restricted")
        if fault.fault == "unknown":
            raise Refused(404, "RevisionNotFound", "Invalid rev id")

    def route(self, path: str, query: dict[str, list[str]], body: bytes, fault: Fault | None) -> None:
        repositories = self.server.repositories
        if match := RESOLVE.fullmatch(path):
            repo, revision, name = match.groups()
            self.admit(repo)
            found = repositories.entry(repo, revision, name)
            if found is None:
                raise Refused(404, "EntryNotFound", "Entry not found")
            self.send_entry(found, repositories.commit(repo, revision), fault)
        elif match := API.fullmatch(path):
            repo, what, revision, below = match.groups()
            self.admit(repo)
            if what == "refs":
                self.send_json(self.refs(repo))
            elif what == "tree":
                self.send_json([x.tree_item() for x in self.below(repo, revision or "main", below)])
            elif what == "paths-info":
                wanted = set(paths_of(body, self.headers.get("Content-Type", "")))
                self.send_json(
                    [x.tree_item() for x in repositories.entries(repo, revision or "main") if x.path in wanted]
                )
            else:
                self.send_json(self.info(repo, revision or "main", blobs="blobs" in query))
        elif path == "/api/whoami-v2" and "Authorization" in self.headers:
            self.send_json(
                {"name": "lab", "type": "user", "auth": {"accessToken": {"displayName": "lab", "role": "read"}}}
            )
        else:
            raise Refused(404, "", "No such page")

    def below(self, repo: str, revision: str, folder: str | None) -> list[Entry]:
        entries = self.server.repositories.entries(repo, revision)
        return [x for x in entries if not folder or x.path.startswith(folder.rstrip("/") + "/")]

    def admit(self, repo: str) -> None:
        """Gated repositories: 401 without a token, 403 with a wrong one."""
        token = self.server.repositories.token(repo)
        shown = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if token and shown != token:
            raise Refused(403 if shown else 401, "GatedRepo", f"Access to model {repo} is restricted")

    def info(self, repo: str, revision: str, blobs: bool) -> dict[str, Any]:
        entries = self.server.repositories.entries(repo, revision)
        return {
            "id": repo,
            "modelId": repo,
            "sha": self.server.repositories.commit(repo, revision),
            "private": False,
            "gated": "manual" if self.server.repositories.token(repo) else False,
            "tags": [],
            "siblings": [x.sibling(blobs) for x in entries],
        }

    def refs(self, repo: str) -> dict[str, Any]:
        commit = self.server.repositories.commit(repo, "main")
        return {
            "branches": [{"name": "main", "ref": "refs/heads/main", "targetCommit": commit}],
            "tags": [],
            "converts": [],
        }

    def send_entry(self, entry: Entry, commit: str, fault: Fault | None) -> None:
        """A file, or the part of it that Range asks for."""
        size = entry.size
        if fault and fault.fault == "length":
            size = max(0, size + fault.bytes)
        start, end = 0, size
        if match := RANGE.fullmatch(self.headers.get("Range", "")):
            first, last = match.groups()
            start = int(first) if first else max(0, size - int(last or 0))
            end = min(size, int(last) + 1) if first and last else size
            if start >= size or start >= end:
                self.send_head(416, 0, {"Content-Range": f"bytes */{size}"})
                return
        headers = {
            "Content-Type": "application/octet-stream",
            "Accept-Ranges": "bytes",
            "ETag": f'"{entry.etag}"',
            "X-Repo-Commit": commit,
        }
        if entry.sha256:
            headers |= {"X-Linked-Etag": f'"{entry.sha256}"', "X-Linked-Size": str(entry.size)}
        partial = (start, end) != (0, size) or "Range" in self.headers
        if partial:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        self.send_head(206 if partial else 200, end - start, headers)
        if self.command == "HEAD":
            return
        with entry.file.open("rb") as stream:
            if fault:
                self.send_faulty(stream, start, end, fault)
            elif end > start:
                self.entry["bytes"] = self.connection.sendfile(stream, start, end - start)

    def send_faulty(self, stream: BinaryIO, start: int, end: int, fault: Fault) -> None:
        stream.seek(start)
        limit = end if fault.fault not in ("cut", "stall") else min(end, start + fault.after)
        piece = max(1, min(SLICE, int(fault.rate / 10))) if fault.fault == "slow" else SLICE
        position, began = start, time.monotonic()
        while position < limit:
            chunk = stream.read(min(piece, limit - position)).ljust(min(piece, limit - position), b"\0")
            if fault.fault == "bytes" and position <= fault.at < position + len(chunk):
                at = fault.at - position
                chunk = chunk[:at] + bytes([chunk[at] ^ 0xFF]) + chunk[at + 1 :]
            position += len(chunk)
            if fault.fault == "slow":
                time.sleep(max(0.0, (position - start) / fault.rate - (time.monotonic() - began)))
            self.wfile.write(chunk)
            self.entry["bytes"] += len(chunk)
        if fault.fault == "stall":
            time.sleep(fault.seconds)
        if position < end:
            self.close_connection = True

    def admin(self, path: str, body: bytes) -> None:
        self.entry = {}
        if path == "/_lab/faults" and self.command == "POST":
            try:
                self.server.faults.add(parse(json.loads(body)))
            except (BadFault, ValueError, TypeError) as error:
                self.send_json({"error": str(error)}, 400)
                return
            self.send_json(self.server.faults.list())
        elif path == "/_lab/faults":
            if self.command == "DELETE":
                self.server.faults.clear()
            self.send_json(self.server.faults.list())
        elif path == "/_lab/requests":
            with self.server.lock:
                # A client has its last byte before the server has counted it. What stalls is logged as far as it came.
                self.server.answered.wait_for(lambda: self.server.answering == 0, timeout=SETTLE)
                requests = list(self.server.requests)
                if self.command == "DELETE":
                    self.server.requests.clear()
            self.send_json(requests)
        elif path == "/_lab/health":
            self.send_json({"ok": True})
        else:
            self.send_json({"error": "no such route"}, 404)

    def send_json(self, document: object, status: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_head(status, len(body), {"Content-Type": "application/json"})
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, error: Refused, fault: Fault | None = None) -> None:
        body = json.dumps({"error": str(error)}).encode()
        headers = {"Content-Type": "application/json", "X-Error-Message": str(error)}
        if error.code:
            headers["X-Error-Code"] = error.code
        if fault and fault.retry_after is not None:
            headers["Retry-After"] = f"{fault.retry_after:g}"
        self.send_head(error.status, len(body), headers)
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.entry["status"] = status
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are kept for /_lab/requests; standard error stays for errors."""


def main() -> None:
    parser = argparse.ArgumentParser(description="A small Hugging Face Hub for the lab.")
    parser.add_argument("--data", type=Path, required=True, help="folder with ORG/NAME/COMMIT/ below it")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one")
    options = parser.parse_args()
    if not options.data.is_dir():
        sys.exit(f"hub: {options.data} is no folder; give --data a folder that holds ORG/NAME/COMMIT/")
    server = Hub((options.host, options.port), options.data)
    print(f"hub: http://{options.host}:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
