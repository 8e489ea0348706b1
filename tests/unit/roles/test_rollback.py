"""Back to the state that passed before: the role's own tasks on one host; supervisor and Docker are a few lines.

What a state is made of is written by the role's templates and kept by its own task; the playbook then goes back to it.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.twinspark.serving.pair import State, Wish

IMAGES = {"1" * 40: "sha256:" + "1" * 64, "2" * 40: "sha256:" + "2" * 64}
SHOW = """
- ansible.builtin.import_tasks: image.yml
- ansible.builtin.import_tasks: plan.yml
- ansible.builtin.import_tasks: state.yml
- ansible.builtin.template: {src: vllm.env.j2, dest: "{{ __vllm_serve_env_file }}", mode: "0600"}
- ansible.builtin.template: {src: twinspark-vllm.service.j2, dest: "{{ __vllm_serve_unit }}", mode: "0644"}
- ansible.builtin.copy:
    content: "{{ __vllm_serve_supervised | to_nice_json }}\\n"
    dest: "{{ __vllm_serve_supervised_file }}"
    mode: "0644"
- ansible.builtin.include_tasks: restart.yml
  vars: {__vllm_serve_verb: restart, __vllm_serve_why: a test, __vllm_serve_door_changed: false}
- ansible.builtin.include_tasks: passed.yml
  vars: {__vllm_serve_door_changed: false}
"""
PASSED = "- ansible.builtin.import_tasks: verify.yml\n- ansible.builtin.import_tasks: keep.yml\n"
PLAY = """
- hosts: sparks
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: vllm_serve, tasks_from: show}
"""
DOCKER = """#!{python}
import json, pathlib, sys
here = pathlib.Path({here!r})
words = sys.argv[1:]
if words[:1] == ["version"]:
    print("28.0.0")
elif words[:2] == ["container", "inspect"] and (here / "running.json").exists():
    print((here / "running.json").read_text())
elif words[:2] == ["image", "inspect"]:
    there = json.loads((here / "images.json").read_text())
    wanted = [id for name, id in there.items() if words[2] in (name, id)]
    print(json.dumps([dict(Id=id) for id in wanted]))
    sys.exit(not wanted)
"""
SYSTEMCTL = """#!{python}
import pathlib, sys
pathlib.Path({here!r}, "calls").open("a").write(" ".join(sys.argv[1:]) + chr(10))
if sys.argv[1] == "show":
    active = "active" if not sys.argv[2].startswith("twinspark-job") else "inactive"
    print(f"LoadState=loaded\\nActiveState={{active}}\\nUnitFileState=enabled\\nNeedDaemonReload=no\\nInvocationID=")
