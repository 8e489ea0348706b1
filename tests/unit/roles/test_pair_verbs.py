"""The playbooks of `start`, `restart` and `stop` on this machine as the head. Played: systemctl, supervisor, engine."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.twinspark.serving.pair import State, Wish

ROOT = Path(__file__).resolve().parents[3]
# A unit is active while a file of its name is in $UNITS; every call is kept in $UNITS/calls.
SYSTEMCTL = """#!/bin/sh
echo "$@" >>"$UNITS/calls"
for unit; do :; done
case $1 in
  show) unit=$2
    if [ -e "$UNITS/$unit" ]; then echo LoadState=loaded; echo ActiveState=active; echo SubState=running
    else
      case $unit in *-job-*) echo LoadState=not-found ;; *) echo LoadState=loaded ;; esac
      echo ActiveState=inactive; echo SubState=dead
    fi
    echo UnitFileState=enabled; echo NeedDaemonReload=no; echo ExecMainStatus=0 ;;
  list-units) for path in "$UNITS"/twinspark-job-*; do
      [ -e "$path" ] && echo "$(basename "$path") loaded active running a job"; done; exit 0 ;;
  start) : >"$UNITS/$unit" ;;
  stop) rm -f "$UNITS/$unit" ;;
esac
"""
# The same on real hosts is in tests/lab/vllm_serve/test_verbs.py, which `make test` runs; these take minutes.
pytestmark = pytest.mark.long
METRICS = "vllm:generation_tokens_total 100.0\nvllm:num_requests_running {}.0\nvllm:num_requests_waiting 0.0\n"


class House:
    """A head that is this machine, with everything of it in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.held, self.follows, self.asked = folder, 0, "serving", 0
        self.units = folder / "units"
        self.state = folder / "state/serve"
        (folder / "bin").mkdir()
        self.units.mkdir()
        self.state.mkdir(parents=True)
        (folder / "bin/systemctl").write_text(SYSTEMCTL)
        (folder / "bin/systemctl").chmod(0o755)
        # The content with the units of this folder instead of systemd's: a role's own names can't be set from outside.
        self.content = folder / "content"
        for part in ("roles", "library", "module_utils", "filter_plugins", "callback_plugins", "playbooks"):
            shutil.copytree(ROOT / part, self.content / part)
        shutil.copy(ROOT / "ansible.cfg", self.content)
        (self.content / "profiles").symlink_to(ROOT / "profiles")
        inside = self.content / "roles/vllm_serve/vars/main.yml"
        inside.write_text(
            inside.read_text().replace(
                "/etc/systemd/system/twinspark-serve.service", f"{folder}/twinspark-serve.service"
            )
        )
        (folder / "twinspark-serve.service").touch()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.over = threading.Event()
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()
        hosts = {"spark1": {"ansible_host": "127.0.0.1"}}
        variables = {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": sys.executable,
            "twinspark_state_dir": str(folder / "state"),
            "twinspark_endpoint_port": self.server.server_port,
            "vllm_serve_poll_seconds": 1,
        }
        tree = {"sparks": {"hosts": hosts, "vars": variables}}
        (folder / "hosts.yml").write_text(yaml.safe_dump(tree))

    def handler(self) -> type[BaseHTTPRequestHandler]:
        house = self

        class Engine(BaseHTTPRequestHandler):
            def answer(self, text: str) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(text.encode())

            def do_GET(self) -> None:
                self.answer(METRICS.format(house.held))

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                house.asked += 1
                message = {"message": {"content": "Paris"}, "finish_reason": "stop"}
                self.answer(json.dumps({"choices": [message], "usage": {"completion_tokens": 2, "prompt_tokens": 7}}))

            def log_message(self, *_: object) -> None:
                pass

        return Engine

    def says(self, kind: str, wish: Wish | None, told: str = "") -> None:
        state = State(kind=kind, wish=wish)  # type: ignore[arg-type]
        fresh = self.state / "state.new"
        fresh.write_text(json.dumps({"sentence": told or kind, "state": state.to_json(), "hosts": []}))
        fresh.replace(self.state / "state.json")

    def watch(self) -> None:
        """The supervisor's part: it takes each new wish up, starts for a moment, and ends as the test says."""
        known = ""
        while not self.over.wait(0.2):
            path = self.state / "wanted.json"
            wish = Wish(**json.loads(path.read_text())) if path.exists() else None
            if wish and wish.id != known:
                known = wish.id
                if wish.verb == "stop":
                    self.says("stopped", wish)
                    continue
                self.says("starting", wish, "starting, loading weights")
                time.sleep(1.5)
                self.says(self.follows, wish, "given up: no memory" if self.follows == "given_up" else "")

    def play(self, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "UNITS": str(self.units),
            "ANSIBLE_CONFIG": str(self.content / "ansible.cfg"),
            "TWINSPARK_STATE_DIR": str(self.folder / "controller"),
        }
        argv = ["ansible-playbook", "-i", str(self.folder / "hosts.yml"), f"playbooks/{verb}.yml"]
        return subprocess.run(
            [*argv, *words], cwd=self.content, env=environment, capture_output=True, text=True, check=False
        )

    @property
    def wish(self) -> dict[str, str]:
        path = self.state / "wanted.json"
        return json.loads(path.read_text()) if path.exists() else {}

    @property
    def calls(self) -> list[str]:
        path = self.units / "calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def house(tmp_path):
    if os.geteuid():
        pytest.skip("the roles want root")
    house = House(tmp_path)
    yield house
    house.over.set()
    house.watcher.join()
    house.server.shutdown()
    house.server.server_close()


