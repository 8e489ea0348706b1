"""The served pair of a lab, by what its supervisor says, and the ways to harm it."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

INVENTORY = os.environ.get("TWINSPARK_INVENTORY", "")
FOLDER = "/var/lib/twinspark/serve"
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
