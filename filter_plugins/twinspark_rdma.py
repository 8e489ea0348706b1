"""Filters of the RDMA stage: thin. The functions are in module_utils, where the unit tests reach them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ansible.module_utils
from ansible.errors import AnsibleFilterError

# The controller imports filters by path: this checkout's module_utils joins the package by hand.
_MODULE_UTILS = str(Path(__file__).resolve().parent.parent / "module_utils")
if _MODULE_UTILS not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(_MODULE_UTILS)

from ansible.module_utils.twinspark.proof import proofs
from ansible.module_utils.twinspark.rdma import devices as rdma_fabric
from ansible.module_utils.twinspark.rdma import nccl, perftest_run
from ansible.module_utils.twinspark.rdma import plan as rdma_plan
from ansible.module_utils.twinspark.rdma import verdicts as rdma_verdicts

Entries = Sequence[Mapping[str, Any]]


def twinspark_rdma_plan(
    fabric: Entries, settings: Mapping[str, Any], facts: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Steps, what is left out and why, and the estimate. Without facts every rail counts as usable."""
    try:
        return rdma_plan.plan(fabric, settings, rdma_fabric.unusable(fabric, facts) if facts else None)
    except rdma_plan.PlanError as error:
        raise AnsibleFilterError(str(error)) from error


def twinspark_rdma_servers(plan: Mapping[str, Any], host: str) -> list[dict[str, Any]]:
    """The runs for which this host is the server."""
    return rdma_plan.servers(plan["steps"], host)


def twinspark_rdma_clients(step: Mapping[str, Any], servers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A step's runs, the spare ones too, with the ports that their servers took; `servers` is the result by host."""
    return rdma_plan.listening([*step["runs"], *step["spares"]], servers.get(step["server"], {}).get("runs", []))


def twinspark_rdma_cause(causes: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Of the causes that the two ends of a run name, the one that explains the other; empty when neither names one."""
    return dict(perftest_run.worst(causes) or {})


def twinspark_rdma_report(
    plan: Mapping[str, Any],
    fabric: Entries,
    facts: Mapping[str, Any],
    runs: Mapping[str, Any],
    limits: Mapping[str, Any],
) -> dict[str, Any]:
    """verdicts, measurements, simulated, evidence of what was measured."""
    return rdma_verdicts.report(fabric, plan, facts, runs, limits)


def twinspark_nccl_judge(
    logs: Mapping[str, str], devices: Mapping[str, Sequence[str]], limits: Mapping[str, float]
) -> dict[str, Any]:
    """verdicts, measurements and the lines they rest on, from each host's log."""
    return nccl.judge(logs, devices, nccl.Limits(float(limits["bus_b_s"]), float(limits["ceiling_b_s"])))


def twinspark_nccl_memory(meminfo: str, largest: int) -> dict[str, Any]:
    """Whether there is room for the test, from /proc/meminfo."""
    return nccl.memory(meminfo, int(largest))


def twinspark_verdict_sentence(verdict: Mapping[str, Any]) -> str:
    """A verdict as one sentence."""
    return proofs.sentence(verdict)


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        return {
            "twinspark_rdma_plan": twinspark_rdma_plan,
            "twinspark_rdma_servers": twinspark_rdma_servers,
            "twinspark_rdma_clients": twinspark_rdma_clients,
            "twinspark_rdma_cause": twinspark_rdma_cause,
            "twinspark_rdma_report": twinspark_rdma_report,
            "twinspark_nccl_judge": twinspark_nccl_judge,
            "twinspark_nccl_memory": twinspark_nccl_memory,
            "twinspark_verdict_sentence": twinspark_verdict_sentence,
        }
