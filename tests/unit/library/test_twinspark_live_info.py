"""One host at this moment: nvidia-smi is played (cases/twinspark_live_info.yaml), the engine is a real HTTP server."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from ansible.module_utils.twinspark.serving.pair import State

from tests.support import cases

RECORDED = (Path(__file__).parents[1] / "module_utils/serving/cases/live/metrics.txt").read_text()
GENERATED = 'vllm:generation_tokens_total{engine="0",model_name="deepseek-v4-flash"} '


@pytest.fixture
def library(load_module, monkeypatch, tmp_path):
    library = load_module("twinspark_live_info")
    monkeypatch.setattr(library, "MEMINFO", tmp_path / "meminfo")
    return library


@pytest.fixture
def engine():
    """An engine whose counter rises by 10 with every look."""
    looks = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            looks.append(self.path)
            self.send_response(200)
            self.end_headers()
            told = RECORDED.replace(f"{GENERATED}11392.0", f"{GENERATED}{11392 + 10 * len(looks)}.0")
            self.wfile.write(told.encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", looks
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases/twinspark_live_info.yaml"))
def test_every_case_of_the_table(play, library, case):
    play(library, case)


def test_the_head_has_its_engine_and_its_supervisor(run_module, library, engine, tmp_path):
    url, looks = engine
    state = State(kind="busy", since=time.time() - 60).to_json()
    (tmp_path / "state.json").write_text(json.dumps({"sentence": "busy", "state": state, "hosts": []}))
    told = run_module(library, url=url, seconds=0.5, folder=str(tmp_path))
    found = told["live"]["engine"]
    assert looks == ["/metrics", "/metrics"]
    assert found["generated_tokens_per_second"] == pytest.approx(10 / found["seconds"], rel=0.02)
    assert found["prompt_tokens_per_second"] == 0
    assert told["live"]["supervised"]["kind"] == "busy"
    assert told["told"][0].startswith("pair: busy, since ")


def test_an_engine_that_is_away_is_not_waited_for(run_module, library, tmp_path):
    began = time.monotonic()
    told = run_module(library, url="http://127.0.0.1:1", seconds=60, folder=str(tmp_path))
    assert time.monotonic() - began < 10
    assert told["told"][:2] == [
        "pair: not known, no supervisor has written its state",
        "engine: nothing is known, the engine does not answer",
    ]
