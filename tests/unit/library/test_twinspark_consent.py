"""Whether a restart may interrupt what is under way, asked of a real HTTP server; systemctl is played."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.support import cases

TABLE = cases(Path(__file__).parent / "cases/twinspark_consent.yaml")
# The lines that are read, as a pair on two GPUs gave them, with the number of requests put in.
METRICS = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{engine="0",model_name="deepseek-v4-flash"}} {}.0
vllm:num_requests_waiting{{engine="0",model_name="deepseek-v4-flash"}} 0.0
vllm:generation_tokens_total{{engine="0",model_name="deepseek-v4-flash"}} 1031.0
"""


@pytest.fixture
def engine():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            held = self.path.split("/")[1]
            self.send_response(200 if self.path == f"/{held}/metrics" else 404)
            self.end_headers()
            self.wfile.write(METRICS.format(held).encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("case", TABLE)
def test_every_case_of_the_table(play, engine, case):
    url = case["input"]["url"].replace("$URL", engine)
    play("twinspark_consent", {**case, "input": {**case["input"], "url": url}})


def test_check_mode_warns_of_the_refusal(play, engine):
    case = next(param.values[0] for param in TABLE if param.id == "check mode only warns")
    answered = play("twinspark_consent", {**case, "input": {**case["input"], "url": f"{engine}/8"}})
    assert answered["msg"].startswith("the pair would be restarted")
