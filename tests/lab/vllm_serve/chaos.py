"""A seeded random row of faults against the served pair of a lab, for an hour: `make chaos`.

    python -m tests.lab.vllm_serve.chaos [--seed N] [--minutes N]

After each fault the pair is served again by itself, or given up in words, and was never started more often than the
supervisor may. The same seed gives the same row, as far as the times of the machine allow.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable

from tests.lab.vllm_serve.pairlab import HEAD, UNIT, WORKER, Pair

TITLES = (
    (HEAD, "VLLM::EngineCore"),
    (HEAD, "VLLM::Worker_TP0"),
    (WORKER, "VLLM::Worker_TP1"),
)
ENDED = ("serving", "busy", "given_up")
# Seconds for all the starts that the supervisor may try after one fault.
LONGEST = 1800.0


class Row:
    """The faults, by name. Each does its harm, waits as long as it lasts, and leaves nothing of itself behind."""

    def __init__(self, pair: Pair, dice: random.Random) -> None:
        self.pair, self.dice = pair, dice
        self.faults: dict[str, Callable[[], None]] = {
            "a process is killed": lambda: self.signal("KILL"),
            "a process is frozen for good": lambda: self.signal("STOP"),
            "a process is frozen for a while": self.freeze,
            "a container is killed": lambda: self.on_one("docker kill twinspark-vllm"),
            "a rank is stopped by somebody": lambda: self.on_one(f"systemctl stop {UNIT}"),
            "Docker is stopped and started": self.docker,
            "the supervisor is killed": lambda: pair.run(HEAD, "systemctl kill --signal=KILL twinspark-serve") and None,
            "a host reboots": lambda: pair.reboot(dice.choice((HEAD, WORKER))),
            "both hosts reboot": lambda: pair.reboot(HEAD, WORKER),
            "the worker's host hangs for a while": self.hang,
            "a rail is cut for a while": self.cut,
            "the endpoint is asked for much": lambda: pair.asking(dice.randint(50, 400)) and None,
        }

    def on_one(self, command: str) -> None:
        self.pair.run(self.dice.choice((HEAD, WORKER)), command)

    def signal(self, name: str) -> None:
        host, title = self.dice.choice(TITLES)
        self.pair.signal(host, title, name)

    def freeze(self) -> None:
        host, title = self.dice.choice(TITLES)
        self.pair.signal(host, title, "STOP")
        time.sleep(self.dice.uniform(2, 40))
        self.pair.run(host, f"ps -e -o pid=,args= | awk '$2 == \"{title}\" {{print $1}}' | xargs -r kill -CONT")

    def docker(self) -> None:
        host = self.dice.choice((HEAD, WORKER))
        self.pair.run(host, "systemctl stop docker.socket docker.service")
        time.sleep(self.dice.uniform(1, 60))
        self.pair.run(host, "systemctl start docker.service")

    def hang(self) -> None:
        with self.pair.hanging(WORKER):
            time.sleep(self.dice.uniform(5, 180))

    def cut(self) -> None:
        with self.pair.cut(self.dice.choice((0, 1))):
            time.sleep(self.dice.uniform(5, 120))


class Starts(threading.Thread):
    """Counts the starts of the head's rank, by systemd's own ID of each."""

    def __init__(self, pair: Pair) -> None:
        super().__init__(daemon=True)
        self.pair = pair
        self.seen: set[str] = set()
        self.start()

    def run(self) -> None:
        while True:
            with contextlib.suppress(AssertionError, OSError):  # while the head reboots
                self.seen.add(self.pair.started(HEAD))
            time.sleep(2)

    def count(self) -> int:
        return len(self.seen - {""})


def patient(pair: Pair) -> dict:
    """The state at the end of a fault; a head that reboots is asked again."""
    end = time.monotonic() + LONGEST
    while True:
        try:
            state = pair.until(*ENDED, seconds=end - time.monotonic())
            # One that serves by its state, and by a token as well: else the fault is not seen yet.
            if state["kind"] == "given_up" or pair.ask(4) == "4":
                return state
        except (ValueError, AssertionError) as error:
            if time.monotonic() > end:
                raise
            print(f"    {str(error)[:160]}", flush=True)
        time.sleep(2)


class Broken(AssertionError):
    """The supervisor did what it promises not to do, or not what it promises."""


class Chaos:
    """Fault after fault, each judged by its end."""

    def __init__(self, pair: Pair, dice: random.Random) -> None:
        self.pair, self.row = pair, Row(pair, dice)
        self.allowed = pair.settings()["limits"]["restarts"]
        pair.until("serving", "busy")
        pair.forgive()
        pair.until("serving", "busy")
        self.starts, self.began = Starts(pair), time.monotonic()
        self.times: list[float] = []
        self.given_up = 0
        self.anew()

    def anew(self) -> None:
        """Count from here."""
        time.sleep(5)
        self.base, self.reboots = self.starts.count(), 0

    def one(self) -> None:
        """One fault to its end. Raises Broken."""
        name = self.row.dice.choice(sorted(self.row.faults))
        at = time.monotonic()
        print(f"{at - self.began:6.0f} s  {name}", flush=True)
        self.row.faults[name]()
        self.reboots += name in {"a host reboots", "both hosts reboot"}
        time.sleep(self.row.dice.uniform(8, 20))
        state = patient(self.pair)
        self.times.append(time.monotonic() - at)
        more = self.starts.count() - self.base
        print(
            f"{'':10}{state['kind']} after {self.times[-1]:.0f} s; restarts {state['restarts']}, starts {more}",
            flush=True,
        )
        if state["restarts"] > self.allowed or more > self.allowed + self.reboots:
            raise Broken(
                f"{more} starts, {state['restarts']} counted; allowed: {self.allowed} and {self.reboots} by reboots"
            )
        if state["kind"] == "given_up":
            self.revive(state)

    def revive(self, state: dict) -> None:
        """An apply after the pair was given up. Raises Broken."""
        self.given_up += 1
        print(f"{'':10}{state['why']}", flush=True)
        if not state["why"].startswith(f"{self.allowed} restarts since") or self.pair.ask(4) == "4":
            raise Broken("it was given up without need")
        done = self.pair.twinspark("apply", "--stage", "serve")
        if done.returncode != 0:
            raise Broken(f"the apply after it: {done.stdout}{done.stderr}")
        self.anew()


def main() -> int:
    """0: every fault ended as promised."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--minutes", type=float, default=60)
    given = parser.parse_args()
    chaos = Chaos(Pair(), random.Random(given.seed))  # noqa: S311 - a row that can be played again
    print(f"seed {given.seed}, {given.minutes:g} minutes, {chaos.allowed} restarts allowed", flush=True)
    while time.monotonic() - chaos.began < given.minutes * 60:
        try:
            chaos.one()
        except AssertionError as error:
            print(f"FAILED: {error}")
            return 1
    print(f"{len(chaos.times)} faults, given up {chaos.given_up} times", flush=True)
    print(f"to the end: median {statistics.median(chaos.times):.0f} s, longest {max(chaos.times):.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
