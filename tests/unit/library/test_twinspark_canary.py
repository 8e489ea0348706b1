"""The modules of image and serve, against a real Git repository, a real HTTP server and files."""

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest


def git(folder, *argv):
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", "-C", folder, *who, *argv], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def orphan(tmp_path):
    """A repository whose first commit is on no branch any more, as after a force push; and that commit."""
    repo = tmp_path / "repo"
    repo.mkdir()
    git(repo, "init", "-q", "-b", "main")
    git(repo, "config", "uploadpack.allowAnySHA1InWant", "true")
    (repo / "f").write_text("pinned")
    git(repo, "add", "f")
    git(repo, "commit", "-q", "-m", "one")
    commit = git(repo, "rev-parse", "HEAD")
    (repo / "f").write_text("other")
    git(repo, "commit", "-q", "-a", "--amend", "-m", "two")
    return f"file://{repo}", commit


def test_an_orphaned_commit_is_checked_out_once(run_module, orphan, tmp_path):
    repo, commit = orphan
    wanted = {"repo": repo, "commit": commit, "dest": str(tmp_path / "work")}
    assert run_module("twinspark_source", check_mode=True, **wanted)["changed"]
    assert not (tmp_path / "work").exists()
    assert run_module("twinspark_source", **wanted)["after"] == commit
    assert (tmp_path / "work/f").read_text() == "pinned"
    assert not run_module("twinspark_source", **wanted)["changed"]
    (tmp_path / "work/f").write_text("changed by hand")
    (tmp_path / "work/cache").write_text("a wheel")
    assert run_module("twinspark_source", **wanted)["changed"]
    assert (tmp_path / "work/f").read_text() == "pinned"
    assert (tmp_path / "work/cache").exists()


def test_a_commit_that_is_gone_has_a_fix(run_module, orphan, tmp_path):
    answer = run_module("twinspark_source", repo=orphan[0], commit="0" * 40, dest=str(tmp_path / "work"))
    assert answer["failed"]
    assert "no longer has the commit" in answer["msg"]


def test_a_build_is_remembered_once(run_module, tmp_path):
    wanted = {"record": str(tmp_path / "history.json"), "entry": {"image": "e:1", "id": "sha256:1", "digest": "d"}}
    assert run_module("twinspark_image_record", check_mode=True, **wanted)["changed"]
    assert not (tmp_path / "history.json").exists()
    assert run_module("twinspark_image_record", **wanted)["changed"]
    again = run_module("twinspark_image_record", **wanted)
    assert (again["changed"], again["previous"]) == (False, None)


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
