#!/usr/bin/python
"""Ansible module: one end of perftest runs, under systemd."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_perftest
short_description: Run one end of perftest measurements as transient systemd units
description:
  - C(listening) starts a server for every run, each on a free port, and waits for its readiness line.
  - C(measured) runs the clients, group after group, those of one group at the same time. It pings each path first.
    A group that was refused its queue pairs is marked C(replaced); C(spare) runs of its test take its place.
  - C(absent) collects what the servers printed and leaves no unit behind. Run it in every outcome.
  - systemd itself ends every process after O(timeout) seconds, also when the controller is lost.
  - A measurement that fails is a result with a named cause; the module fails only when it can't work at all.
options:
  state: {description: Which part to play., type: str, required: true, choices: [listening, measured, absent]}
  runs:
    description: >-
      The runs of the plan: key, group, test, spare, server_device, client_device, source, address, options.
    type: list
    elements: dict
    default: []
  ports: {description: Range of ports for the servers., type: str, default: 18515-18642}
  timeout: {description: "Seconds until all servers must wait for clients, and that one client may take.", type: int,
            default: 30}
  lifetime: {description: Seconds after which systemd ends a server that nobody stopped., type: int, default: 600}
attributes:
  check_mode: {support: full}
author: twinspark
"""

EXAMPLES = r"""
- name: Start the servers
  twinspark_perftest:
    state: listening
    runs: "{{ plan.steps | map(attribute='runs') | flatten }}"
  register: servers
"""

RETURN = r"""
runs:
  description: "Every run with what became of it: port, unit, argv, state, rows (bit/s and microseconds), cause, text."
  returned: always
  type: list
  elements: dict
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Container, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.proof.json_form import ShapeError, from_json, to_json
from ansible.module_utils.twinspark.rdma import perftest_run
from ansible.module_utils.twinspark.rdma.causes import named
from ansible.module_utils.twinspark.rdma.ends import End, collected, finished, fits, groups, lost
from ansible.module_utils.twinspark.rdma.perftest import READY
from ansible.module_utils.twinspark.rdma.perftest_run import Ended, unit_argv

PINGS = 3  # at most, each with a second to answer
SETTLE_SECONDS = 0.2  # perftest says so before it binds its port
PROPERTIES = "Id,ActiveState,Result,ExecMainStatus"
ARGUMENTS: dict[str, Any] = {
    "state": {"type": "str", "required": True, "choices": ["listening", "measured", "absent"]},
    "runs": {"type": "list", "elements": "dict", "default": []},
    "ports": {"type": "str", "default": "18515-18642"},
    "timeout": {"type": "int", "default": 30},
    "lifetime": {"type": "int", "default": 600},
}


class Host:
    """systemd of this host, as far as it is needed here."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module

    def run(self, argv: list[str], *, check: bool = True) -> tuple[int, str, str]:
        code, out, err = self.module.run_command(argv)
        if code and check:
            self.module.fail_json(msg=f"{argv[0]} failed on this host ({err.strip() or out.strip()}).", argv=argv)
        return int(code), str(out), str(err)

    def start(self, unit: str, argv: list[str], seconds: int) -> str:
        """Start a unit; why it did not start, empty when it did."""
        code, _, err = self.run(unit_argv(unit, argv, seconds=seconds, wait=False), check=False)
        return err.strip() if code else ""

    def units(self) -> list[str]:
        argv = ["systemctl", "list-units", "--all", "--plain", "--no-legend", f"{perftest_run.PREFIX}-*"]
        return [line.split()[0] for line in self.run(argv)[1].splitlines() if line.strip()]

    def states(self, units: list[str]) -> dict[str, dict[str, str]]:
        return (
            perftest_run.states(self.run(["systemctl", "show", f"--property={PROPERTIES}", *units])[1]) if units else {}
        )

    def printed(self, units: list[str]) -> dict[str, str]:
        """What each unit printed so far."""
        if not units:
            return {}
        self.run(["journalctl", "--sync"], check=False)
        fields = ["--output=json", "--output-fields=_SYSTEMD_UNIT,MESSAGE"]
        argv = ["journalctl", "--quiet", "--no-pager", *fields, *(f"_SYSTEMD_UNIT={unit}" for unit in units)]
        lines = perftest_run.messages(self.run(argv, check=False)[1])
        return {unit: "\n".join(lines.get(unit, [])) + "\n" for unit in units}

    def rdma_cm_ports(self) -> set[int]:
        """The ports that rdma_cm listens on, which no socket shows: it has a port space of its own."""
        if not shutil.which("rdma"):
            return set()
        return perftest_run.listening_ports(self.run(["rdma", "resource", "show", "cm_id"], check=False)[1])

    def remove(self, units: list[str]) -> None:
        if units:
            self.run(["systemctl", "stop", *units], check=False)
            self.run(["systemctl", "reset-failed", *units], check=False)


