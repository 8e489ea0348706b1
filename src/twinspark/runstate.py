"""What a run has come to, made of its events: pure, so that every display and the exit code agree."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible.module_utils.twinspark.inventory.explain import Explained, Failure, explain
from ansible.module_utils.twinspark.proof.numbers import duration, plain, scale

from .events import Event, Progress
from .exitcodes import OF_KIND, Exit

NO_HOST = "No host is in the inventory group 'sparks': name at least one under sparks.hosts, with its ansible_host."
PROGRESS_EVERY = 20.0  # seconds between two plain lines on the same job
FIGURE = re.compile(r"\d+(\.\d+)?")
QUIET = 60.0  # seconds without a line after which the task at work is named


@dataclass(frozen=True)
class Line:
    """One thing worth a line. `mark` is changed, failed, begin, end, say, diff, warn, job, phase or wait."""

    mark: str
    text: str
    short: str = ""  # for a display that has the whole text elsewhere


@dataclass
class StageState:
    """waiting, running, done or failed; times in seconds of the clock given."""

    state: str = "waiting"
    began: float = 0.0
    ended: float = 0.0
    changed: int = 0


@dataclass
class RunState:
    """Takes events, gives lines. `stage_of` tells the stage of a play by its name."""

    stages: dict[str, StageState]
    stage_of: Mapping[str, str]
    clock: Callable[[], float] = time.monotonic
    stage: str = ""
    task: str = ""
    task_began: float = 0.0
    last_line: float = 0.0
    hosts: set[str] = field(default_factory=set)
    jobs: dict[str, tuple[str, Progress]] = field(default_factory=dict)
    phases: dict[str, str] = field(default_factory=dict)  # what the supervisor says, while something waits for the pair
    failures: list[tuple[str, Explained]] = field(default_factory=list)
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    no_hosts: bool = False
    login_of: Callable[[str], tuple[str, str]] = lambda host: ("", "")  # user and port by the inventory
    lost: bool = False  # a host could not be reached: Ansible goes on through plays that have no host left
    said: dict[str, float] = field(default_factory=dict)
    warned: set[str] = field(default_factory=set)  # each play verifies the inventory, and warns of the same

    def take(self, event: Event) -> list[Line]:
        """What an event changes, and the lines that it is worth."""
        method = getattr(self, f"on_{event.kind}", None)
        lines: list[Line] = method(event) if method else []
        if lines:
            self.last_line = self.clock()
        return lines

    def still(self) -> list[Line]:
        """The task at work, when it has run for long and nothing was told meanwhile: a log shall not look dead."""
        now = self.clock()
        if not self.task or now - max(self.task_began, self.last_line) < QUIET:
            return []
        self.last_line = now
        return [Line("wait", f"still at: {self.task} ({now - self.task_began:.0f} s)")]

    def on_playbook_on_play_start(self, event: Event) -> list[Line]:
        if self.lost:
            return self.close("failed")
        stage = self.stage_of.get(event.play, "")
        if stage == self.stage:
            return []
        lines = self.close("done")
        self.stage = stage
        if stage:
            self.stages.setdefault(stage, StageState()).state = "running"
            self.stages[stage].began = self.clock()
            lines.append(Line("begin", stage))
        return lines

    def on_playbook_on_task_start(self, event: Event) -> list[Line]:
        self.task = event.task
        self.task_began = self.clock()
        self.hosts = set()
        return []

    def on_playbook_on_no_hosts_matched(self, event: Event) -> list[Line]:
        self.no_hosts = True
        return []

    def on_runner_on_start(self, event: Event) -> list[Line]:
        self.hosts.add(event.host)
        return []

    def on_runner_on_ok(self, event: Event) -> list[Line]:
        phase = self.phase(event) if event.host in self.phases else []
        self.finished(event)
        told = [text for text in texts(event.result.get("warnings")) if text not in self.warned]
        self.warned.update(told)
        lines = [Line("warn", f"{event.host}: {text}") for text in told]
        if event.action == "ansible.builtin.debug" and event.result.get("msg") is not None:
            message = event.result["msg"]
            said = message if isinstance(message, list) else [message]
            lines += [Line("say", f"{event.host}: {text}") for text in said]
        return phase + lines + self.noted(event)

    def on_runner_on_skipped(self, event: Event) -> list[Line]:
        self.finished(event)
        return []

    def on_runner_on_failed(self, event: Event) -> list[Line]:
        self.finished(event)
        return self.noted(event) if event.ignored else self.failed(event, unreachable=False)

    def on_runner_on_unreachable(self, event: Event) -> list[Line]:
        self.finished(event)
        self.lost = bool(self.stage)
        return self.failed(event, unreachable=True)

    def on_runner_retry(self, event: Event) -> list[Line]:
        if event.progress is None:
            return self.phase(event)
        self.jobs[event.host] = (event.task, event.progress)
        now = self.clock()
        if now - self.said.get(event.host, -PROGRESS_EVERY) < PROGRESS_EVERY:
            return []
        self.said[event.host] = now
        return [Line("job", f"{event.host}: {event.task}: {describe(event.progress)}")]

    def phase(self, event: Event) -> list[Line]:
        """What the supervisor says; a line where it says something else, of which figures that count on are none."""
        before, said = self.phases.get(event.host, ""), event.sentence
        if not said:
            return []
        self.phases[event.host] = said
        same = FIGURE.sub("", said) == FIGURE.sub("", before)
        return [] if same else [Line("phase", f"{event.host}: {said}")]

    def on_runner_on_file_diff(self, event: Event) -> list[Line]:
        return [Line("diff", event.stdout.strip("\r\n"))] if event.stdout.strip() else []

    def on_playbook_on_stats(self, event: Event) -> list[Line]:
        self.counts = event.counts
        self.task = ""
        return self.close("failed" if event.counts.get("failures") or event.counts.get("dark") else "done")

    def on_error(self, event: Event) -> list[Line]:
        self.complaints.append(event.stdout.strip())
        return []

    on_verbose = on_warning = on_error

    def noted(self, event: Event) -> list[Line]:
        """Count and tell a change, as Ansible counts them: of what failed, only where the failure is ignored."""
        if not event.changed:
            return []
        if self.stage:
            self.stages[self.stage].changed += 1
        return [Line("changed", f"{event.host}: {event.task}")]

    def finished(self, event: Event) -> None:
        """A host is through with the task."""
        self.hosts.discard(event.host)
        self.jobs.pop(event.host, None)
        self.phases.pop(event.host, None)
        self.said.pop(event.host, None)

    def failed(self, event: Event, unreachable: bool) -> list[Line]:
        """Remember the sentence; the same one from two hosts is one line."""
        user, port = self.login_of(event.host) if unreachable else ("", "")
        said = explain(
            Failure(
                host=event.host,
                result=event.result,
                task=event.task,
                action=event.action,
                address=event.address,
                unreachable=unreachable,
                user=user,
                port=port,
            )
        )
        known = any(said.sentence == other.sentence for _, other in self.failures)
        self.failures.append((event.task_id, said))
        return [] if known else [Line("failed", said.sentence, short=f"{event.host}: {event.task}")]

    def close(self, state: str) -> list[Line]:
        """The stage that was running is over."""
        current = self.stages.get(self.stage)
        if not current or current.state != "running":
            return []
        current.state, current.ended = state, self.clock()
        seconds = current.ended - current.began
        return [Line("end", f"{self.stage} {state} in {duration(seconds)}, changed={current.changed}")]

    @property
    def changed(self) -> int:
        """Tasks that changed something, over all hosts."""
        return sum(self.counts.get("changed", {}).values())

    def final(self) -> list[Explained]:
        """What stopped the run: the failures of the last task that failed; earlier ones were rescued."""
        last = self.failures[-1][0] if self.failures else ""
        unique: dict[str, Explained] = {said.sentence: said for task, said in self.failures if task == last}
        return list(unique.values())

    def exit(self, rc: int, interrupted: bool) -> Exit:
        """The exit code; of several failures the one to be fixed first."""
        if interrupted:
            return Exit.INTERRUPTED
        if self.no_hosts and not any(self.counts.values()):
            return Exit.USAGE
        if rc == 0:
            return Exit.OK
        codes = {OF_KIND[said.kind] for said in self.final()}
        order = (Exit.USAGE, Exit.UNREACHABLE, Exit.REFUSED, Exit.FAILED)
        return next((code for code in order if code in codes), Exit.INTERNAL)


def texts(value: object) -> Sequence[str]:
    """Warnings of a result as texts, but for one that tells nothing to an owner: Ansible made its own folder."""
    found = [str(item) for item in value] if isinstance(value, list) else []
    return [text for text in found if not text.startswith("Module remote_tmp ")]


def describe(progress: Progress) -> str:
    """`12.3 of 149 GiB, 8%, 0.4 GiB/s, 5 min 02 s left`, as far as it is known."""
    size, unit = scale(progress.total or progress.done, progress.unit)
    done = plain(progress.done / size)
    parts = [f"{done} of {plain(progress.total / size)} {unit}" if progress.total else f"{done} {unit}"]
    if progress.total:
        parts.append(f"{min(progress.done / progress.total, 1.0):.0%}")
    if progress.rate:
        parts.append(f"{plain(progress.rate / size)} {unit}/s")
        if progress.total and progress.total > progress.done:
            parts.append(f"{duration((progress.total - progress.done) / progress.rate)} left")
    return ", ".join(part.strip() for part in parts)
