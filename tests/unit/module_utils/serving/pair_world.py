"""A made-up pair for the supervisor: hosts, ranks and an engine that tests start, freeze, kill and cut off."""

from dataclasses import dataclass, field, replace

from ansible.module_utils.twinspark.serving import pair
from ansible.module_utils.twinspark.serving.rank import Memory

GIB = 1 << 30
TOTAL = 120 * GIB


@dataclass
class Host:
    """One host: its rank's unit and what hangs on it."""

    name: str
    boot: int = 1
    reachable: bool = True
    docker: bool = True
    active: str = "inactive"
    result: str = "success"
    code: str = "0"
    invocation: str = ""
    container: str = ""
    pids: tuple[int, ...] = ()
    stopped: bool = False
    begins: float = 0
    leftovers: int = 0
    others: int = 6 * GIB
    missing: tuple[str, ...] = ()
    power: float | None = 60.0
    log: pair.Log | None = None

    def end(self, code: str = "0", active: str = "inactive") -> None:
        """The rank ends; shared memory is left behind."""
        if self.active == "active":
            self.active, self.code, self.container, self.pids, self.leftovers = active, code, "", (), 1

    def seen(self, log: bool) -> pair.HostSeen:
        """As a look at it shows."""
        if not self.reachable:
            return pair.HostSeen(host=self.name, reachable=False, error="no answer")
        taken = 90 * GIB if self.active == "active" else 0
        return pair.HostSeen(
            host=self.name,
            boot_id=f"{self.name}-{self.boot}",
            unit={
                "LoadState": "loaded",
                "ActiveState": self.active,
                "SubState": "running" if self.active == "active" else "dead",
                "Result": self.result,
                "ExecMainStatus": self.code,
                "InvocationID": self.invocation,
            },
            container=self.container if self.docker else None,
            docker=self.docker,
            processes=tuple(
                pair.Process(pid, f"VLLM::Worker_TP{pid % 2}", "T" if self.stopped else "S") for pid in self.pids
            ),
            memory=Memory(TOTAL, max(TOTAL - taken - self.others, 0)),
            missing=self.missing,
            leftovers=self.leftovers if self.active != "active" else 0,
            power=self.power,
            log=(self.log or pair.Log("loading weights")) if log else None,
        )


@dataclass
class World:
    """All of it. `loading`: seconds until the engine that was started answers. requests: that somebody has sent."""

    hosts: list[Host]
    load_seconds: float = 120
    loading: float = 0
    wedged: bool = False
    silent: bool = False  # while it is wedged, it says that nothing runs
    doomed: int = 0
    requests: int = 0
    work: float = 0
    asking: int = 0
    answer: pair.Answer | None = None
    wish: pair.Wish | None = None
    now: float = 1_000_000.0
    serial: int = 0
    tokens: float = 0
    logs: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, *names: str) -> "World":
        """With hosts of these names, all well."""
        return cls([Host(name) for name in names])

    def host(self, name: str) -> Host:
        """By its name."""
        return next(host for host in self.hosts if host.name == name)

    @property
    def all_run(self) -> bool:
        """Whether every rank's processes are there."""
        return all(host.active == "active" and host.container and host.pids for host in self.hosts)

    @property
    def generates(self) -> bool:
        """Whether the engine would make a token now."""
        frozen = self.wedged or any(host.stopped for host in self.hosts)
        return self.all_run and self.loading <= 0 and not frozen

    def number(self) -> int:
        """One that was never given before."""
        self.serial += 1
        return self.serial

    def do(self, action: pair.Action) -> None:
        """As a hand would."""
        if action.verb == "ask":
            self.asking = action.number
            return
        host = self.host(action.host)
        if not host.reachable:
            return
        if action.verb == "log":
            self.logs.add(action.host)
        elif action.verb == "stop":
            host.begins = 0
            if host.active == "active":
                host.end()
            else:
                host.active, host.leftovers, host.container, host.stopped = "inactive", 0, "", False
            self.wedged = False
        elif host.docker and host.active == "active":
            host.end()
            self.begin(host)
        elif host.docker:
            host.begins = 4

    def begin(self, host: Host) -> None:
        """The rank's process is there, some seconds after it was started."""
        host.active, host.invocation, host.begins, host.leftovers = "active", f"i{self.number()}", 0, 0
        host.container, host.pids = f"c{self.number()}", (self.number(),)
        self.loading, self.wedged = self.load_seconds, False

    def run(self, seconds: float) -> None:
        """Let time go by. A doomed engine dies while it loads; one without all its ranks makes no token."""
        self.now += seconds
        for host in self.hosts:
            if host.begins > 0:
                host.begins -= seconds
                if host.begins <= 0:
                    self.begin(host)
        if self.all_run and self.loading > 0:
            if self.doomed:
                self.doomed -= 1
                self.hosts[-1].end("1", "failed")
            else:
                self.loading -= seconds
        if self.generates and (self.requests or self.asking):
            self.work += 10 * seconds
            self.tokens += 10 * seconds
            if self.asking:
                self.answer, self.asking = pair.Answer(self.asking, 1), 0
        elif self.asking and not (self.hosts[0].active == "active" and self.loading <= 0):
            self.answer, self.asking = pair.Answer(self.asking, 0, "connection refused"), 0

    def look(self, passed: float) -> pair.Seen:
        """What a supervisor sees."""
        head = self.hosts[0]
        serves = head.active == "active" and self.loading <= 0
        logs, self.logs = self.logs, set()
        held = 0 if self.wedged and self.silent else self.requests + bool(self.asking)
        return pair.Seen(
            now=self.now,
            passed=passed,
            hosts=tuple(host.seen(host.name in logs) for host in self.hosts),
            counters=pair.Counters(self.work, held) if serves else None,
            asking=self.asking,
            answer=self.answer,
            wish=self.wish,
        )

    def want(self, verb: str, why: str = "") -> None:
        """A wish of the owner's."""
        self.wish = pair.Wish(f"w{self.number()}", verb, why)

    def boot(self, name: str) -> None:
        """A host goes down and comes back, without its rank."""
        host = self.host(name)
        host.end()
        host.begins = 0
        host.boot, host.active, host.leftovers, host.invocation = host.boot + 1, "inactive", 0, ""
        host.container, host.pids, host.stopped = "", (), False

    def heal(self) -> None:
        """Nothing is wrong any more, but what is gone stays gone."""
        for host in self.hosts:
            host.reachable, host.docker, host.others, host.missing, host.stopped = True, True, 6 * GIB, (), False
        self.wedged, self.doomed = False, 0


def again(state: pair.State) -> pair.State:
    """The state as another supervisor reads it from disk."""
    return pair.State.from_json(state.to_json())


def with_farewell(state: pair.State, world: World) -> pair.State:
    """The state as the head leaves it when it is shut down in order."""
    head = world.hosts[0]
    return replace(state, farewell=f"{head.name}-{head.boot}")
