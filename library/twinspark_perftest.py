#!/usr/bin/python
"""Ansible module: one end of perftest runs, under systemd."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twinspark_perftest
short_description: Run one end of perftest measurements as transient systemd units
description:
  - C(listening) starts a server for every run, each on a free port, and waits for its readiness line.
  - C(measured) runs the clients, group after group, those of one group at the same time. It pings each path first.
    A group that perftest lost by itself is marked C(replaced); C(spare) runs of its test take its place.
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
from collections.abc import Container, Iterable, Iterator
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.twinspark.proof.json_form import ShapeError, from_json, to_json
from ansible.module_utils.twinspark.rdma import perftest_run, plan
from ansible.module_utils.twinspark.rdma.causes import LOST, named
from ansible.module_utils.twinspark.rdma.perftest import READY
from ansible.module_utils.twinspark.rdma.perftest_run import Ended, outcome, unit_argv

Run = dict[str, Any]
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


def planned(run: Run) -> plan.Run:
    """The run as it was planned, without what became of it. ShapeError when something is missing."""
    return from_json(plan.Run, run, f"run {run.get('key')}")


def result_of(end: Ended) -> dict[str, Any]:
    """What becomes of a run by how its unit ended."""
    return dict(to_json(outcome(end)))


def tool(run: Run) -> str:
    """The test's program: its path, or its bare name where it is not installed."""
    name = f"ib_{run['test']}"
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


def listening(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Start every server, and wait until each one waits for its client or has failed."""
    params = module.params
    session = f"{time.time_ns():x}"
    runs = [
        {**run, "side": "server", "unit": perftest_run.unit_name(run["key"], "server", session)}
        for run in params["runs"]
    ]
    if not module.check_mode:
        host.remove(host.units())  # of a controller that was lost before it could clean up
    available = free_ports(params["ports"], host.rdma_cm_ports())
    for run in runs:
        run["port"] = next(available, None)
        if run["port"] is None:
            line = f"every port of {params['ports']} is in use"
            run.update(state="failed", cause=to_json(named("port_busy", line)))
            continue
        run["argv"] = perftest_run.server_argv(tool(run), planned(run), run["port"])
        run["state"] = "planned" if module.check_mode else "starting"
        error = "" if module.check_mode else host.start(run["unit"], run["argv"], params["lifetime"])
        if error:
            run.update(state="failed", **result_of(Ended(error, 1, "exit-code")))
    await_ready(host, runs, params["timeout"])
    return {"runs": runs, "changed": bool(runs)}


def await_ready(host: Host, runs: list[Run], seconds: float) -> None:
    """Follow the servers' output until none is left that might still become ready, for at most `seconds`."""
    deadline = time.monotonic() + seconds
    while pending := [run for run in runs if run["state"] == "starting"]:
        units = [run["unit"] for run in pending]
        printed = host.printed(units)
        said = [run for run in pending if READY in printed[run["unit"]]]
        time.sleep(SETTLE_SECONDS)
        states = host.states(units)
        late = time.monotonic() > deadline
        for run in pending:
            state = states.get(run["unit"], {})
            if state.get("ActiveState") in ("active", "activating"):
                if run in said:
                    run["state"] = "listening"
                elif late:
                    run.update(state="failed", **result_of(Ended(printed[run["unit"]], None, "timeout")))
            else:
                text = host.printed([run["unit"]])[run["unit"]]
                code = int(state.get("ExecMainStatus") or 0)
                run.update(state="failed", **result_of(Ended(text, code, state.get("Result", "exit-code"))))


def measured(module: AnsibleModule) -> dict[str, Any]:
    """Run the clients, group after group. What failed once for a reason of the path is not tried again."""
    session = f"{time.time_ns():x}"
    first = groups(run for run in module.params["runs"] if not run.get("spare"))
    spares = groups(run for run in module.params["runs"] if run.get("spare"))
    done: list[Run] = []
    for runs in first:
        group = attempt(module, runs, session, done)
        while lost(group) and (spare := next((one for one in spares if fits(one, group)), None)):
            spares.remove(spare)
            done += [{**run, "replaced": True} for run in group]
            group = attempt(module, spare, session, done)
        done += group
    return {"runs": done, "changed": False}


def groups(runs: Iterable[Run]) -> list[list[Run]]:
    """The runs by their group, in its order."""
    ordered = sorted(runs, key=itemgetter("group"))
    return [list(group) for _, group in groupby(ordered, key=itemgetter("group"))]


def lost(group: list[Run]) -> bool:
    """Whether perftest lost this group by itself, which says nothing of the path."""
    return any((run["cause"] or {}).get("name") in LOST for run in group)


def fits(spare: list[Run], group: list[Run]) -> bool:
    """Whether all of the spare's servers wait, for the test of `group`."""
    return all(run["state"] == "listening" and run["test"] == group[0]["test"] for run in spare)


def attempt(module: AnsibleModule, runs: list[Run], session: str, done: list[Run]) -> list[Run]:
    """Run the clients of one group, but for those that are known, or shown by a ping, not to get through."""
    known = {(run["rail"], run["test"]): run["cause"] for run in done if run["cause"] and not run.get("replaced")}
    group = [dict(run) for run in runs]
    for run in group:
        run.update(side="client", unit=perftest_run.unit_name(run["key"], "client", session))
        run["argv"] = perftest_run.client_argv(tool(run), planned(run), run.get("port") or 0)
        cause = run.get("cause") or known.get((run["rail"], run["test"]))
        if not cause and not module.check_mode and not answers(module, run):
            cause = to_json(named("no_path", f"ping from {run['source']} to {run['address']}"))
        run.update(ok=False, rows=[], cause=cause, skipped=bool(cause) or module.check_mode)
    together(module, [run for run in group if not run["skipped"]])
    return group


def answers(module: AnsibleModule, run: Run) -> bool:
    """Whether the peer answers a ping on this rail. That also warms the ARP entries, whose lack looks like loss."""
    argv = ["ping", "-c", "1", "-W", "1", "-I", run["source"], run["address"]]
    return any(module.run_command(argv)[0] == 0 for _ in range(PINGS))


def together(module: AnsibleModule, group: list[Run]) -> None:
    """Run these clients at the same time, and wait for all of them."""
    seconds = module.params["timeout"]
    started = time.monotonic()
    running = []
    for run in group:
        argv = unit_argv(run["unit"], run["argv"], seconds=seconds + run["seconds"], wait=True)
        running.append(
            (run, subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL))
        )
    for run, process in running:
        out, err = (part.decode(errors="replace") for part in process.communicate())
        run.update(
            result_of(perftest_run.ended(out, err, process.returncode)), took=round(time.monotonic() - started, 2)
        )


