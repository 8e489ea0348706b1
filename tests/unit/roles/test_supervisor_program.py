"""The supervisor's program: its hands one by one, and a pair that it starts, watches and restarts.

systemd, Docker, the journal and ssh are stand-ins of a few lines each (`standins/`); processes, signals, /proc, HTTP
and files are real.
"""

import contextlib
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.twinspark.proof import proofs
from ansible.module_utils.twinspark.proof.values import Requirement, Verdict
from ansible.module_utils.twinspark_host.proofs import load
from prometheus_client.parser import text_string_to_metric_families

STANDINS = Path(__file__).parent / "standins"


def rails(number):
    return [
        {
            "name": f"rail{rail}", "interface": f"e{rail}", "hca": "h", "subnet": f"10.0.{rail}.0/24",
            "address": f"10.0.{rail}.{number}", "prefix": 24, "cidr": f"10.0.{rail}.{number}/24",
        }
        for rail in (1, 2)
    ]  # fmt: skip


class Pair:
    """Two hosts in two folders, and what a supervisor of theirs is told."""

    def __init__(self, tmp_path, folder, monkeypatch):
        self.program, self.hosts, self.process = folder, tmp_path / "hosts", None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        for number, name in ((11, "spark1"), (12, "spark2")):
            host = self.hosts / name
            host.mkdir(parents=True)
            (host / "boot_id").write_text(f"boot-of-{name}\n")
            links = [{"flags": ["UP", "LOWER_UP"], "addr_info": [{"local": rail["address"]}]} for rail in rails(number)]
            (host / "addresses.json").write_text(json.dumps(links))
            for rail in rails(number):
                (self.hosts / rail["address"]).symlink_to(host)
        (self.hosts / "spark1/port").write_text(str(self.port))
        self.folder = tmp_path / "serve"
        self.settings = {
            "hosts": [
                {"host": name, "rank": rank, "management": name, "user": "spark", "rails": rails(11 + rank)}
                for rank, name in enumerate(("spark1", "spark2"))
            ],
            "ssh": {"key": "/etc/twinspark/serve_ed25519", "known_hosts": "/etc/twinspark/serve_known_hosts"},
            "url": f"http://127.0.0.1:{self.port}",
            "model": "tiny",
            "folder": str(self.folder),
            "runtime": str(tmp_path / "run"),
            "look_seconds": 0.2,
            "launch_seconds": 0.1,
            "boot_id_path": str(self.hosts / "spark1/boot_id"),
            "limits": {
                "patience": 4, "ready_timeout": 60, "pauses": [0.2], "canary_every": 1, "canary_retry": 0.5,
                "memory_gib": 0.1, "headroom_gib": 0.1, "floor_gib": 0.01,
            },
        }  # fmt: skip
        for name, value in {
            "PATH": f"{STANDINS}{os.pathsep}{os.environ['PATH']}",
            "PAIR_HOST": str(self.hosts / "spark1"),
            "PAIR_HOSTS": str(self.hosts),
            "PAIR_PYTHON": sys.executable,
            "PAIR_PROGRAM": str(folder),
            "PAIR_ENGINE": str(STANDINS / "engine.py"),
        }.items():
            monkeypatch.setenv(name, value)

    def host(self, name):
        return self.hosts / name

    def supervise(self):
        path = self.folder.parent / "serve.json"
        path.write_text(json.dumps(self.settings))
        with (self.folder.parent / "journal").open("a") as journal:
            self.process = subprocess.Popen(
                [sys.executable, self.program, "supervise", path], stdout=journal, stderr=subprocess.STDOUT
            )

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)

    def want(self, verb):
        self.folder.mkdir(exist_ok=True)
        (self.folder / "wanted.json").write_text(json.dumps({"id": str(time.time()), "verb": verb}))

    @property
    def journal(self):
        return (self.folder.parent / "journal").read_text()

    @property
    def state(self):
        with contextlib.suppress(FileNotFoundError):
            return json.loads((self.folder / "state.json").read_text())["state"]
        return {"kind": None}

    def until(self, done, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if done(self.state):
                return self.state
            assert self.process.poll() is None, self.journal
            time.sleep(0.05)
        pytest.fail(f"{self.state}\n{self.journal}")

    def until_kind(self, *kinds, restarts=None):
        return self.until(lambda state: state["kind"] in kinds and (restarts is None or state["restarts"] == restarts))

    def pids(self, name):
        return [int(pid) for pid in (self.host(name) / "children").read_text().split()]

    def close(self):
        self.end()
        for host in ("spark1", "spark2"):
            for name in ("pid", "children"):
                with contextlib.suppress(OSError, ValueError):
                    for pid in (self.host(host) / name).read_text().split():
                        with contextlib.suppress(ProcessLookupError):
                            os.killpg(int(pid), signal.SIGKILL) if name == "pid" else os.kill(int(pid), signal.SIGKILL)


@pytest.fixture
def pair(tmp_path, supervisor_folder, monkeypatch):
    made = Pair(tmp_path, supervisor_folder, monkeypatch)
    yield made
    made.close()


# The pair as a whole ----------------------------------------------------------------------------------------------


def test_a_pair_is_started_watched_restarted_and_outlives_its_supervisor(pair):
    pair.supervise()
    pair.want("start")
    first = pair.until_kind("serving")
    assert (first["restarts"], first["token"] is None) == (0, False)
    # A worker is killed; its rank goes on, and says nothing.
    os.kill(pair.pids("spark2")[0], signal.SIGKILL)
    second = pair.until_kind("serving", restarts=1)
    assert second["ranks"]["spark1"]["invocation"] != first["ranks"]["spark1"]["invocation"]
    assert "restarting (1 of 3), reading the logs: the process VLLM::Worker_TP1 1000 on spark2 is gone" in pair.journal
    # The supervisor's own end is nothing to the ranks, and the next one takes them over.
    pair.process.kill()
    pair.process.wait()
    pair.supervise()
    pair.until(lambda state: state["kind"] == "serving" and state["token"] > second["token"])
    assert pair.state["ranks"] == second["ranks"]
    pair.end()
    assert pair.process.returncode == 0
    assert all(Path(f"/proc/{pid}").exists() for name in ("spark1", "spark2") for pid in pair.pids(name))
    starts = (pair.host("spark2") / "calls").read_text().count("start --no-block")
    assert starts == 2
    assert (pair.folder / "state.json").stat().st_mode & 0o777 == 0o644


def test_a_hang_is_found_by_the_canary_and_work_is_left_alone(pair):
    (pair.host("spark1") / "held").write_text("2")
    pair.supervise()
    pair.want("start")
    pair.until_kind("busy")
    time.sleep(6)  # longer than the patience
    assert pair.state["kind"] == "busy"
    (pair.host("spark1") / "held").unlink()
    (pair.host("spark1") / "wedged").touch()
    pair.until_kind("restarting")
    assert "the canary hangs" in pair.state["why"]
    (pair.host("spark1") / "wedged").unlink()
    pair.until_kind("serving", restarts=1)


def test_it_gives_up_and_stops_all_and_a_wish_starts_it_again(pair):
    (pair.host("spark2") / "die").write_text("3")
    pair.host("spark2").joinpath("journal").write_text("1.5 docker[1]: RuntimeError: CUDA out of memory. Tried\n")
    pair.settings["limits"]["restarts"] = 1
    pair.supervise()
    pair.want("start")
    state = pair.until(lambda state: state["kind"] == "given_up" and not state["stage"])
    assert state["why"].startswith(
        "1 restart since the last 6 h of service did not help; last: the rank on spark2 ended with"
    )
    assert "out of memory on spark2 (RuntimeError: CUDA out of memory. Tried). Fix: lower" in state["why"]
    assert "<3>given up" in pair.journal
    assert not (pair.host("spark1") / "pid").exists()  # the head is not started for a worker that is dead
    (pair.host("spark2") / "die").unlink()
    pair.want("start")
    pair.until_kind("serving", restarts=0)
    pair.want("stop")
    pair.until(lambda state: state["kind"] == "stopped" and not state["stage"])
    assert not any(Path(f"/proc/{pid}").exists() for name in ("spark1", "spark2") for pid in pair.pids(name))


def test_a_peer_is_asked_over_the_rail_that_is_left_and_waited_for_when_none_is(pair):
    (pair.hosts / "10.0.1.12").unlink()
    pair.supervise()
    pair.want("start")
    pair.until_kind("serving")
    (pair.hosts / "10.0.2.12").unlink()
    pair.until(lambda state: state["phase"] == "spark2 can't be reached")
    pair.want("restart")
    pair.until(lambda state: state["phase"] == "waiting for spark2")
    (pair.hosts / "10.0.1.12").symlink_to(pair.host("spark2"))
    pair.until_kind("serving")
    calls = (pair.hosts / "ssh-calls").read_text()
    assert "StrictHostKeyChecking=yes" in calls
    assert "UserKnownHostsFile=/etc/twinspark/serve_known_hosts" in calls


def test_the_head_s_own_shutdown_is_remembered(pair):
    pair.supervise()
    pair.want("start")
    pair.until_kind("serving")
    (pair.host("spark1") / "system").write_text("stopping")
    pair.end()
    assert pair.state["farewell"] == "boot-of-spark1"
    # And after the boot:
    (pair.host("spark1") / "system").unlink()
    (pair.host("spark1") / "boot_id").write_text("another\n")
    os.killpg(int((pair.host("spark1") / "pid").read_text()), signal.SIGKILL)
    pair.supervise()
    pair.until(lambda state: state["why"] == "spark1 was rebooted")
    pair.until_kind("serving", restarts=0)


def test_a_second_supervisor_refuses(pair):
    pair.supervise()
    pair.until(lambda state: state["kind"] == "stopped")
    done = subprocess.run(
        [sys.executable, pair.program, "supervise", pair.folder.parent / "serve.json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "another supervisor holds" in done.stdout


def test_settings_that_are_wrong_are_refused_in_words(pair):
    pair.settings["url"] = "https://example.org"
    pair.supervise()
    assert pair.process.wait(30) == 1
    assert "url must begin with http://" in pair.journal


def passed(folder, **more):
    """A serve proof that passed, in the folder."""
    proof = proofs.build(
        stage="serve", host="spark1", written="2026-01-02T03:04:05+00:00", inputs={"image": "i"},
        verdicts=[Verdict.of("canary", 5, Requirement(">=", 1))], evidence={"argv": ["vllm"]}, **more,
    )  # fmt: skip
    folder.mkdir(exist_ok=True)
    (folder / "serve.json").write_text(proofs.dump(proof))
    return proof


def test_a_pair_that_was_given_up_has_a_serve_proof_that_failed_and_the_one_that_passed_is_kept(pair):
    folder = pair.folder.parent / "proofs"
    before = passed(folder)
    text = (folder / "serve.json").read_text()
    pair.settings["proofs_dir"] = str(folder)
    pair.settings["limits"]["restarts"] = 0
    (pair.host("spark2") / "die").write_text("3")
    pair.supervise()
    pair.want("start")
    state = pair.until(lambda state: state["kind"] == "given_up" and not state["stage"])
    failed = load(folder, "serve")
    assert (failed.verdict, failed.inputs_digest, failed.predecessor) == (
        "fail",
        before.inputs_digest,
        before.predecessor,
    )
    assert state["why"] in failed.reasons[0]
    chain = proofs.judge_chain({"serve": failed}, "serve", inputs={"image": "i"})
    assert (chain.fresh, chain.reason.startswith("it failed (supervised pair: measured given up")) == (False, True)
    assert (folder / "serve.before.json").read_text() == text
    assert (folder / "serve.json").stat().st_mode & 0o777 == 0o644
    # The one that failed is not taken for one that passed, whoever comes after.
    pair.end()
    pair.supervise()
    time.sleep(1)
    assert (folder / "serve.before.json").read_text() == text
    assert load(folder, "serve") == failed


def test_a_proof_that_cant_be_failed_is_told_once_and_tried_again(pair, supervisor):
    said = []
    folder = pair.folder.parent / "proofs"
    folder.mkdir()
    (folder / "serve.json").write_text("{")
    module, values = supervisor("proof"), supervisor("core.twinspark.serving.pair")
    hand = module.Proofs(str(folder), values.Limits(), said.append)
    state = values.State(kind="given_up", why="3 restarts did not help", since=1.5)
    for other in (values.State(kind="serving", since=1.5), values.State(kind="given_up", stage="log", since=1.5)):
        hand.judge(other)
    assert said == []
    hand.judge(state)
    hand.judge(state)
    assert len(said) == 1
    assert "still says that the pair passed" in said[0]
    passed(folder)
    hand.judge(state)
    assert load(folder, "serve").verdict == "fail"
    # The next passing apply replaces it; that this pair was given up is known by then.
    passed(folder)
    hand.judge(state)
    assert load(folder, "serve").verdict == "pass"


def test_others_see_it_by_a_textfile_that_goes_with_the_supervisor(pair):
    folder = pair.folder.parent / "collector"
    folder.mkdir()
    pair.settings["textfile"] = str(folder)
    pair.supervise()
    pair.want("start")
    pair.until_kind("serving")
    file = folder / "twinspark.prom"
    end = time.monotonic() + 20
    while 'state="serving"} 1' not in file.read_text() and time.monotonic() < end:
        time.sleep(0.05)
    families = {family.name: family for family in text_string_to_metric_families(file.read_text())}
    assert {sample.labels["state"] for sample in families["twinspark_pair_state"].samples if sample.value} == {
        "serving"
    }
    assert families["twinspark_pair_requests_running"].samples[0].value == 0
    assert file.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in folder.iterdir()] == ["twinspark.prom"]
    pair.end()
    assert list(folder.iterdir()) == []


def test_tokens_in_a_second_are_those_of_the_last_looks(supervisor):
    textfile = supervisor("textfile").Textfile("", supervisor("core.twinspark.serving.pair").Limits(), print)
    found = [textfile.rate(now, tokens) for now, tokens in ((0, 100), (10, 200), (20, 300), (40, 300), (50, 300))]
    assert found == [None, 10, 10, pytest.approx(100 / 30), 0]
    # An engine that was started again, and one that does not tell.
    assert [textfile.rate(51, 5), textfile.rate(52, 7), textfile.rate(53, None), textfile.rate(54, 9)] == [
        None,
        2,
        None,
        None,
    ]


def test_a_name_in_a_folder_of_somebody_else_s_is_not_followed(supervisor, tmp_path):
    folder, secret, said = tmp_path / "theirs", tmp_path / "shadow", []
    folder.mkdir()
    secret.write_text("root:x")
    secret.chmod(0o600)
    values = supervisor("core.twinspark.serving.pair")
    for name in (".twinspark.prom.new", "twinspark.prom"):
        (folder / name).symlink_to(secret)
    textfile = supervisor("textfile").Textfile(str(folder), values.Limits(), said.append)
    seen = values.Seen(now=1.0, passed=1, hosts=(values.HostSeen(host="a"),))
    textfile.look(values.State(kind="serving"), seen)
    assert (secret.read_text(), secret.stat().st_mode & 0o777) == ("root:x", 0o600)
    assert not (folder / "twinspark.prom").is_symlink()
    # A folder that has become a link is not written into.
    (tmp_path / "link").symlink_to(folder)
    textfile.folder = str(tmp_path / "link")
    for _ in range(2):
        textfile.look(values.State(kind="stuck"), seen)
    assert len(said) == 1
    assert "can't be written" in said[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="a program of root's is needed")
def test_the_owner_s_program_is_run_once_when_the_pair_is_given_up(pair, tmp_path):
    told = tmp_path / "told"
    told.write_text("#!/bin/sh\n")
    told.chmod(0o755)
    pair.settings["given_up_hook"] = [str(told), "--urgent"]
    pair.settings["limits"]["restarts"] = 0
    (pair.host("spark2") / "die").write_text("3")
    pair.supervise()
    pair.want("start")
    pair.until(lambda state: state["kind"] == "given_up" and not state["stage"])
    calls = pair.host("spark1") / "hook-calls"
    end = time.monotonic() + 20
    while not calls.exists() and time.monotonic() < end:
        time.sleep(0.05)
    (call,) = calls.read_text().splitlines()
    assert call.endswith(f"-- {told} --urgent")
    assert "--property=DynamicUser=yes" in call
    assert "TWINSPARK_REASON=0 restarts since the last 6 h of service did not help; last: the rank on spark2" in call
    pair.until(lambda _: "for the pair that was given up: Main process exited, status=7" in pair.journal)
    # The next supervisor knows that it was run.
    pair.end()
    pair.supervise()
    pair.until(lambda state: state["kind"] == "given_up")
    time.sleep(1)
    assert len(calls.read_text().splitlines()) == 1


def test_a_program_that_others_could_replace_is_not_run(supervisor, tmp_path):
    hook, values, said = supervisor("hook"), supervisor("core.twinspark.serving.pair"), []
    (tmp_path / "told").write_text("#!/bin/sh\n")
    (tmp_path / "told").chmod(0o777)
    for program in (str(tmp_path / "told"), str(tmp_path / "none"), "told"):
        hook.Hook([program], "spark1", str(tmp_path), said.append).run(values.State(kind="given_up"))
    assert len(said) == 6  # each when it begins and when it would run
    assert "others than root can write to" in said[1] or "is not root's" in said[1]
    assert "none: No such file or directory" in said[3]
    assert "told is no absolute path" in said[5]


def test_what_the_role_installs_is_all_that_the_program_imports(root, tmp_path):
    listed = yaml.safe_load((root / "roles/vllm_serve/vars/main.yml").read_text())
    for name in listed["__vllm_serve_program_own"]:
        shutil.copy(root / f"roles/vllm_serve/files/twinspark_supervisor/{name}.py", tmp_path)
    for name in listed["__vllm_serve_program_core"]:
        path = tmp_path / f"core/{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / f"module_utils/{name}.py", path)
    for words, told in ((["supervise", "/none"], "/none can't be read"), (["rank", "dance"], "'dance' is none of")):
        argv = [sys.executable, "-I", tmp_path, *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert told in done.stdout, done.stderr


# One hand after the other -----------------------------------------------------------------------------------------


def test_a_look_at_a_host_with_nothing_on_it(pair, supervisor):
    seen = supervisor("local").look(str(pair.host("spark1") / "boot_id"))
    assert (seen.boot_id, seen.over, seen.cleared, seen.container, seen.docker) == (
        "boot-of-spark1",
        True,
        True,
        "",
        True,
    )
    assert seen.addresses == ("10.0.1.11", "10.0.2.11")
    assert seen.memory.total > seen.memory.available > 0
    assert seen.processes == ()


def test_a_docker_that_is_down_is_not_asked_for_its_socket_would_start_it(pair, supervisor):
    (pair.host("spark1") / "docker").write_text("inactive")
    seen = supervisor("local").look(str(pair.host("spark1") / "boot_id"))
    assert (seen.docker, seen.container) == (False, None)
    assert "docker container" not in (pair.host("spark1") / "calls").read_text()


def test_a_systemd_that_does_not_answer_is_no_rank_that_ended(pair, supervisor):
    pair.supervise()
    pair.want("start")
    pair.until_kind("serving")
    for name in ("spark1", "spark2"):
        (pair.host(name) / "deaf").touch()
    pair.until(lambda state: state["phase"] == "spark1 and spark2 can't be reached")
    with pytest.raises(OSError, match=r"systemd does not tell of twinspark-vllm\.service: .* timed out"):
        supervisor("local").stop()
    for name in ("spark1", "spark2"):
        (pair.host(name) / "deaf").unlink()
    pair.until(lambda state: not state["phase"])
    assert (pair.state["kind"], pair.state["restarts"]) == ("serving", 0)
    assert "docker rm" not in (pair.host("spark1") / "calls").read_text().partition("start --no-block")[2]


@pytest.mark.parametrize("command", ["", "look; reboot", "sh", "look log", "--help", "look\n"])
def test_a_key_that_is_forced_can_ask_nothing_else(pair, supervisor_folder, command):
    done = subprocess.run(
        [sys.executable, supervisor_folder, "rank"],
        env={**os.environ, "SSH_ORIGINAL_COMMAND": command}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "is none of look, log, start, stop" in json.loads(done.stdout)["error"]


def test_what_does_not_end_is_left_behind(supervisor):
    commands = supervisor("commands")
    began = time.monotonic()
    done = commands.run(["sh", "-c", "sleep 60 & sleep 60"], 0.3)
    assert (done.code, done.err) == (None, "sh gave no answer within 0.3 s")
    assert time.monotonic() - began < 3
    assert commands.run(["no-such-program"]).err == "no-such-program: No such file or directory"
    # A child that lives on holds nobody up.
    assert commands.run(["sh", "-c", "sleep 60 & echo done"], 5) == commands.Done(0, "done\n", "")
    assert time.monotonic() - began < 5


def test_a_task_that_is_late_or_fails_is_missing(supervisor):
    def fails():
        raise OSError

    found = supervisor("commands").together({"a": lambda: 1, "b": lambda: time.sleep(5), "c": fails}, 0.3)
    assert found == {"a": 1}


class Answers(http.server.BaseHTTPRequestHandler):
    """Whatever a test says."""

    def do_POST(self):
        self.server.asked.append(
            (self.headers.get("Authorization"), self.rfile.read(int(self.headers["Content-Length"])))
        )
        status, text = self.server.told
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST

    def log_message(self, *words):
        pass


@pytest.fixture
def endpoint(pair, supervisor, tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", pair.port), Answers)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    key = tmp_path / "key"
    key.write_text("VLLM_API_KEY=sesame\n")
    settings = supervisor("core.twinspark.proof.json_form").from_json(
        supervisor("settings").Settings, {**pair.settings, "key_file": str(key)}, "settings"
    )
    yield supervisor("endpoint").Endpoint(settings), server
    server.shutdown()
    server.server_close()


def heard(endpoint, number):
    endpoint.ask(number)
    for _ in range(200):
        if not endpoint.asking:
            return endpoint.answer
        time.sleep(0.02)
    raise AssertionError("no answer")


def test_the_canary_asks_for_one_token_with_the_key(endpoint):
    hand, server = endpoint
    server.told = 200, json.dumps({"usage": {"completion_tokens": 1}})
    assert heard(hand, 3).tokens == 1
    key, body = server.asked[0]
    assert key == "Bearer sesame"
    assert json.loads(body) == {
        "model": "tiny", "prompt": "The capital of France is", "max_tokens": 1, "temperature": 0, "stream": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ((401, '{"error": "Unauthorized"}'), 'HTTP 401: {"error": "Unauthorized"}'),
        ((500, "EngineDead"), "HTTP 500: EngineDead"),
        ((200, '{"usage": {"completion_tokens": 0}}'), 'the answer has no token: {"usage": {"completion_tokens": 0}}'),
    ],
)
def test_an_answer_without_a_token_says_why(endpoint, told, error):
    hand, server = endpoint
    server.told = told
    assert heard(hand, 1).error == error


def test_nobody_listens(pair, supervisor):
    settings = supervisor("core.twinspark.proof.json_form").from_json(
        supervisor("settings").Settings, pair.settings, "settings"
    )
    hand = supervisor("endpoint").Endpoint(settings)
    assert hand.counters() is None
    assert heard(hand, 1).error == "Connection refused"


def test_a_state_that_can_t_be_read_is_put_aside_and_a_wish_that_can_t_be_read_is_told_of_once(supervisor, tmp_path):
    said = []
    memory = supervisor("memory").Memory(str(tmp_path), supervisor("settings").Limits(), said.append)
    (tmp_path / "state.json").write_text('{"state": {"kind": "happy"}}')
    assert memory.load().kind == "stopped"
    assert (tmp_path / "state.unreadable").exists()
    (tmp_path / "wanted.json").write_text('{"id": "1", "verb": "dance"}')
    assert memory.wish() is memory.wish() is None
    assert len(said) == 2
    assert "verb must be one of start, stop, restart" in said[1]


def test_what_can_t_be_written_down_is_not_done(pair, supervisor, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    said = []
    settings = supervisor("core.twinspark.proof.json_form").from_json(
        supervisor("settings").Settings, pair.settings, "settings"
    )
    watch = supervisor("watch").Supervisor(settings, said.append)
    pair.want("start")
    first = supervisor("core.twinspark.serving.pair").State()
    monkeypatch.setattr(supervisor("memory"), "write_atomically", full)
    assert watch.once(first) == first
    assert "can't be written (No space left on device): nothing is done" in said[-1]


def test_systemd_is_told(supervisor, tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        supervisor("notify").notify("READY=1")
        assert listener.recv(100) == b"READY=1"


def test_shared_memory_of_an_ended_engine_is_known_from_what_is_used_and_what_is_others(
    supervisor, tmp_path, monkeypatch
):
    local = supervisor("local")
    monkeypatch.setattr(local, "SHM", tmp_path)
    monkeypatch.setattr(local.os, "geteuid", lambda: 0)
    for name in ("psm_left", "psm_used", "mine", "nccl-left"):
        (tmp_path / name).write_text("x")
    if os.stat(tmp_path / "mine").st_uid != 0:
        pytest.skip("only root's are looked at")
    (tmp_path / "torch_link").symlink_to(tmp_path / "mine")
    with (tmp_path / "psm_used").open():
        assert {path.name for path in local.segments()} == {"psm_left", "nccl-left"}


SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")


@pytest.mark.skipif(not SSHD or os.geteuid() != 0, reason="needs root and sshd")
def test_a_real_sshd_lets_the_key_do_nothing_but_the_verbs(pair, supervisor, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.environ["PATH"].partition(os.pathsep)[2])  # the real ssh
    home = tmp_path / "ssh"
    home.mkdir(mode=0o700)
    for name in ("host", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / name], check=True)
    environment = " ".join(
        f"{name}={os.environ[name]}" for name in ("PAIR_HOST", "PAIR_PYTHON", "PAIR_ENGINE", "PAIR_HOSTS")
    )
    forced = f"env PATH={STANDINS}:{os.environ['PATH']} {environment} {sys.executable} {pair.program} rank"
    forced += f" --boot-id {pair.host('spark2')}/boot_id"
    forced = forced.replace(str(pair.host("spark1")), str(pair.host("spark2")))
    (home / "authorized").write_text(f'restrict,command="{forced}" {(home / "key.pub").read_text()}')
    (home / "known").write_text(f"[127.0.0.1]:{pair.port} {(home / 'host.pub').read_text()}")
    (home / "config").write_text(
        f"Port {pair.port}\nListenAddress 127.0.0.1\nHostKey {home}/host\nAuthorizedKeysFile {home}/authorized\n"
        f"PidFile none\nStrictModes no\nPermitRootLogin forced-commands-only\nUsePAM no\n"
    )
    run = tempfile.mkdtemp(prefix="pair-")  # the path of a socket may have 107 bytes
    daemon = subprocess.Popen([SSHD, "-D", "-e", "-f", home / "config"], stderr=(home / "log").open("w"))
    try:
        for peer in pair.settings["hosts"][1]["rails"]:
            peer["address"] = "127.0.0.1"
        pair.settings["ssh"] = {"user": "root", "key": str(home / "key"), "known_hosts": str(home / "known")}
        settings = supervisor("core.twinspark.proof.json_form").from_json(
            supervisor("settings").Settings, {**pair.settings, "ssh_port": pair.port, "runtime": run}, "settings"
        )
        ranks = supervisor("peers").Ranks(settings, print)
        seen = ranks.look("spark2")
        for _ in range(50):
            if seen.reachable:
                break
            time.sleep(0.1)
            seen = ranks.look("spark2")
        assert seen.boot_id == "boot-of-spark2", (seen.error, (home / "log").read_text())
        ranks.do("spark2", "start")
        assert ranks.look("spark2").active == "active"
        assert ranks.log("spark2").phase == ""
        done = supervisor("commands").run([*ranks.argv("127.0.0.1"), "reboot"])
        assert (done.code, "is none of look" in done.out) == (2, True)
        (home / "known").write_text(f"[127.0.0.1]:{pair.port} {(home / 'key.pub').read_text()}")
        for control in Path(run).iterdir():
            subprocess.run(["ssh", "-o", f"ControlPath={control}", "-O", "exit", "x"], check=False, capture_output=True)
        refused = ranks.look("spark2")
        assert (refused.reachable, "verification failed" in refused.error) == (False, True)
    finally:
        daemon.terminate()
        daemon.wait()
        shutil.rmtree(run)
