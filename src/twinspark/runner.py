"""The only user of ansible-runner: one call runs playbooks of twinspark and hands over their events."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from . import descendants
from .events import Event, read
from .paths import new_run_dir, prepare_site
from .precheck import UsageError

# What Ansible, ssh and the owner's vault need; everything else stays out, since ansible-runner writes it to disk.
PASSED = frozenset(
    {
        "ANSIBLE_VAULT_IDENTITY_LIST",
        "ANSIBLE_VAULT_PASSWORD_FILE",
        "HOME",
        "LANG",
        "LANGUAGE",
        "LOGNAME",
        "SSH_AUTH_SOCK",
        "TERM",
        "TMPDIR",
        "TWINSPARK_STATE_DIR",
        "TZ",
        "USER",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_STATE_HOME",
    }
)
GRACE = 10.0  # seconds that Ansible gets to stop by itself after Ctrl-C
POLL = 0.3  # seconds between looks at the child, and so the delay of a Ctrl-C


@dataclass(frozen=True)
class Order:
    """What to run: playbooks in order, on an inventory. `content` has ansible.cfg and the plugins, `workdir` is where
    Ansible runs. `extra` are extra variables, never secrets.
    """

    content: Path
    workdir: Path
    inventory: Path
    playbooks: tuple[Path, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)
    check: bool = False
    diff: bool = False
    verbosity: int = 0
    become_password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Outcome:
    """What came of it: Ansible's exit code, whether it was interrupted, and where its records are."""

    rc: int
    interrupted: bool
    run_dir: Path


def run(order: Order, take: Callable[[Event], None]) -> Outcome:
    """Run the order; `take` gets every event as it comes. One run at a time for each inventory."""
    from ansible_runner.interface import init_runner

    site = prepare_site(order.inventory)
    with (
        locked(site / "lock"),
        signals() as stop,
        connections() as sockets,
        handed_over(order.become_password) as become,
    ):
        run_dir = new_run_dir(site)
        variables = run_dir / "extravars.json"
        variables.write_text(json.dumps({**order.extra, "twinspark_controller_dir": str(site)}))
        runner = init_runner(
            private_data_dir=str(run_dir),
            project_dir=str(order.workdir),
            inventory=[],  # it is in the command line, since all playbooks must stand together there
            playbook=str(order.playbooks[-1]),
            cmdline=command_line(order, variables, become),
            ident="run",
            quiet=True,
            suppress_env_files=True,
            fact_cache_type="memory",
            envvars={"ANSIBLE_HOST_KEY_CHECKING": "True"},
            event_handler=stop.watching(take),
            cancel_callback=stop.due,
        )
        runner.config.env = environment(runner.config.env, order.content)
        runner.config.env["ANSIBLE_SSH_CONTROL_PATH_DIR"] = str(sockets)
        run_id = runner.config.env[descendants.MARK] = uuid.uuid4().hex
        runner.config.pexpect_timeout = POLL
        try:
            _, rc = runner.run()
        finally:
            if stop.asked.is_set() or stop.broken or sys.exc_info()[0]:
                descendants.end(run_id, stop.grace_left())
        if stop.broken:
            raise stop.broken
        return Outcome(rc=int(rc if rc is not None else 1), interrupted=stop.asked.is_set(), run_dir=run_dir)


def command_line(order: Order, variables: Path, become: Sequence[str]) -> str:
    """Everything of the command but the last playbook, which ansible-runner adds."""
    words = ["-i", str(order.inventory), "--extra-vars", f"@{variables}", *become]
    words += ["--check"] * order.check + ["--diff"] * order.diff + ["-v"] * order.verbosity
    return shlex.join([*words, *(str(playbook) for playbook in order.playbooks[:-1])])


