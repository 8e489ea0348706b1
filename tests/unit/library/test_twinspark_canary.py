"""The question to the endpoint, asked of a real HTTP server."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest


@pytest.fixture
def endpoint():
    """An endpoint that answers one token, to who asks without a key."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = asked["model"] == "m" and "Authorization" not in self.headers
            self.send_response(200 if known else 404)
            self.end_headers()
            answer = {"usage": {"completion_tokens": 1}, "choices": [{"message": {"content": "Paris"}}]}
            self.wfile.write(json.dumps(answer if known else {"error": "what?"}).encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_tokens_are_an_answer_and_an_error_is_none(run_module, endpoint):
    heard = run_module("twinspark_canary", url=endpoint, model="m", prompt="?", expect="paris")
    assert (heard["canary"]["ok"], heard["canary"]["tokens"], heard["changed"]) == (True, 1, False)
    refused = run_module("twinspark_canary", url=endpoint, model="other", prompt="?")["canary"]
    assert not refused["ok"]
    assert refused["error"].startswith("HTTP 404")


def test_no_endpoint_is_an_answer_and_no_failure(run_module):
    heard = run_module("twinspark_canary", check_mode=True, url="http://127.0.0.1:1", model="m", prompt="?")
    assert not heard["canary"]["ok"]
    assert "refused" in heard["canary"]["error"]
