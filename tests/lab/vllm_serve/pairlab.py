"""The served pair of a lab, by what its supervisor says, and the ways to harm it."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

INVENTORY = os.environ.get("TWINSPARK_INVENTORY", "")
FOLDER, SETTINGS = "/var/lib/twinspark/serve", "/etc/twinspark/serve.json"
UNIT = "twinspark-vllm.service"
HEAD, WORKER = "spark1", "spark2"
ASK = """
import json, sys, urllib.request
body = {"model": "lab-smollm2", "prompt": "Once upon a time", "max_tokens": int(sys.argv[1]), "ignore_eos": True}
request = urllib.request.Request("http://127.0.0.1:8000/v1/completions", json.dumps(body).encode(),
                                 {"Content-Type": "application/json"})
try:
    print(json.load(urllib.request.urlopen(request, timeout=600))["usage"]["completion_tokens"])
except OSError as error:
    print("error:", error)
"""
# Every finished sample of the newest log of an evaluation: question, epoch, Inspect's own ID, right or wrong or null.
SAMPLES = """
import glob, json, os
from inspect_ai.log import read_eval_log
logs = sorted(glob.glob("/var/lib/twinspark/evaluate/logs/*/*.eval"), key=os.path.getmtime)
try:
    log = read_eval_log(logs[-1])
    print(json.dumps([[s.id, s.epoch, s.uuid, bool(s.scores)] for s in log.samples or [] if not s.error]))
except Exception as error:
    print("[]")  # it is being written
"""


class Pair:
    """Both hosts of the lab that TWINSPARK_INVENTORY belongs to."""

    def __init__(self) -> None:
        self.lab = Path(INVENTORY).parent.name
        self.program = str(Path(sys.executable).with_name("twinspark"))

    def run(self, host: str, command: str, stdin: str = "") -> str:
        """A command as root."""
        argv = [self.program, "lab", "ssh", "--name", self.lab, host, "sudo sh -c " + _quoted(command)]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=700)
        assert done.returncode == 0, f"{host}: {command}: {done.stderr}"
        return done.stdout.strip()

    def twinspark(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.program, *words], capture_output=True, text=True, check=False)

    def reboot(self, *hosts: str) -> None:
        """As from inside: systemd shuts down, and the host comes back with another boot ID."""
        done = self.twinspark("lab", "reboot", "--name", self.lab, *hosts)
        assert done.returncode == 0, done.stderr

    @contextlib.contextmanager
    def hanging(self, host: str):
        """A host that does nothing at all, as one whose kernel hangs: it answers nobody, and forgets nothing."""
        container = f"ts-{self.lab}-{host}"
        subprocess.run(["docker", "pause", container], check=True, capture_output=True)
        try:
            yield
        finally:
            subprocess.run(["docker", "unpause", container], check=True, capture_output=True)

    @contextlib.contextmanager
    def cut(self, rail: int):
        """A pulled cable: the worker's end of a rail is down."""
        self._link(rail, "down")
        try:
            yield
        finally:
            self._link(rail, "up")

    def _link(self, rail: int, state: str) -> None:
        interface = self.settings()["hosts"][1]["rails"][rail]["interface"]
        done = self.twinspark("lab", "link", "--name", self.lab, WORKER, interface, state)
        assert done.returncode == 0, done.stderr

    def settings(self) -> dict:
        return json.loads(self.run(HEAD, f"cat {SETTINGS}"))

    @contextlib.contextmanager
    def limits(self, **changed: float):
        """The supervisor with other limits."""
        before = self.settings()
        self._set({**before, "limits": {**before["limits"], **changed}})
        try:
            yield
        finally:
            self._set(before)

    def _set(self, settings: dict) -> None:
        self.run(HEAD, f"cat > {SETTINGS} && systemctl restart twinspark-serve", stdin=json.dumps(settings))

    def available_gib(self, host: str) -> float:
        return int(self.run(host, "awk '/MemAvailable/ {print $2}' /proc/meminfo")) / (1 << 20)

    @contextlib.contextmanager
    def hog(self, host: str, gib: int):
        """Somebody else's process that holds so much memory."""
        text = f"import time; held = b'x' * ({gib} << 30); print('held', flush=True); time.sleep(3600)"
        before = self.available_gib(host)
        self.run(host, f"systemd-run --quiet --unit=hog --collect python3 -c {json.dumps(text)}")
        try:
            end = time.monotonic() + 60
            while self.available_gib(host) > before - gib * 0.8 and time.monotonic() < end:
                time.sleep(0.5)
            yield
        finally:
            self.run(host, "systemctl stop hog || true")

    def document(self) -> dict:
        return json.loads(self.run(HEAD, f"cat {FOLDER}/state.json"))

    def state(self) -> dict:
        return self.document()["state"]

    def until(self, *kinds: str, seconds: float = 400, more=lambda state: True) -> dict:
        """The state, once it is of one of these kinds."""
        end = time.monotonic() + seconds
        while True:
            document = self.document()
            state = document["state"]
            if state["kind"] in kinds and more(state):
                return state
            assert time.monotonic() < end, f"still: {document['sentence']}"
            time.sleep(1)

    def started(self, host: str) -> str:
        """When the rank of a host was started; another one for every start."""
        return self.run(host, f"systemctl show {UNIT} --property=InvocationID --value")

    def signal(self, host: str, title: str, name: str) -> None:
        """Send a signal to the one process with this title."""
        # ps and not pgrep: what the shell has in its own command line must not be met.
        find = f"ps -e -o pid=,args= | awk '$2 == \"{title}\" {{print $1; exit}}'"
        pid = self.run(host, find)
        assert pid, f"no {title} on {host}"
        self.run(host, f"kill -{name} {pid}")

    def ask(self, tokens: int) -> str:
        """How many tokens a completion of this length brought, or the error."""
        return self.run(HEAD, f"python3 - {tokens}", stdin=ASK)

    def asking(self, tokens: int) -> "Question":
        return Question(self, tokens)

    def samples(self) -> list[list]:
        """The finished samples of the evaluation at work, or of the last one."""
        return json.loads(self.run(HEAD, "/opt/twinspark/env/inspect/bin/python -", stdin=SAMPLES))

    def forgive(self) -> None:
        """Let the supervisor count from nothing, as after hours of service. It adopts the pair again."""
        self.run(HEAD, "systemctl stop twinspark-serve")
        edit = (
            "import json,sys; p=sys.argv[1]; d=json.load(open(p)); d['state']['restarts']=0; json.dump(d,open(p,'w'))"
        )
        self.run(HEAD, f"python3 - {FOLDER}/state.json", stdin=edit)
        self.run(HEAD, "systemctl start twinspark-serve")


class Question(threading.Thread):
    """A completion that is asked for beside the test."""

    def __init__(self, pair: Pair, tokens: int) -> None:
        super().__init__(daemon=True)
        self.pair, self.tokens, self.answer = pair, tokens, ""
        self.start()

    def run(self) -> None:
        self.answer = self.pair.ask(self.tokens)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