def tool(end: End) -> str:
    """The test's program: its path, or its bare name where it is not installed."""
    name = f"ib_{end.test}"
    return shutil.which(name, path=perftest_run.PATH) or name


def free_ports(text: str, taken: Container[int]) -> Iterator[int]:
    """The ports of the range that nothing listens on, by TCP or, those in `taken`, by rdma_cm."""
    for port in perftest_run.ports(text):
        if port in taken:
            continue
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
            try:
                probe.bind(("0.0.0.0", port))  # noqa: S104 - perftest's server takes every address, so every one is probed
            except OSError:
                continue
        yield port


def listening(module: AnsibleModule, host: Host, runs: Sequence[End]) -> list[End]:
    """Start every server, and wait until each one waits for its client or has failed."""
    session = f"{time.time_ns():x}"
    if not module.check_mode:
        host.remove(host.units())  # of a controller that was lost before it could clean up
    available = free_ports(module.params["ports"], host.rdma_cm_ports())
    servers = [
        replace(run, side="server", unit=perftest_run.unit_name(run.key, "server", session), port=next(available, None))
        for run in runs
    ]
    return await_ready(host, [started(module, host, end) for end in servers], module.params["timeout"])


def started(module: AnsibleModule, host: Host, end: End) -> End:
    """Start one server on the port that it was given; without one it has failed."""
    if end.port is None:
        return replace(
            end, state="failed", cause=named("port_busy", f"every port of {module.params['ports']} is in use")
        )
    argv = perftest_run.server_argv(tool(end), end, end.port)
    end = replace(end, argv=tuple(argv), state="planned" if module.check_mode else "starting")
    error = "" if module.check_mode else host.start(end.unit or "", argv, module.params["lifetime"])
    return finished(replace(end, state="failed"), Ended(error, 1, "exit-code")) if error else end


def await_ready(host: Host, ends: Sequence[End], seconds: float) -> list[End]:
    """Follow the servers' output until none is left that might still become ready, for at most `seconds`."""
    deadline = time.monotonic() + seconds
    now = {end.unit or "": end for end in ends}
    while units := [unit for unit, end in now.items() if end.state == "starting"]:
        printed = host.printed(units)
        time.sleep(SETTLE_SECONDS)
        states = host.states(units)
        late = time.monotonic() > deadline
        for unit in units:
            state = states.get(unit, {})
            failed = replace(now[unit], state="failed")
            if state.get("ActiveState") in ("active", "activating"):
                if READY in printed[unit]:
                    now[unit] = replace(now[unit], state="listening")
                elif late:
                    now[unit] = finished(failed, Ended(printed[unit], None, "timeout"))
            else:
                text = host.printed([unit])[unit]
                code = int(state.get("ExecMainStatus") or 0)
                now[unit] = finished(failed, Ended(text, code, state.get("Result", "exit-code")))
    return list(now.values())


