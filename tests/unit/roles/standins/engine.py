"""A rank without a model: named processes, and on the head counters and completions over HTTP.

The files of its host's folder play the faults: `load` (seconds until it answers), `wedged` (completions hang, counters
stand), `held` (requests that somebody waits for), `die` (the exit code with which it ends at once).
"""

import json
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOST = Path(sys.argv[1])


def number(name: str, default: float = 0) -> float:
    """What a file of the host's folder says."""
    try:
        return float((HOST / name).read_text())
    except (OSError, ValueError):
        return default


class Engine(BaseHTTPRequestHandler):
    """vLLM's endpoint, as far as a supervisor asks it."""

    tokens = 0
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """/metrics, in the form of vLLM 0.26."""
        if not (HOST / "wedged").exists() and number("held"):
            Engine.tokens += 7
        self.send(
            f'# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{{engine="0"}} {number("held")}\n'
            'vllm:num_requests_waiting{engine="0"} 0.0\n'
            f'vllm:generation_tokens_total{{engine="0"}} {Engine.tokens}.0\n'
        )

    def do_POST(self) -> None:
        """One token."""
        self.rfile.read(int(self.headers["Content-Length"]))
        while (HOST / "wedged").exists():
            time.sleep(0.1)
        Engine.tokens += 1
        self.send(json.dumps({"choices": [{"text": " Paris"}], "usage": {"completion_tokens": 1}}))

    def send(self, text: str) -> None:
        """A whole answer."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *words: object) -> None:
        """Nothing."""


def main() -> None:
    """Until SIGTERM."""
    if (HOST / "die").exists():
        sys.exit(int(number("die")))
    names = ["VLLM::EngineCore", "VLLM::Worker_TP0"] if (HOST / "port").exists() else ["VLLM::Worker_TP1"]
    children = [subprocess.Popen([name, "1000"], executable="/bin/sleep") for name in names]
    (HOST / "children").write_text(" ".join(str(child.pid) for child in children))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        time.sleep(number("load", 0.5))
        if (HOST / "port").exists():
            ThreadingHTTPServer(("127.0.0.1", int(number("port"))), Engine).serve_forever()
        time.sleep(1000)
    finally:
        for child in children:
            child.kill()


main()
