"""What the served pair says of itself: states, the cause of a death, ranks, devices, and the verdicts on all of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

GIB = 1 << 30
SHOW = ("LoadState", "ActiveState", "SubState", "Result", "NRestarts", "ExecMainStatus", "InvocationID",
        "ActiveEnterTimestamp", "UnitFileState")  # fmt: skip

RANK = re.compile(r"rank (\d+) in world size (\d+)|world_size=(\d+) rank=(\d+)")
IB = re.compile(r"NET/IB : Using (.*?)(?:;|$)")
NETWORK = re.compile(r"Using network (\S+)")
DEVICE = re.compile(r"\[\d+\]([\w]+):\d+/(\w+)")
READY = re.compile(r"Application startup complete")

PHASES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("answering", READY),
    ("warming up", re.compile(r"Graph capturing|Capturing CUDA graph|torch\.compile|Warming up|warmup")),
    ("sizing the cache", re.compile(r"KV cache size|Available KV cache memory")),
    ("loading weights", re.compile(r"Loading safetensors|Loading weights|Starting to load model")),
    ("joining ranks", RANK),
    ("starting", re.compile(r"vLLM API server version|non-default args|Initializing a V1 LLM engine")),
)


def endpoint_url(host: str, port: int | str) -> str:
    """Where the head finds its own endpoint, which listens on *host*: an address of every kind, as a URL has it."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what it is told to listen on
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def journal(text: str) -> list[tuple[float, str]]:
    """Lines of `journalctl --output=short-unix --no-hostname` as (Unix time, message)."""
    found = []
    for line in text.splitlines():
        stamp, _, rest = line.partition(" ")
        try:
            at = float(stamp)
        except ValueError:
            continue
        found.append((at, rest.partition(": ")[2]))
    return found


def phase(lines: Iterable[str]) -> str:
    """How far the start has come, by the newest milestone in the log."""
    text = list(lines)
    return next((name for name, pattern in PHASES if any(pattern.search(line) for line in text)), "")


