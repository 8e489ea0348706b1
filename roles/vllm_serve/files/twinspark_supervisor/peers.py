"""The hosts of the pair, each asked by the same four verbs: this one by a process, the others by ssh over any rail.

What reads a wedged process may hang with it, so this host's own rank is not asked in this process either.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from commands import Done, run
from core.twinspark.inventory.fabric import Host
from core.twinspark.network.rail_ssh import ssh_argv
from core.twinspark.proof.json_form import ShapeError, from_json
from core.twinspark.serving.pair import HostSeen, Log
from core.twinspark.serving.vitals import missing
from settings import Settings

PROGRAM = str(Path(__file__).resolve().parent)
# An ssh that can't connect ends with it; what the remote command ends with is never it.
AWAY = 255
CONNECT_SECONDS = 3
LOOK_SECONDS, LOG_SECONDS, DO_SECONDS = 15.0, 25.0, 45.0


class Ranks:
    """One for each host. `look`, `log`, `start` and `stop` give an answer or an error in time, and never raise."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self.settings, self.say = settings, say
        self.hosts = {host.host: host for host in settings.hosts}
        self.head = settings.hosts[0].host
        self.last_rail: dict[str, int] = {}

    def look(self, name: str) -> HostSeen:
        """What is seen of a host; without an answer, that it can't be reached."""
        done = self.ask(name, "look", LOOK_SECONDS)
        try:
            seen = from_json(HostSeen, _read(done), "look")
        except ShapeError as error:
            return HostSeen(host=name, reachable=False, error=str(error))
        return replace(seen, host=name, missing=missing(self.hosts[name].rails, seen.addresses))

    def log(self, name: str) -> Log:
        """What a host's log says; empty where it can't be read."""
        try:
            return from_json(Log, _read(self.ask(name, "log", LOG_SECONDS)), "log")
        except ShapeError:
            return Log()

    def do(self, name: str, verb: str) -> None:
        """Start or stop a rank."""
        done = self.ask(name, verb, DO_SECONDS)
        if done.code != 0:
            self.say(f"<4>{verb} on {name}: {_error(done)}")

    def ask(self, name: str, verb: str, seconds: float) -> Done:
        """One verb of one host."""
        if name == self.head:
            options = ["--boot-id", self.settings.boot_id_path]
            return run([sys.executable, "-I", PROGRAM, "rank", *options, verb], seconds)
        return self._over_rails(self.hosts[name], verb, seconds)

    def _over_rails(self, host: Host, verb: str, seconds: float) -> Done:
        """By the rail that answered last, then by the others."""
        first = self.last_rail.get(host.host, 0)
        done = Done(None, "", f"{host.host} has no rail")
        for index in sorted(range(len(host.rails)), key=lambda index: (index != first, index)):
            done = run([*self.argv(host.rails[index].address), verb], seconds)
            if done.code not in (None, AWAY):
                self.last_rail[host.host] = index
                return done
        return replace(done, code=None)

    def argv(self, address: str) -> list[str]:
        """ssh up to the verb. Of an option that is given twice, ssh takes the first."""
        given, mine = self.settings.ssh, {
            "ConnectTimeout": CONNECT_SECONDS,
            "ServerAliveInterval": 5,
            "ServerAliveCountMax": 2,
            "ControlMaster": "auto",
            "ControlPath": f"{self.settings.runtime}/serve-%C",
            "ControlPersist": 60,
            "Port": self.settings.ssh_port,
        }  # fmt: skip
        program, *rest = ssh_argv(address, given.user or "root", given.key, given.known_hosts)
        options = [part for name, value in mine.items() for part in ("-o", f"{name}={value}")]
        return [program, "-T", *options, *rest]


def _read(done: Done) -> Any:
    """The JSON of an answer. Raises ShapeError where there is none."""
    if done.code != 0:
        raise ShapeError(_error(done))
    try:
        return json.loads(done.out)
    except ValueError as error:
        raise ShapeError(f"the answer is no JSON: {done.out[:80]!r}") from error


def _error(done: Done) -> str:
    """Why there is no answer, in the words of the rank's program where it has some."""
    try:
        told = json.loads(done.out)
        return str(told.get("error") or done.words)
    except (ValueError, AttributeError):
        return done.words