def measured(module: AnsibleModule, runs: Sequence[End]) -> list[End]:
    """Run the clients, group after group. What failed once for a reason of the path is not tried again."""
    session = f"{time.time_ns():x}"
    spares = groups(run for run in runs if run.spare)
    done: list[End] = []
    for planned in groups(run for run in runs if not run.spare):
        group = attempt(module, planned, session, done)
        while lost(group) and (spare := next((one for one in spares if fits(one, group)), None)):
            spares.remove(spare)
            done += [replace(end, replaced=True) for end in group]
            group = attempt(module, spare, session, done)
        done += group
    return done


def attempt(module: AnsibleModule, runs: Sequence[End], session: str, done: Sequence[End]) -> list[End]:
    """Run the clients of one group, but for those that are known, or shown by a ping, not to get through."""
    known = {(end.rail, end.test): end.cause for end in done if end.cause and not end.replaced}
    group = []
    for run in runs:
        cause = run.cause or known.get((run.rail, run.test))
        if not cause and not module.check_mode and not answers(module, run):
            cause = named("no_path", f"ping from {run.source} to {run.address}")
        argv = perftest_run.client_argv(tool(run), run, run.port or 0)
        unit = perftest_run.unit_name(run.key, "client", session)
        skipped = bool(cause) or module.check_mode
        group.append(
            replace(run, side="client", unit=unit, argv=tuple(argv), ok=False, rows=(), cause=cause, skipped=skipped)
        )
    came = {end.key: end for end in together(module, [end for end in group if not end.skipped])}
    return [came.get(end.key, end) for end in group]


def answers(module: AnsibleModule, run: End) -> bool:
    """Whether the peer answers a ping on this rail. That also warms the ARP entries, whose lack looks like loss."""
    argv = ["ping", "-c", "1", "-W", "1", "-I", run.source, run.address]
    return any(module.run_command(argv)[0] == 0 for _ in range(PINGS))


def together(module: AnsibleModule, group: Sequence[End]) -> list[End]:
    """Run these clients at the same time, and wait for all of them."""
    begun = time.monotonic()
    running = []
    for end in group:
        seconds = module.params["timeout"] + end.seconds
        argv = unit_argv(end.unit or "", end.argv or (), seconds=seconds, wait=True)
        running.append(
            (end, subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL))
        )
    done = []
    for end, process in running:
        out, err = (part.decode(errors="replace") for part in process.communicate())
        came = finished(end, perftest_run.ended(out, err, process.returncode))
        done.append(replace(came, took=round(time.monotonic() - begun, 2)))
    return done


def absent(module: AnsibleModule, host: Host, runs: Sequence[End]) -> tuple[list[End], bool]:
    """Collect the servers' output and remove every unit; whether there was one."""
    servers = [replace(run, side="server") for run in runs]
    units = host.units()
    if module.check_mode:
        return servers, bool(units)
    mine = [end.unit for end in servers if end.unit]
    states = host.states(mine)
    host.remove(units)
    printed = host.printed(mine)
    return [collected(end, states, printed) for end in servers], bool(units)


def told(module: AnsibleModule, host: Host) -> list[End]:
    """The runs that the module is given."""
    try:
        return [from_json(End, run, f"run {run.get('key')}") for run in module.params["runs"]]
    except ShapeError as error:
        if module.params["state"] == "absent" and not module.check_mode:
            host.remove(host.units())  # in every outcome
        module.fail_json(msg=f"{error}.")


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    if not shutil.which("systemd-run"):
        module.fail_json(
            msg="This host has no systemd-run, but perftest runs as a systemd unit. Fix: use a host that runs systemd."
        )
    host = Host(module)
    runs = told(module, host)
    if module.params["state"] == "listening":
        try:
            perftest_run.ports(module.params["ports"])
        except ValueError as error:
            module.fail_json(msg=f"rdma_verify_ports: {error}.")
        ends, changed = listening(module, host, runs), bool(runs)
    elif module.params["state"] == "measured":
        ends, changed = measured(module, runs), False
    else:
        ends, changed = absent(module, host, runs)
    module.exit_json(changed=changed, runs=to_json(ends))


if __name__ == "__main__":
    main()
