"""The question to the endpoint, asked of a real HTTP server."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest


@pytest.fixture
def endpoint():
    """An endpoint that answers one token, to whom brings the key."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            known = self.headers.get("Authorization") == "Bearer hidden"
            self.send_response(200 if known else 401)
            self.end_headers()
            answer = {"usage": {"completion_tokens": 1}, "choices": [{"message": {"content": "Paris"}}]}
            self.wfile.write(json.dumps(answer if known else {"error": "who?"}).encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_canary_brings_the_key_and_tells_nobody(run_module, endpoint, tmp_path):
    key = tmp_path / "key.env"
    key.write_text("VLLM_API_KEY=hidden\n")
    question = {"url": endpoint, "model": "m", "prompt": "?", "expect": "paris"}
    heard = run_module("twinspark_canary", key_file=str(key), **question)
    assert (heard["canary"]["ok"], heard["canary"]["tokens"], heard["changed"]) == (True, 1, False)
    assert "hidden" not in json.dumps(heard)
    refused = run_module("twinspark_canary", **question)["canary"]
    assert not refused["ok"]
    assert refused["error"].startswith("HTTP 401")


def test_no_endpoint_is_an_answer_and_no_failure(run_module):
    heard = run_module("twinspark_canary", check_mode=True, url="http://127.0.0.1:1", model="m", prompt="?")
    assert not heard["canary"]["ok"]
    assert "refused" in heard["canary"]["error"]