def environment(prepared: Mapping[str, str], content: Path) -> dict[str, str]:
    """A clean environment: what is needed to run, ansible-runner's own hooks, and this project's configuration."""
    hooks = {
        name: value
        for name, value in prepared.items()
        if name.startswith(("AWX_", "RUNNER_")) or name in {"ANSIBLE_STDOUT_CALLBACK", "ANSIBLE_RETRY_FILES_ENABLED"}
    }
    kept = {name: value for name, value in os.environ.items() if name in PASSED or name.startswith("LC_")}
    return {
        **kept,
        **hooks,
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        "ANSIBLE_CONFIG": str(content / "ansible.cfg"),
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_CALLBACK_PLUGINS": f"{content / 'callback_plugins'}:{prepared['ANSIBLE_CALLBACK_PLUGINS']}",
        "ANSIBLE_NOCOLOR": "1",
        "PYTHONUTF8": "1",
    }


class Stop:
    """Ctrl-C, SIGTERM and a closed terminal: Ansible is asked to stop, and made to when it doesn't in time."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.broken: Exception | None = None
        self.hard = False
        self.pid: int | None = None
        self.since = 0.0

    def ask(self, number: int, frame: FrameType | None) -> None:
        """The signal handler; a second signal stops at once."""
        if self.asked.is_set():
            self.hard = True
            return
        self.asked.set()
        self.since = time.monotonic()
        if self.pid:
            with contextless():
                os.kill(self.pid, signal.SIGINT)

    def due(self) -> bool:
        """Whether ansible-runner shall kill what still runs."""
        if self.broken:
            return True
        return self.asked.is_set() and (self.grace_left() <= 0 or self.pid is None)

    def grace_left(self) -> float:
        """Seconds until what still runs is killed."""
        return 0.0 if self.hard or self.broken else self.since + GRACE - time.monotonic()

    def watching(self, take: Callable[[Event], None]) -> Callable[[dict[str, Any]], bool]:
        """An event handler that never raises into ansible-runner and always keeps the event."""

        def handler(raw: dict[str, Any]) -> bool:
            event = read(raw)
            self.pid = event.pid or self.pid
            if self.broken is None:
                try:
                    take(event)
                except Exception as error:  # handed on by run() after the child is gone
                    self.broken = error
            return True

        return handler


@contextmanager
def connections() -> Iterator[Path]:
    """A folder for ssh's control sockets, for this run alone: a connection kept from the last run would hide a host key
    that has changed since. They are closed at the end.
    """
    with tempfile.TemporaryDirectory(prefix="ts-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
        for control in Path(folder).iterdir():
            argv = ["ssh", "-F", "none", "-o", f"ControlPath={control}", "-O", "exit", "all"]
            subprocess.run(argv, capture_output=True, check=False, timeout=10)


@contextmanager
def handed_over(password: str) -> Iterator[list[str]]:
    """Options by which Ansible gets the password of sudo: from a pipe that is read once, so that the password is on no
    command line and in no environment, file or record. ansible-runner's own way, to type it whenever a prompt shows,
    would type it at any line of a host that looks like one, where it is echoed.
    """
    if not password:
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="ts-") as folder:
        pipe = Path(folder) / "become"
        os.mkfifo(pipe, 0o600)
        writer = threading.Thread(target=pipe.write_text, args=(password,), daemon=True)
        writer.start()
        try:
            yield ["--become-password-file", str(pipe)]
        finally:
            reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # frees the writer where Ansible ended before it asked
            writer.join()
            os.close(reader)


@contextmanager
def contextless() -> Iterator[None]:
    """The process may be gone already."""
    try:
        yield
    except ProcessLookupError:
        return


@contextmanager
def signals() -> Iterator[Stop]:
    """Stop on SIGINT, SIGTERM and SIGHUP while inside; the former handlers come back after."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    former = {number: signal.signal(number, stop.ask) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One run at a time for an inventory; the kernel drops the lock with the process."""
    with path.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            owner = handle.read().strip() or "?"
            raise UsageError(
                f"another twinspark is working on this inventory (process {owner}): wait for it, or stop it with Ctrl-C"
            ) from None
        handle.truncate(0)
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        yield
