"""A house with the door of vllm_serve: the role's own tasks and templates, the real nginx, and a played engine."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
# Of door.yml what writes the files; the rest is of systemd and apt.
WRITING = ("Ensure the folders exist", "Ensure the door has a certificate", "Write the clients' keys",
           "Write nginx's configuration", "Write the unit")  # fmt: skip
PLAY = """
- hosts: localhost
  gather_facts: false
  vars:
    twinspark_state_dir: /var/lib/twinspark
    twinspark_rank: 0
    twinspark_me: {host: localhost, rank: 0, management: 127.0.0.1, user: spark, rails: []}
    twinspark_fabric: ["{{ twinspark_me }}"]
    twinspark_hub_home: /hub
    twinspark_image: engine:0123456789ab
    profile: {name: tiny, serve: {tensor_parallel: 1, args: [], served_name: tiny}}
    twinspark_weights_repo: a/b
    twinspark_weights_revision: c
  tasks:
    - ansible.builtin.include_role: {name: vllm_serve, tasks_from: "{{ entry }}"}
"""
VERIFY = """
- ansible.builtin.assert:
    that: __vllm_serve_door.problems | length == 0
    fail_msg: "{{ __vllm_serve_door.problems | join('; ') }}"
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


class Engine:
    """What stands behind the door: remembers what it was asked, and streams a chunk whenever it is told to go on."""

    def __init__(self) -> None:
        engine = self
        self.asked: list[tuple[str, str, dict[str, str], int]] = []
        self.go_on = threading.Semaphore(0)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = len(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
                engine.asked.append((self.command, self.path, dict(self.headers), length))
                stream = self.path.startswith("/v1/chat/completions")
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream" if stream else "application/json")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for number in range(3 if stream else 1):
                    # Long: on a busy machine a playbook runs for half a minute between two parts of an answer.
                    if stream and not engine.go_on.acquire(timeout=600):
                        break
                    text = f"data: {number}\n\n".encode()
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
                self.wfile.write(b"0\r\n\r\n")

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = answer

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that went away
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class House:
    """The door in a folder of its own. write() is the role; start() and reload() are what its unit does."""

    def __init__(self, folder: Path, engine_port: int) -> None:
        self.folder, self.etc, self.run = folder, folder / "etc", folder / "run"
        self.port = free_port()
        self.pid = 0
        self.log: list[str] = []
        self.journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.journal.bind(str(folder / "journal"))
        self.settings: dict[str, Any] = {
            "ansible_python_interpreter": sys.executable,
            "twinspark_endpoint_port": engine_port,
            "vllm_serve_expose": True,
            "vllm_serve_expose_addresses": ["127.0.0.1"],
            "vllm_serve_expose_port": self.port,
            "vllm_serve_expose_body_mib": 1,
            "vllm_serve_expose_requests_per_second": 1000,
            # What the task before them reads of the head.
            "__vllm_serve_image_found": {"proved": {"id": "sha256:" + "0" * 64}, "id": ""},
            "__vllm_serve_door_dir": str(self.etc),
            "__vllm_serve_door_run": str(self.run),
            "__vllm_serve_door_unit": str(folder / "twinspark-door.service"),
            "__vllm_serve_door_log": f"unix:{folder}/journal",
            "__vllm_serve_door_user": "root",
            "__vllm_serve_nginx": str(Path(shutil.which("nginx") or "nginx").resolve()),
        }
        shutil.copytree(ROOT / "roles/vllm_serve", folder / "roles/vllm_serve")
        # The settings of the role common, without its tasks and derived facts: the play gives these.
        shutil.copytree(ROOT / "roles/common/defaults", folder / "roles/common/defaults")
        role = folder / "roles/vllm_serve/tasks"
        tasks = [task for task in block_of(role / "door.yml") if task["name"].removeprefix("door | ") in WRITING]
        assert len(tasks) == len(WRITING)
        for task in tasks:
            task.pop("notify", None)
        (role / "write.yml").write_text(VERIFY + yaml.safe_dump(tasks, sort_keys=False))
        start, *asking = block_of(role / "open.yml")
        assert "twinspark_unit" in start
        (role / "knock.yml").write_text(yaml.safe_dump(asking, sort_keys=False))
        (folder / "play.yml").write_text(PLAY)
        (folder / "ansible.cfg").write_text(f"[defaults]\nfilter_plugins = {ROOT}/filter_plugins\nroles_path = roles\n")

    def keys(self, **keys: str) -> None:
        """Lay a key file for each client."""
        paths = {client: self.folder / f"{client}.key" for client in keys}
        for client, path in paths.items():
            path.write_text(keys[client] + "\n")
        self.settings["vllm_serve_expose_keys"] = {client: str(path) for client, path in paths.items()}

    def write(self, check: bool = True, tasks: str = "write", **more: Any) -> str:
        """The role's tasks that write the files, or those that ask at the door; Ansible's output."""
        (self.folder / "given.yml").write_text(yaml.safe_dump({**self.settings, "entry": tasks, **more}))
        argv = [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", "-c", "local", "--diff", "-vvv"]
        done = subprocess.run(
            [*argv, "play.yml", "-e", "@given.yml"], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def nginx(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        with (self.folder / "stderr").open("a") as stderr:
            argv = [self.settings["__vllm_serve_nginx"], "-e", "stderr", "-c", str(self.etc / "nginx.conf"), *arguments]
            return subprocess.run(argv, stderr=stderr, text=True, check=False, timeout=30)

    def start(self) -> None:
        assert self.nginx().returncode == 0, (self.folder / "stderr").read_text()
        self.pid = int((self.run / "nginx.pid").read_text())

    def workers(self) -> set[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return set(map(int, children.read_text().split()))

    def reload(self) -> None:
        """As the unit does it; returns when the new workers are there and the former take nothing more."""
        assert self.nginx("-t", "-q").returncode == 0
        before = self.workers()
        os.kill(self.pid, signal.SIGHUP)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            old = [pid for pid in before & self.workers() if b"shutting down" not in command(pid)]
            if not old and self.workers() - before:
                return
            time.sleep(0.05)
        raise AssertionError("nginx did not reload")

    def stop(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGTERM)
            end = time.monotonic() + 20
            while (self.run / "nginx.pid").exists() and time.monotonic() < end:
                time.sleep(0.05)
        self.journal.close()

    def lines(self) -> list[str]:
        """The log so far."""
        self.journal.settimeout(0.3)
        try:
            while True:
                self.log.append(self.journal.recv(65536).decode())
        except TimeoutError:
            return self.log

    def trust(self) -> ssl.SSLContext:
        """As a client with the house's certificate, as strict as Python 3.13 is by itself."""
        context = ssl.create_default_context(cafile=str(self.etc / "house.pem"))
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    def plain(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 20)

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=self.trust())

    def ask(
        self, path: str, key: str | None = None, method: str = "GET", body: Any = None, **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, the answer as JSON where it is one, and the headers. The path goes as it is."""
        connection = self.connect()
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        connection.putrequest(method, path, skip_accept_encoding=True)
        if body is not None and not isinstance(body, bytes):
            headers["Transfer-Encoding"] = "chunked"
        elif body is not None:
            headers["Content-Length"] = str(len(body))
        for name, value in headers.items():
            connection.putheader(name, value)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused before all of it was sent
            connection.endheaders(body, encode_chunked=not isinstance(body, bytes) and body is not None)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        try:
            told = json.loads(text)
        except ValueError:
            told = text
        return answer.status, told, {name.lower(): value for name, value in answer.getheaders()}


def block_of(path: Path) -> list[dict[str, Any]]:
    """The tasks of the first block of a file."""
    return next(task["block"] for task in yaml.safe_load(path.read_text()) if "block" in task)


def command(pid: int) -> bytes:
    """A process's command line, empty where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b"shutting down"


def command_lines() -> Iterator[bytes]:
    """Of all processes, as ps shows them, with their environment."""
    for folder in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                yield (folder / name).read_bytes()
            except OSError:
                continue