def absent(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Collect the servers' output and remove every unit."""
    runs = [dict(run, side="server") for run in module.params["runs"]]
    units = host.units()
    if module.check_mode:
        return {"runs": runs, "changed": bool(units)}
    mine = [run["unit"] for run in runs if run.get("unit")]
    states = host.states(mine)
    host.remove(units)
    printed = host.printed(mine)
    for run in runs:
        state = states.get(run.get("unit", ""), {})
        if run.get("state") != "listening":
            continue
        waited = state.get("ActiveState") == "active"
        end = Ended(printed[run["unit"]], int(state.get("ExecMainStatus") or 0), state.get("Result", "success"))
        run.update(result_of(end), waited=waited)
        if waited:  # nobody came, or it was still busy when it was stopped: not its own fault
            run.update(ok=False, cause=None)
    return {"runs": runs, "changed": bool(units)}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    if not shutil.which("systemd-run"):
        module.fail_json(
            msg="This host has no systemd-run, but perftest runs as a systemd unit. Fix: use a host that runs systemd."
        )
    host = Host(module)
    try:
        for run in module.params["runs"] if module.params["state"] != "absent" else []:
            planned(run)
    except ShapeError as error:
        module.fail_json(msg=f"{error}.")
    if module.params["state"] == "listening":
        try:
            perftest_run.ports(module.params["ports"])
        except ValueError as error:
            module.fail_json(msg=f"rdma_verify_ports: {error}.")
        module.exit_json(**listening(module, host))
    if module.params["state"] == "measured":
        module.exit_json(**measured(module))
    module.exit_json(**absent(module, host))


if __name__ == "__main__":
    main()
