"""What the network stage measured, judged: one verdict a rail, path, route, login and host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..inventory.fabric import paths_of
from .plan import drift

Verdict = dict[str, Any]
RUN_AGAIN = "`twinspark apply --stage network`"


@dataclass(frozen=True)
class Result:
    """What one host found after the change: its network, its pings and its logins."""

    network: Mapping[str, Any]
    pings: Sequence[Mapping[str, Any]]
    logins: Sequence[Mapping[str, Any]] | None


def judge(
    entries: Sequence[Mapping[str, Any]], results: Mapping[str, Result], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """verdicts, measurements and evidence of the network stage.

    settings: path, mtu, arp, as for network_plan.plan.
    """
    verdicts: list[Verdict] = []
    measurements: list[dict[str, Any]] = []
    for entry in entries:
        result = results[entry["host"]]
        verdicts += [*_rails(entry, result, settings), _boot(entry, result)]
        verdicts += [
            *_pings(entry, result, settings),
            *_routes(entries, entry, result),
            *_logins(entry, result),
        ]
        measurements += [
            {
                "name": "ping_rtt",
                "subject": f"{ping['rail']} {entry['host']}->{ping['peer']}",
                "value": ping["rtt_ms"],
                "unit": "ms",
            }
            for ping in result.pings
            if ping["rtt_ms"] is not None
        ]
    evidence = {"files": {entry["host"]: _files(results[entry["host"]]) for entry in entries}}
    return {"verdicts": verdicts, "measurements": measurements, "evidence": evidence}


def refused(refusals: Mapping[str, Sequence[str]]) -> list[Verdict]:
    """Verdicts of what speaks against the plan, by host; each sentence has its fix. Nothing was changed anywhere."""
    return [
        {"name": f"{host}: {sentence}", "ok": False, "measured": None, "required": None, "reason": "", "fix": ""}
        for host, sentences in refusals.items()
        for sentence in sentences
    ]


def clause(drift: Mapping[str, Any]) -> str:
    """One difference between the kernel and the plan: "enp1s0f1np1 has mtu 1500, not 9000"."""
    return f"{drift['interface']} has {drift['what']} {_show(drift['current'])}, not {_show(drift['desired'])}"


def _rails(entry: Mapping[str, Any], result: Result, settings: Mapping[str, Any]) -> list[Verdict]:
    found = []
    wrong = drift(entry["rails"], result.network, settings)
    for rail in entry["rails"]:
        mine = [item for item in wrong if item["interface"] == rail["interface"]]
        found.append(
            {
                "name": f"{rail['name']} of {entry['host']} configured",
                "ok": not mine,
                "measured": "; ".join(f"{i['what']} {_show(i['current'])}" for i in mine) or rail["cidr"],
                "required": "; ".join(f"{i['what']} {_show(i['desired'])}" for i in mine) or rail["cidr"],
                "reason": f"the kernel's state of {rail['interface']} is not what {settings['path']} says"
                if mine
                else "",
                "fix": RUN_AGAIN if mine else "",
            }
        )
        owner = result.network.get("wire", {}).get(rail["address"], "")
        found.append(
            {
                "name": f"{rail['address']} is {entry['host']}'s alone",
                "ok": not owner,
                "measured": f"answered by {owner}" if owner else "answered by nobody else",
                "required": "answered by nobody else",
                "reason": f"another device on {rail['name']} uses this address" if owner else "",
                "fix": "find that device, or choose another subnet in twinspark_rails" if owner else "",
            }
        )
    return found


def _show(value: Any) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def _boot(entry: Mapping[str, Any], result: Result) -> Verdict:
    boot = result.network.get("boot", {"same": False, "reason": "netplan was not asked"})
    return {
        "name": f"{entry['host']} comes up the same after a reboot",
        "ok": boot["same"],
        "measured": "the same" if boot["same"] else boot["reason"],
        "required": "the same",
        "reason": "" if boot["same"] else boot["reason"],
        "fix": "" if boot["same"] else f"run `netplan apply` on {entry['host']}, then {RUN_AGAIN}",
    }


def _pings(entry: Mapping[str, Any], result: Result, settings: Mapping[str, Any]) -> list[Verdict]:
    found = []
    for ping in result.pings:
        ok = ping["sent"] > 0 and ping["received"] == ping["sent"]
        reason = "" if ok else ping["problem"] or "no answer"
        found.append(
            {
                "name": f"full frames over {ping['rail']}, {entry['host']} to {ping['peer']}",
                "ok": ok,
                "measured": f"{ping['received']} of {ping['sent']} answered",
                "required": "all answered",
                "reason": f"{reason} ({ping['source']} to {ping['target']}, {settings['mtu']} bytes, not fragmented)"
                if reason
                else "",
                "fix": _ping_fix(ping, settings) if reason else "",
            }
        )
    return found


def _ping_fix(ping: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    problem = ping["problem"].lower()
    if "too long" in problem or "frag" in problem:
        return f"one end has an MTU below {settings['mtu']}: {RUN_AGAIN}; on a switch, raise its ports' MTU"
    if ping.get("small_ok"):
        return f"small frames pass and full ones don't: the MTU is below {settings['mtu']} at {ping['peer']} or between"
    return f"check that both ends of {ping['rail']} are cabled and up, and that no firewall drops ICMP on it"


def _routes(entries: Sequence[Mapping[str, Any]], entry: Mapping[str, Any], result: Result) -> list[Verdict]:
    found = []
    for path in paths_of(entries, entry["host"]):
        route = result.network.get("routes", {}).get(path["target"], {"device": "", "source": ""})
        ok = route["device"] == path["interface"] and route["source"] == path["source"]
        found.append(
            {
                "name": f"route to {path['target']} from {entry['host']}",
                "ok": ok,
                "measured": f"{route['device'] or 'no device'} from {route['source'] or 'no address'}",
                "required": f"{path['interface']} from {path['source']}",
                "reason": "" if ok else f"{path['rail']} would not be used for its own peer",
                "fix": "" if ok else "remove the other route (`ip route show`), then " + RUN_AGAIN,
            }
        )
    return found


def _logins(entry: Mapping[str, Any], result: Result) -> list[Verdict]:
    return [
        {
            "name": f"SSH over {login['rail']}, {entry['host']} to {login['peer']}",
            "ok": login["ok"],
            "measured": "logged in" if login["ok"] else "refused",
            "required": "logged in",
            "reason": login["problem"],
            "fix": "" if login["ok"] else RUN_AGAIN,
        }
        for login in result.logins or []
    ]


def _files(result: Result) -> list[dict[str, str]]:
    return [{"path": file["path"], "mode": file["mode"]} for file in result.network.get("files", [])]