"""


class Engine(BaseHTTPRequestHandler):
    """The endpoint: as many requests as the test says, and an answer."""

    held = 0

    def do_GET(self):
        self.send(f"vllm:num_requests_running{{}} {Engine.held}.0\nvllm:generation_tokens_total{{}} 1.0\n")

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        said = {"choices": [{"message": {"content": "Paris"}, "finish_reason": "stop"}]}
        self.send(json.dumps({**said, "usage": {"completion_tokens": 2, "prompt_tokens": 5}}))

    def send(self, text):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


class Host:
    """One host in a folder, with what a supervisor and Docker would do there."""

    def __init__(self, root: Path, here: Path, port: int) -> None:
        self.here, self.content, self.state, self.port = here, here / "content", here / "state", port
        self.over, self.fails = threading.Event(), False
        for part in ("roles/common", "roles/vllm_serve", "library", "module_utils", "filter_plugins", "playbooks"):
            shutil.copytree(root / part, self.content / part)
        shutil.copytree(root / "callback_plugins", self.content / "callback_plugins")
        shutil.copy(root / "ansible.cfg", self.content)
        inside = self.content / "roles/vllm_serve/vars/main.yml"
        inside.write_text(inside.read_text().replace(" /etc/", f" {here}/etc/"))
        (here / "etc/systemd/system").mkdir(parents=True)
        (here / "etc/twinspark").mkdir()
        (self.content / "roles/vllm_serve/tasks/show.yml").write_text(SHOW)
        (self.content / "roles/vllm_serve/tasks/passed.yml").write_text(PASSED)
        (self.content / "play.yml").write_text(PLAY)
        (self.content / "profiles").mkdir()
        (here / "bin").mkdir()
        for name, text in (("docker", DOCKER), ("systemctl", SYSTEMCTL), ("journalctl", "#!/bin/sh\n")):
            path = here / "bin" / name
            path.write_text(text.format(python=sys.executable, here=str(here)))
            path.chmod(0o755)
        self.images({f"tiny:{commit[:12]}": id for commit, id in IMAGES.items()})
        self.weights("a" * 40)
        threading.Thread(target=self.supervise, daemon=True).start()

    def images(self, there):
        (self.here / "images.json").write_text(json.dumps(there))

    def weights(self, commit):
        folder = self.here / f"hub/hub/models--o--n/snapshots/{commit}"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")

    def supervise(self):
        """Follow each wish at once: what the unit says then runs."""
        known = ""
        while not self.over.wait(0.05):
            path = self.state / "serve/wanted.json"
            wish = json.loads(path.read_text()) if path.exists() else {"id": ""}
            if wish["id"] == known:
                continue
            known = wish["id"]
            words = self.unit.replace("\\\n", " ").split("ExecStart=")[-1].splitlines()[0].replace('""', "").split()
            at = next(index for index, word in enumerate(words) if word.startswith("sha256:"))
            label = words[words.index("--label") + 1].partition("=")[::2]
            env = (self.here / "etc/twinspark/vllm.env").read_text().splitlines()
            config = {"Labels": dict([label]), "Cmd": words[at + 1 :], "Env": [line for line in env if line[0] != "#"]}
            runs = {"Id": known, "Image": words[at], "Config": config, "State": {"Running": True, "Pid": 1}}
            (self.here / "running.json").write_text(json.dumps([runs]))
            kind = "given_up" if self.fails else "serving"
            state = State(kind=kind, why="no memory" if self.fails else "", wish=Wish(**wish)).to_json()
            kept = {"sentence": kind, "state": state, "hosts": []}
            (self.state / "serve/new").write_text(json.dumps(kept))
            (self.state / "serve/new").replace(self.state / "serve/state.json")

    @property
    def unit(self):
        return (self.here / "etc/systemd/system/twinspark-vllm.service").read_text()

    @property
    def proof(self):
        return json.loads((self.state / "proofs/serve.json").read_text())

    def play(self, playbook, *words, **settings):
        profile = {
            "name": "tiny",
            "weights": {"repo": "o/n", "revision": "a" * 40},
            "image": {"tag": "tiny", "commit": "1" * 40},
            "serve": {"tensor_parallel": 1, "served_name": "tiny", "memory_gib": 1, "port": self.port, "args": []},
        }
        for name, value in settings.items():
            part, _, key = name.partition("__")
            profile[part][key] = value
        (self.content / "profiles/tiny.yml").write_text(yaml.safe_dump(profile))
        local = {
            "ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False,
            "twinspark_profile": "tiny", "twinspark_state_dir": str(self.state), "common_as_user": True,
            "twinspark_hub_home": str(self.here / "hub"), "vllm_serve_poll_seconds": 1,
        }  # fmt: skip
        (self.here / "hosts.yml").write_text(yaml.safe_dump({"sparks": {"hosts": {"spark1": local}}}))
        argv = [Path(sys.executable).parent / "ansible-playbook", "-i", self.here / "hosts.yml", playbook, *words]
        env = {
            **os.environ, "PATH": f"{self.here}/bin{os.pathsep}{os.environ['PATH']}",
            "TWINSPARK_STATE_DIR": str(self.here / "controller"), "ANSIBLE_LOCAL_TEMP": str(self.here / "tmp"),
        }  # fmt: skip
        return subprocess.run(argv, cwd=self.content, capture_output=True, text=True, check=False, env=env)

    def passes(self, **settings):
        done = self.play("play.yml", **settings)
        assert done.returncode == 0, done.stdout + done.stderr

    def roll(self, *words, **settings):
        return self.play("playbooks/rollback.yml", *words, **settings)


@pytest.fixture(scope="module")
def endpoint():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Engine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def host(root, tmp_path, endpoint):
    Engine.held = 0
    made = Host(root, tmp_path, endpoint)
    yield made
    made.over.set()


def words(done):
    """What was printed, on one line."""
    return " ".join(done.stdout.split())


OLD, NEW = {"serve__max_num_seqs": 2}, {"serve__max_num_seqs": 8, "image__commit": "2" * 40}


def test_it_goes_back_and_forward_again_and_asks_before_it_interrupts(host):
    none = host.roll(**OLD)
    assert none.returncode != 0
    assert "Rollback refused: no state was kept yet" in words(none)
    host.passes(**OLD)
    before = host.unit
    host.passes(**NEW)
    after = host.unit
    assert before != after
    assert (host.state / "serve/kept.json").stat().st_mode & 0o777 == 0o600
    Engine.held = 3
    refused = host.roll(**NEW)
    assert refused.returncode != 0
    assert "would interrupt 3 requests" in words(refused)
    assert "`twinspark rollback --interrupt`" in words(refused)
    assert host.unit == after
    done = host.roll("-e", "vllm_serve_interrupt=true", **NEW)
    assert done.returncode == 0, done.stdout + done.stderr
    assert host.unit == before
    assert f"image: {IMAGES['2' * 40]} -> {IMAGES['1' * 40]} on spark1" in words(done)
    assert "goes forward again: image:" in words(done)
    assert "--max-num-seqs: 2 -> 8 on spark1" in words(done)
    proof = host.proof
    assert (proof["verdict"], proof["inputs"]["image"]) == ("pass", IMAGES["1" * 40])
    assert proof["evidence"]["rolled_back"]["said"].startswith("rolled back to the proof of 20")
    assert "daemon-reload" in (host.here / "calls").read_text()
    # The two have changed places.
    again = host.roll("-e", "vllm_serve_interrupt=true", **NEW)
    assert again.returncode == 0, again.stdout
    assert host.unit == after
    assert "The settings say the same" in words(again)


@pytest.mark.long
def test_an_apply_that_did_not_pass_is_undone_once_all_that_it_needs_is_there(host):
    host.passes(**OLD)
    before = host.unit
    host.fails = True
    assert host.play("play.yml", **NEW).returncode != 0
    assert host.proof["verdict"] == "fail"
    failed, host.fails = host.unit, False
    host.images({"tiny:" + "2" * 12: IMAGES["2" * 40]})
    refused = host.roll(**NEW)
    assert f"Rollback refused: on spark1 Docker does not have the image {IMAGES['1' * 40]}" in words(refused)
    assert host.unit == failed
    host.images({f"tiny:{commit[:12]}": id for commit, id in IMAGES.items()})
    predicted = host.roll("--check", **NEW)
    assert predicted.returncode == 0, predicted.stdout
    assert host.unit == failed
    done = host.roll(**NEW)
    assert done.returncode == 0, done.stdout
    assert host.unit == before
    assert host.proof["verdict"] == "pass"