def test_start_brings_a_stopped_pair_up_asks_it_and_changes_nothing_again(house):
    house.says("stopped", Wish("old", "stop"))
    looked = house.play("start", "--check")
    assert looked.returncode == 0, looked.stdout
    assert (house.wish, house.asked) == ({}, 0)
    done = house.play("start")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" not in done.stdout.split("spark1 ")[-1].splitlines()[0]
    assert house.wish["verb"] == "start"
    assert "serving: 2 tokens in" in done.stdout
    assert house.asked == 1
    before = house.wish["id"]
    again = house.play("start")
    assert again.returncode == 0, again.stdout
    assert again.stdout.count("changed=0") == 1
    assert house.wish["id"] == before


def test_start_ends_with_the_reason_where_it_gave_up(house):
    house.follows = "given_up"
    done = house.play("start")
    assert done.returncode == 2
    assert "given up: no memory. Fix: correct the cause that it names" in done.stdout + done.stderr


def test_start_is_refused_before_the_first_apply(house):
    (house.folder / "twinspark-serve.service").unlink()
    done = house.play("start")
    assert "Nothing was started: nothing was served here yet" in done.stdout + done.stderr
    assert done.returncode == 2
    assert house.wish == {}


def test_restart_wants_consent_beside_requests(house):
    house.says("serving", Wish("old", "start"))
    house.held = 3
    refused = house.play("restart")
    assert refused.returncode == 2
    said = refused.stdout + refused.stderr
    assert "that would interrupt 3 requests. Nothing was changed." in " ".join(said.split())
    assert house.wish == {}
    done = house.play("restart", "-e", "vllm_serve_interrupt=true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert house.wish["verb"] == "restart"


def test_stop_ends_jobs_first_and_keeps_what_they_wrote(house):
    house.says("serving", Wish("old", "start"))
    for unit in ("twinspark-job-evaluate.service", "twinspark-serve.service", "twinspark-vllm.service"):
        (house.units / unit).touch()
    done = house.play("stop")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (house.units / "twinspark-job-evaluate.service").exists()
    assert (house.units / "twinspark-serve.service").exists()  # it keeps the pair down
    stops = [call for call in house.calls if call.startswith("stop ")]
    assert stops.index("stop twinspark-job-evaluate.service") < stops.index("stop twinspark-vllm.service")
    assert house.wish["verb"] == "stop"


def test_status_tells_the_pair_at_this_moment_and_changes_nothing(house):
    house.says("busy", Wish("old", "start"))
    house.held = 2
    done = house.play("status", "-e", "live_ask=true", "-e", "live_seconds=0.2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pair: busy, 0 restarts counted" in done.stdout
    assert "2 requests running, 0 waiting, KV cache unknown used" in " ".join(done.stdout.split())
    assert "canary: good, 2 tokens in" in done.stdout
    assert house.asked == 1
    assert house.wish == {}
