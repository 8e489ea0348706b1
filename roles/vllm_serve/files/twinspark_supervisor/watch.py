"""The supervisor's loop: look at everything, take one step, write it down, do what it says. Its end stops no rank."""

from __future__ import annotations

import fcntl
import re
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from commands import run, together
from core.twinspark.serving.pair import UP, Action, Counters, HostSeen, Log, Seen, State, sentence
from core.twinspark.serving.supervisor import step
from endpoint import Endpoint
from hook import Hook
from memory import Memory
from notify import notify
from peers import Ranks
from proof import Proofs
from settings import Settings
from textfile import Textfile

# Longer than any hand takes; what is not back by then is not known in this look.
LOOKS_SECONDS = 60.0
# Between two writes of a state of which only the clocks have moved on.
WRITE_SECONDS = 30.0
NUMBER = re.compile(r"\d+(\.\d+)?")


class Busy(RuntimeError):
    """Another supervisor is at work."""


class Supervisor:
    """One for the pair. `ranks`, `endpoint` and `memory` are its hands."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self.settings, self.say = settings, say
        Path(settings.folder).mkdir(parents=True, exist_ok=True)
        Path(settings.runtime).mkdir(mode=0o700, parents=True, exist_ok=True)
        self.memory = Memory(settings.folder, settings.limits, say)
        self.ranks, self.endpoint = Ranks(settings, say), Endpoint(settings)
        self.proofs = Proofs(settings.proofs_dir, settings.limits, say)
        self.textfile = Textfile(settings.textfile, settings.limits, say)
        self.hook = Hook(settings.given_up_hook, settings.hosts[0].host, settings.folder, say)
        self.over = threading.Event()
        self.logs: dict[str, Log] = {}
        self.looked: float | None = None
        self.written, self.said = 0.0, ""

    def run(self) -> None:
        """Until it is told to end. Busy when there is another one."""
        # Not in the folder of the state: whoever can open a file for reading can lock it.
        with (Path(self.settings.runtime) / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Busy(f"another supervisor holds {lock.name}") from error
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self.end)
            state = self.memory.load()
            self.say(f"<6>supervising {', '.join(self.ranks.hosts)}; last known: {self.words(state)}")
            notify("READY=1")
            while not self.over.is_set():
                state = self.once(state)
                calm = state.kind in UP or (not state.stage and state.kind != "stuck")
                self.over.wait(self.settings.look_seconds if calm else self.settings.launch_seconds)
            self.textfile.end()
            self.memory.keep(self.farewell(state))

    def end(self, number: int, frame: FrameType | None) -> None:
        """SIGTERM: end after the step at hand."""
        del number, frame
        self.over.set()

    def once(self, state: State) -> State:
        """One look, one step, and what follows from it."""
        seen = self.look()
        before = state
        state, actions = step(before, seen, self.settings.limits)
        if actions or _without_clocks(state) != _without_clocks(before) or self.due():
            try:
                self.memory.keep(state, seen)
            except OSError as error:
                # What is not written may be done once more by the next supervisor, so it is not done.
                self.say(f"<3>the state can't be written ({error.strerror}): nothing is done; free some space")
                return before
            self.written = time.monotonic()
        self.tell(state)
        self.proofs.judge(state)
        self.hook.given_up(state)
        self.textfile.look(state, seen)
        self.act(actions)
        notify(f"WATCHDOG=1\nSTATUS={self.words(state)}")
        return state

    def due(self) -> bool:
        """Whether the state on disk has grown old."""
        return time.monotonic() - self.written > WRITE_SECONDS

    def look(self) -> Seen:
        """Everything, at once. Every hand has its own limit; one that misses even the last is as good as away."""
        tasks: dict[str, Callable[[], Any]] = {name: partial(self.ranks.look, name) for name in self.ranks.hosts}
        found = together({**tasks, "": self.endpoint.counters}, LOOKS_SECONDS)
        counters = found.pop("", None)
        now = time.monotonic()
        passed, self.looked = (now - self.looked if self.looked else 0.0), now
        logs, self.logs = self.logs, {}
        hosts = [
            found.get(name) or HostSeen(host=name, reachable=False, error="no answer") for name in self.ranks.hosts
        ]
        return Seen(
            now=round(time.time(), 1),
            passed=passed,
            hosts=tuple(replace(host, log=logs.get(host.host)) for host in hosts),
            counters=counters if isinstance(counters, Counters) else None,
            asking=self.endpoint.asking,
            answer=self.endpoint.answer,
            wish=self.memory.wish(),
        )

    def act(self, actions: tuple[Action, ...]) -> None:
        """Do it, all hosts at once; the order among them is the machine's."""
        for action in actions:
            if action.verb == "ask":
                self.endpoint.ask(action.number)
        jobs = [action for action in actions if action.verb in ("start", "stop")]
        together({job.host: partial(self.ranks.do, job.host, job.verb) for job in jobs}, LOOKS_SECONDS)
        logs = [action.host for action in actions if action.verb == "log"]
        self.logs = dict(together({host: partial(self.ranks.log, host) for host in logs}, LOOKS_SECONDS))

    def words(self, state: State) -> str:
        """The state as the journal has it."""
        return sentence(state, self.settings.limits)

    def tell(self, state: State) -> None:
        """A line in the journal where the state has changed; figures that count on are no change."""
        told = self.words(state if state.kind != "busy" else replace(state, kind="serving"))
        if NUMBER.sub("", told) != NUMBER.sub("", self.said):
            self.said = told
            level = {"given_up": 3, "restarting": 4, "stuck": 4}.get(state.kind, 6)
            self.say(f"<{level}>{told}")

    def farewell(self, state: State) -> State:
        """The last state. Where the host itself goes down in order, its boot is remembered by it."""
        if run(["systemctl", "is-system-running"], 5).out.strip() != "stopping":
            return state
        return replace(state, farewell=Path(self.settings.boot_id_path).read_text().strip())


def _without_clocks(state: State) -> State:
    phase = NUMBER.sub("", state.phase)
    return replace(
        state,
        phase=phase,
        spent=0,
        pause=0,
        ready=0,
        quiet=0,
        frozen=0,
        served=0,
        token=None,
        work=None,
        asked=0,
        heard=0,
    )
