"""`serve`, on the head: a manifest's blobs, read only, to the peers only, on each rail's address only, for a while."""

from __future__ import annotations

import hmac
import os
import secrets
import socketserver
import sys
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from io import FileIO
from pathlib import Path
from typing import Any

import wire
from core.twinspark.weights.hubcache import Layout
from core.twinspark.weights.weights import rails_to_serve
from core.twinspark_host import snapshot
from job import Failure, say
from spec import Serve

POLL = 1.0
PATIENCE = 60  # seconds that a peer may take nothing or ask nothing


class Asked(BaseHTTPRequestHandler):
    """One connection of a peer's."""

    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    server: Server

    def setup(self) -> None:
        """A number that is good for this connection only."""
        super().setup()
        self.nonce, self.known = secrets.token_hex(16), False

    def finish(self) -> None:
        """The connection ends."""
        if self.known:
            self.server.leave()
        super().finish()

    def do_GET(self) -> None:  # the base class's own form of a name
        """A blob, or the rest of one."""
        start = wire.start_of(self.headers.get("Range"))
        if start is None:
            self.refuse(HTTPStatus.BAD_REQUEST)
            return
        wanted = wire.answer(self.server.secret, self.nonce, "GET", self.path, start)
        if not hmac.compare_digest(self.headers.get("Authorization", "").encode(), wanted.encode()):
            self.refuse(HTTPStatus.UNAUTHORIZED)
            return
        if not self.known:
            self.known = True
            self.server.enter()
        blob = self.server.blobs.get(self.path.removeprefix("/"))
        if blob is None or blob.is_symlink() or not blob.is_file():
            self.refuse(HTTPStatus.NOT_FOUND)
            return
        with blob.open("rb", buffering=0) as stream:
            self.send(stream, start)

    def send(self, stream: FileIO, start: int) -> None:
        """An open file from byte `start` on, without a copy through this process."""
        size = os.fstat(stream.fileno()).st_size
        if start > size:
            self.refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            return
        self.send_response(HTTPStatus.PARTIAL_CONTENT if start else HTTPStatus.OK)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        if size > start and self.connection.sendfile(stream, start, size - start) != size - start:
            self.close_connection = True  # it was cut short under our hands; the peer sees the end come early

    def refuse(self, status: HTTPStatus) -> None:
        """A status and nothing else; with 401, the number to answer with."""
        self.send_response(status)
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", wire.challenge(self.nonce))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def version_string(self) -> str:
        """No versions are told."""
        return "twinspark"

    def log_message(self, format: str, *arguments: Any) -> None:
        """A line a question, in the job's log."""
        say(f"{self.client_address[0]} {format % arguments}")


class Server(socketserver.ThreadingTCPServer):
    """The blobs of one manifest on one address. `blobs`: name in the URL to path."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], peers: frozenset[str], blobs: Mapping[str, Path], secret: str) -> None:
        self.rail, self.peers, self.blobs, self.secret = address[0], peers, blobs, secret
        self.connected, self.quiet_since = 0, time.monotonic()
        self._count = threading.Lock()
        super().__init__(address, Asked)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether it comes from a peer of this rail. Others are told nothing."""
        del request
        if client_address[0] in self.peers:
            return True
        say(f"{client_address[0]} is no peer on {self.rail}; refused")
        return False

    def enter(self) -> None:
        """Count a connection that has shown that it knows the secret. Who has not keeps nobody waiting."""
        with self._count:
            self.connected += 1

    def leave(self) -> None:
        """It has ended."""
        with self._count:
            self.connected -= 1
            self.quiet_since = time.monotonic()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that went away in the middle is no error of ours."""
        del request
        say(f"{client_address[0]}: {sys.exc_info()[1]}")

    def idle(self, now: float) -> float:
        """Seconds since anybody who knows the secret was connected."""
        return 0.0 if self.connected else now - self.quiet_since


def servers(spec: Serve) -> list[Server]:
    """One for each rail of the head that can be listened on. Failure when there is none, or nothing to serve."""
    layout = Layout(spec.home, spec.repo)
    manifest = snapshot.read_manifest(layout.manifest(spec.commit))
    if manifest is None:
        raise Failure(f"{layout.manifest(spec.commit)} is missing or no manifest. Run the stage again, which makes it")
    blobs = {entry.blob: layout.blobs / entry.blob for entry in manifest.entries if entry.blob}
    secret = Path(spec.secret_file).read_text().strip()
    found, refused = [], []
    for rail in rails_to_serve(spec.fabric):
        try:
            found.append(Server((rail.address, spec.port), rail.peers, blobs, secret))
        except OSError as error:
            refused.append(f"{rail.name} ({rail.address}): {error.strerror}")
            say(f"port {spec.port} can't be listened on at {refused[-1]}")
    if not found:
        raise Failure(
            f"port {spec.port} can't be listened on at any rail, first {refused[0]}. Set another hf_weights_port if "
            "it is in use, and see that the rails have their addresses (twinspark apply --stage network)"
        )
    return found


def run(spec: Serve) -> None:
    """Serve until told to stop or idle; leave no listener and no secret behind."""
    listening: list[Server] = []
    try:
        listening = servers(spec)
        for server in listening:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            say(f"serving {len(server.blobs)} files on {server.rail} to {', '.join(sorted(server.peers))}")
        while min(server.idle(time.monotonic()) for server in listening) < spec.idle_seconds:
            time.sleep(POLL)
        say(f"nobody was connected for {spec.idle_seconds} s")
    finally:
        for server in listening:
            server.shutdown()  # without it, the port stays taken while its thread still looks at it
            server.server_close()
        Path(spec.secret_file).unlink(missing_ok=True)