def ranks(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The ranks that said in the log who they are: rank, world size and the line."""
    found: dict[int, dict[str, Any]] = {}
    for line in lines:
        if match := RANK.search(line):
            a, b, c, d = match.groups()
            rank, world = (int(a), int(b)) if a else (int(d), int(c))
            found.setdefault(rank, {"rank": rank, "world_size": world, "line": line.strip()[:240]})
    return [found[rank] for rank in sorted(found)]


def nccl(lines: Iterable[str]) -> dict[str, Any]:
    """Which network NCCL says that it uses, with its devices; empty values when the log does not show it."""
    network, devices = "", []
    for line in lines:
        if match := NETWORK.search(line):
            network = match[1]
        if match := IB.search(line):
            devices = [f"{name}/{kind}" for name, kind in DEVICE.findall(match[1])]
    return {"network": network, "devices": devices}


def meminfo(text: str) -> dict[str, int]:
    """MemTotal and MemAvailable of /proc/meminfo, in bytes."""
    found = {}
    for line in text.splitlines():
        key, _, rest = line.partition(":")
        if key in ("MemTotal", "MemAvailable"):
            found[{"MemTotal": "total", "MemAvailable": "available"}[key]] = int(rest.split()[0]) * 1024
    return found


def memory_verdict(
    host: str, memory: Mapping[str, int], utilization: float | None, memory_gib: float | None
) -> dict[str, Any]:
    """Enough MemAvailable before launch. On unified memory running out hangs the host, so this is asked first.

    `utilization` is the share of all memory that the engine will take, `memory_gib` the need where there is no share.
    """
    need = memory["total"] * utilization if utilization else (memory_gib or 0) * GIB
    return {
        "name": f"memory available on {host}",
        "ok": memory["available"] >= need,
        "measured": round(memory["available"] / GIB, 1),
        "required": round(need / GIB, 1),
        "unit": "GiB",
        "reason": "" if memory["available"] >= need else "the engine would run the host out of memory",
        "fix": "stop what else uses memory on it, or lower gpu_memory_utilization in the profile",
    }


def dead(unit: Mapping[str, str]) -> bool:
    """Whether a rank has died since it was started by hand, even if systemd is about to try it again.

    A start waits for the other ranks by itself, so what ends it is a cause that the next try meets as well.
    """
    if "unreachable" in unit:
        return False
    again = unit.get("SubState") == "auto-restart" or int(unit.get("NRestarts") or 0) > 0
    return again or unit.get("ActiveState") in ("failed", "inactive")


def milestones(lines: Sequence[tuple[float, str]]) -> tuple[float | None, float | None]:
    """Unix times of the log's first line, and of the line that says the server listens."""
    ready = next((at for at, line in lines if READY.search(line)), None)
    return (lines[0][0] if lines else None), ready


def unit_commands(name: str, unit: Mapping[str, str], state: str, enabled: bool | None) -> list[list[str]]:
    """systemctl's argv lists that bring a unit to `state`; empty when it is there.

    `unit`: ActiveState, UnitFileState, LoadState and NeedDaemonReload. A failed unit counts as stopped, but its
    failure is forgotten, for the sake of a clean `systemctl --failed` and of the count of tries.
    """
    active = unit.get("ActiveState", "inactive")
    commands: list[list[str]] = []
    loaded = unit.get("LoadState") == "loaded"
    if unit.get("NeedDaemonReload") == "yes" or (state == "started" and not loaded):
        commands.append(["systemctl", "daemon-reload"])
    if enabled is not None and (loaded or enabled) and (unit.get("UnitFileState") == "enabled") is not enabled:
        commands.append(["systemctl", "enable" if enabled else "disable", "--quiet", name])
    if state == "started" and active not in ("active", "activating"):
        commands += [["systemctl", "reset-failed", name], ["systemctl", "start", name]]
    elif state == "stopped" and active in ("active", "activating", "deactivating", "reloading"):
        commands += [["systemctl", "stop", name], ["systemctl", "reset-failed", name]]
    elif state == "stopped" and active == "failed":
        commands.append(["systemctl", "reset-failed", name])
    return commands


def restart_reasons(
    hosts: Sequence[str], found: Mapping[str, Mapping[str, Any]], canary: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Why the pair has to be restarted, as [{host, name, current, desired}]; empty when it runs as it should.

    `hosts` in rank order, `found` host to what `twinspark_serve_info` saw there, `canary` what the head answered.
    """
    reasons = []
    for host in hosts:
        serve = found[host]
        container = serve["container"] or {}
        for name, current, wanted in (
            ("unit", serve["unit"].get("ActiveState", "absent"), "active"),
            ("digest", container.get("digest"), serve["desired"]),
            ("image", container.get("image_id"), serve["image_id"]),
        ):
            if current != wanted:
                reasons.append({"host": host, "name": name, "current": current, "desired": wanted})
                break
    if not reasons and not canary["ok"]:
        reasons.append({"host": hosts[0], "name": "canary", "current": canary["error"], "desired": "tokens in time"})
    return reasons


def death(serve: Mapping[str, Any]) -> dict[str, str]:
    """Reason and fix of a rank that died: from the known deaths, else its unit's state and its last words."""
    why = serve.get("cause")
    if why:
        return {"reason": f"{why['name']}: {why['line']}", "fix": why["fix"]}
    unit = serve.get("unit") or {}
    last = (serve.get("log_tail") or ["its log is empty"])[-1]
    return {
        "reason": f"{unit.get('Result') or 'no unit'}, exit {unit.get('ExecMainStatus', '?')}: {last}",
        "fix": "read `journalctl -u twinspark-vllm` there, mend the cause and run `twinspark apply --stage serve`",
    }


def verdicts(
    hosts: Sequence[str], found: Mapping[str, Mapping[str, Any]], canary: Mapping[str, Any], rdma: bool
) -> list[dict[str, Any]]:
    """One verdict a rank, one for the canary, and one for what it says; with RDMA, one a host for NCCL's devices."""
    judged = []
    for host in hosts:
        serve = found.get(host, {})
        state = (serve.get("unit") or {}).get("ActiveState", "absent")
        up = state == "active" and bool((serve.get("container") or {}).get("pid"))
        judged.append(
            {
                "name": f"rank on {host}",
                "ok": up,
                "measured": state,
                "required": "active",
                **({"reason": "", "fix": ""} if up else death(serve)),
            }
        )
        network = (serve.get("nccl") or {}).get("network", "")
        if rdma and network:
            over_ib = network.startswith("IB")
            judged.append(
                {
                    "name": f"NCCL over RoCE on {host}",
                    "ok": over_ib,
                    "measured": network,
                    "required": "IB",
                    "reason": "" if over_ib else "NCCL fell back to sockets, at about a tenth of the rate",
                    "fix": "run `twinspark apply --stage rdma`, and see NCCL_IB_HCA in docs/serving.md",
                }
            )
    phase = found.get(hosts[0], {}).get("phase", "")
    waiting = f"; the head was at: {phase}" if phase not in ("", "answering") else ""
    judged.append(
        {
            "name": "canary",
            "ok": bool(canary.get("ok")),
            # With a rank dead there is nothing to add: the death is the reason.
            "blocks": all(v["ok"] for v in judged),
            "measured": canary.get("tokens"),
            "required": canary.get("min_tokens", 1),
            "unit": "tokens",
            "reason": f"{canary['error']}{waiting}" if canary.get("error") else "",
            "fix": "run `twinspark apply --stage serve`, which restarts the pair; /health is not to be believed",
        }
    )
    return judged


def measurements(
    hosts: Sequence[str], found: Mapping[str, Mapping[str, Any]], canary: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The figures of the stage: readiness of the head, the canary's tokens and rate, bytes on each rail meanwhile."""
    figures: list[dict[str, Any]] = []
    head = found[hosts[0]]
    if head.get("ready_seconds") is not None:
        figures.append({"name": "readiness", "subject": hosts[0], "value": head["ready_seconds"], "unit": "s"})
    for name, key, unit in (
        ("canary time", "seconds", "s"),
        ("canary", "tokens", "tokens"),
        ("canary rate", "tokens_per_second", "tokens/s"),
    ):
        figures.append({"name": name, "subject": hosts[0], "value": canary.get(key), "unit": unit})
    for rail, counters in (canary.get("rails") or {}).items():
        moved = sum(counters.values())
        figures.append({"name": "canary traffic", "subject": f"{hosts[0]} {rail}", "value": moved, "unit": "B"})
    return figures


def evidence(hosts: Sequence[str], found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What each host showed of its rank: the unit, the container's process, what its log says of ranks and devices."""
    keys = ("ranks", "nccl", "started", "ready_seconds", "image_id")
    shown = {}
    for host in hosts:
        serve = found[host]
        container = serve["container"] or {}
        shown[host] = {
            **{key: serve.get(key) for key in keys},
            "unit": serve["unit"].get("ActiveState"),
            "restarts": int(serve["unit"].get("NRestarts") or 0),
            "digest": container.get("digest"),
            "pid": container.get("pid"),
        }
    return shown
