"""Shows a run: a live table on a terminal, one line a happening elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from ansible.module_utils.twinspark.proof.numbers import duration
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from .events import Event
from .runstate import Line, RunState, describe

STYLES = {
    "changed": "yellow",
    "failed": "bold red",
    "begin": "bold cyan",
    "end": "cyan",
    "warn": "magenta",
    "job": "dim",
    "phase": "cyan",
}
LOOK = 1.0  # seconds between looks at how long a task has run
ICONS = {"waiting": ("·", "dim"), "done": ("✔", "green"), "failed": ("✘", "bold red")}


class Display(Protocol):
    """What `apply` needs of a display."""

    def showing(self) -> AbstractContextManager[object]: ...

    def take(self, event: Event) -> None: ...


def display(state: RunState, console: Console) -> Display:
    """The one that suits where the output goes."""
    return Shown(state, console) if console.is_terminal else Plain(state, console)


class Plain:
    """For logs and pipes: time, mark, text."""

    def __init__(self, state: RunState, console: Console) -> None:
        self.state, self.console = state, console
        self.lock = threading.Lock()  # events come from the thread that runs Ansible

    @contextmanager
    def showing(self) -> Iterator[object]:
        """Events alone would say nothing during a long task, so a second thread looks at the clock."""
        over = threading.Event()
        watch = threading.Thread(target=self.watch, args=(over,), daemon=True)
        watch.start()
        try:
            yield self
        finally:
            over.set()
            watch.join()

    def watch(self, over: threading.Event) -> None:
        while not over.wait(LOOK):
            with self.lock:
                self.print(self.state.still())

    def take(self, event: Event) -> None:
        with self.lock:
            self.print(self.state.take(event))

    def print(self, lines: Iterable[Line]) -> None:
        for line in lines:
            told = line.short or line.text  # the whole of a failure is told at the end, once
            text = told if line.mark == "diff" else f"{time.strftime('%H:%M:%S')} {line.mark:<7} {told}"
            self.console.out(text, highlight=False)


class Shown:
    """For a person: what happened scrolls by above, how far everything is stays below."""

    def __init__(self, state: RunState, console: Console) -> None:
        self.state, self.console = state, console
        self.spinner = Spinner("dots", style="cyan")

    def showing(self) -> AbstractContextManager[object]:
        return Live(get_renderable=self.render, console=self.console, refresh_per_second=4, transient=True)

    def take(self, event: Event) -> None:
        for line in self.state.take(event):
            if line.mark != "job":  # the bars show it
                self.console.print(styled(line), soft_wrap=True)

    def render(self) -> RenderableType:
        """Stages, the task at work, and a bar for each job that reports numbers."""
        parts: list[RenderableType] = [self.table()]
        if self.state.task:
            hosts = ", ".join(sorted(self.state.hosts.copy()))
            parts.append(Text.assemble(("  ", ""), self.state.task, (f"  [{hosts}]" if hosts else "", "dim")))
        for host, said in sorted(self.state.phases.copy().items()):
            parts.append(Text.assemble((f"  {host}: ", "dim"), said))
        for host, (_, progress) in sorted(self.state.jobs.copy().items()):
            row = Table.grid(padding=(0, 1))
            bar = ProgressBar(total=progress.total or 1, completed=progress.done if progress.total else 0, width=30)
            row.add_row(f"  {host}", bar, describe(progress))
            parts.append(row)
        return Group(*parts)

    def table(self) -> Table:
        """One row a stage."""
        grid = Table.grid(padding=(0, 2))
        for name, stage in list(self.state.stages.items()):  # another thread draws
            if stage.state == "running":
                elapsed = duration(self.state.clock() - stage.began)
                grid.add_row(self.spinner, Text(name, style="bold"), elapsed, changes(stage.changed))
            else:
                icon, style = ICONS[stage.state]
                took = duration(stage.ended - stage.began) if stage.state != "waiting" else ""
                grid.add_row(Text(icon, style=style), Text(name, style=style), took, changes(stage.changed))
        return grid


def changes(count: int) -> Text:
    """How many tasks changed something."""
    return Text(f"{count} changed" if count else "", style="yellow")


def styled(line: Line) -> Text:
    """A line for a terminal; diffs in their usual colours."""
    if line.mark == "diff":
        text = Text()
        for part in line.text.splitlines(keepends=True):
            text.append(part, {"+": "green", "-": "red", "@": "cyan"}.get(part[:1], ""))
        return text
    return Text.assemble((f"{line.mark:<8}", STYLES.get(line.mark, "")), line.short or line.text)


def recap(state: RunState, console: Console) -> None:
    """One line a host as Ansible counts, and the sum of changes."""
    hosts = sorted({host for counts in state.counts.values() for host in counts})
    for host in hosts:
        numbers = {
            shown: state.counts.get(name, {}).get(host, 0)
            for name, shown in (("ok", "ok"), ("changed", "changed"), ("failures", "failed"), ("dark", "unreachable"))
        }
        counted = "  ".join(f"{name}={number}" for name, number in numbers.items())
        console.out(f"{host:<16} {counted}", highlight=False)
    if hosts:
        console.out(f"in all: changed={state.changed}", highlight=False)
