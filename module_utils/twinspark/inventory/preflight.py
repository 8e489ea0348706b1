"""What a host must be before anything is changed: facts of all hosts in, findings out. Pure."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

GIB = 1 << 30
Verdict = dict[str, Any]

# What must be the same on all hosts, and whether a difference stops the line.
PARITY = {
    "os": ("OS release", True, "bring all hosts to one release with DGX OS's own updater, one host at a time"),
    "kernel": ("kernel", True, "update all hosts to one kernel and reboot them, one at a time"),
    "driver": ("NVIDIA driver", True, "update all hosts to one driver and reboot them, one at a time"),
    "nic_firmware": ("NIC firmware", True, "update the firmware with the vendor's tool, one host at a time, cables in"),
    "docker": ("Docker", False, "update Docker on the older host"),
    "arch": ("architecture", True, "all hosts must be of one architecture"),
}
NAMES = {key: name for key, (name, _, _) in PARITY.items()}


def judge(facts: Mapping[str, Mapping[str, Any]], needs: Mapping[str, Any]) -> dict[str, Any]:
    """verdicts and measurements of the preflight stage.

    facts: host to what twinspark_preflight_info found. needs: commands, memory_gib, memory_share,
    clock_skew_seconds, expect_gpu, expect_docker, known_bad [{what, pattern, reason, fix, blocks}], differences (names
    of PARITY that are allowed).
    """
    verdicts = [*parity(facts, needs["differences"]), *_together(facts, needs)]
    measurements: list[dict[str, Any]] = []
    for host, found in facts.items():
        verdicts += [
            *known_bad(host, versions(found), needs["known_bad"]),
            *_tools(host, found, needs),
            *_docker(host, found, needs),
            *_pcie(host, found),
            *_space(host, found),
            *_memory(host, found, needs),
            *_ports(host, found),
        ]
        measurements.append(
            {"name": "memory_available", "subject": host, "value": found["memory"]["available"], "unit": "byte"}
        )
        measurements += [
            {"name": "disk_free", "subject": f"{host} {disk['what']}", "value": disk["free"], "unit": "byte"}
            for disk in found["disks"]
        ]
    return {"verdicts": verdicts, "measurements": measurements}


def versions(found: Mapping[str, Any]) -> dict[str, str]:
    """The versions that are compared and looked up; "" for what a host does not have."""
    firmware = sorted({nic["firmware"] for nic in found["nics"] if nic["firmware"]})
    return {
        "os": " ".join(filter(None, [found["os"]["name"], found["os"]["dgx"]])),
        "kernel": found["kernel"],
        "driver": found["gpu"]["driver"],
        "nic_firmware": ", ".join(firmware),
        "docker": found["docker"],
        "arch": found["arch"],
    }


def parity(facts: Mapping[str, Mapping[str, Any]], allowed: Iterable[str]) -> list[Verdict]:
    """One verdict for each thing that must be the same on all hosts."""
    if len(facts) < 2:
        return []
    found = []
    for key, (name, blocks, fix) in PARITY.items():
        by_host = {host: versions(fact)[key] for host, fact in facts.items()}
        same = len(set(by_host.values())) == 1
        waived = key in allowed
        found.append(
            {
                "name": f"same {name} on all hosts",
                "ok": same or waived,
                "blocks": blocks,
                "measured": next(iter(by_host.values())) or "none"
                if same
                else ", ".join(f"{host} {value or 'none'}" for host, value in by_host.items()),
                "required": "the same",
                "reason": ""
                if same
                else "different, and allowed by preflight_differences"
                if waived
                else "hosts differ",
                "fix": "" if same else fix,
            }
        )
    return found


def known_bad(host: str, found: Mapping[str, str], listed: Sequence[Mapping[str, Any]]) -> list[Verdict]:
    """A verdict for each known-bad version that the host has, and one that all is well when it has none."""
    hits = [
        {
            "name": f"{NAMES[entry['what']]} of {host} is not known to be bad",
            "ok": False,
            "blocks": entry.get("blocks", True),
            "measured": found[entry["what"]],
            "required": f"not {entry['pattern']}",
            "reason": entry["reason"],
            "fix": entry["fix"],
        }
        for entry in listed
        if found[entry["what"]]
        and any(fnmatch.fnmatchcase(version, entry["pattern"]) for version in found[entry["what"]].split(", "))
    ]
    return hits or [_good(f"versions of {host} are not known to be bad", f"none of {len(listed)}", "none")]


def _good(name: str, measured: Any, required: Any, unit: str = "") -> Verdict:
    return {
        "name": name,
        "ok": True,
        "measured": measured,
        "required": required,
        "unit": unit,
        "reason": "",
        "fix": "",
    }


def _bad(name: str, measured: Any, required: Any, reason: str, fix: str, **more: Any) -> Verdict:
    verdict = {**_good(name, measured, required), "ok": False, "reason": reason, "fix": fix}
    return {**verdict, **more}


def _together(facts: Mapping[str, Mapping[str, Any]], needs: Mapping[str, Any]) -> list[Verdict]:
    """Clocks, names and users, which only all hosts together can get wrong."""
    found = []
    offsets = {host: fact["clock"]["offset"] for host, fact in facts.items()}
    skew = round(max(offsets.values()) - min(offsets.values()), 1)
    limit = needs["clock_skew_seconds"]
    name = "clocks of the hosts agree"
    if skew <= limit:
        found.append(_good(name, skew, f"at most {limit}", "s"))
    else:
        fix = "`timedatectl set-ntp true` on each host"
        found.append(_bad(name, skew, f"at most {limit}", "certificates and logs need one time", fix, unit="s"))
    for key, text in (("hostname", "each host has a name of its own"), ("user", "the login user is the same")):
        values = {host: str(fact[key]) for host, fact in facts.items()}
        distinct = len(set(values.values()))
        ok = distinct == (len(facts) if key == "hostname" else 1)
        shown = ", ".join(f"{host} {value}" for host, value in values.items())
        if ok:
            found.append(_good(text, shown, "distinct" if key == "hostname" else "the same"))
        elif key == "hostname":
            fix = "`hostnamectl set-hostname NAME`"
            found.append(_bad(text, shown, "distinct", "two hosts have one name", fix, blocks=False))
        else:
            reason = "files copied between the hosts keep their numbers"
            found.append(
                _bad(text, shown, "the same", reason, "give the user one uid and gid everywhere", blocks=False)
            )
    return found


def _tools(host: str, fact: Mapping[str, Any], needs: Mapping[str, Any]) -> list[Verdict]:
    found = []
    missing = [command for command in needs["commands"] if not fact["commands"].get(command)]
    name = f"tools on {host}"
    if missing:
        fix = f"install what brings {', '.join(missing)}"
        found.append(_bad(name, f"without {', '.join(missing)}", "all there", "the stages use them", fix))
    else:
        found.append(_good(name, "all there", "all there"))
    name = f"becoming root on {host}"
    if fact["root"]:
        found.append(_good(name, "root", "root"))
    else:
        found.append(_bad(name, "not root", "root", "sudo did not make us root", "allow the login user sudo"))
    name = f"time of {host} is synchronized"
    if not fact["clock"]["synchronized"]:
        fix = "`timedatectl set-ntp true`"
        found.append(_bad(name, "no", "yes", "systemd sees no time source", fix, blocks=False))
    else:
        found.append(_good(name, "yes", "yes"))
    if needs["expect_gpu"]:
        name = f"GPU of {host} answers"
        if fact["gpu"]["driver"]:
            found.append(_good(name, f"{', '.join(fact['gpu']['names'])}, driver {fact['gpu']['driver']}", "a GPU"))
        else:
            fix = "reboot; if it stays away, reinstall the driver"
            found.append(_bad(name, fact["gpu"]["problem"] or "no nvidia-smi", "a GPU", "nvidia-smi fails", fix))
    return found


def _docker(host: str, fact: Mapping[str, Any], needs: Mapping[str, Any]) -> list[Verdict]:
    if not needs["expect_docker"]:
        return []
    name = f"Docker's daemon on {host} answers"
    if fact["docker"]:
        return [_good(name, fact["docker"], "a version")]
    fix = "`sudo systemctl enable --now docker`, and see `journalctl -u docker`"
    return [_bad(name, "no answer", "a version", "the image is built and served by it", fix)]


def _pcie(host: str, fact: Mapping[str, Any]) -> list[Verdict]:
    """The functions of a ConnectX-7 are alike: one with fewer lanes than another shows old firmware."""
    widths = {nic["hca"]: int(nic["width"]) for nic in fact["nics"] if str(nic.get("width", "")).isdigit()}
    if not widths:
        return []
    name = f"PCIe width of the NIC's functions on {host}"
    shown = ", ".join(f"{hca} x{width}" for hca, width in widths.items())
    if len(set(widths.values())) == 1:
        return [_good(name, shown, "the same")]
    fix = "update the NIC's firmware with the vendor's tool, one host at a time, cables in; then cut its power"
    return [
        _bad(name, shown, "the same", "one function has fewer lanes: old firmware is known for it", fix, blocks=False)
    ]


def _space(host: str, fact: Mapping[str, Any]) -> list[Verdict]:
    """Needs on one file system are added up; what is there already needs no room."""
    found = []
    groups: dict[int, list[Mapping[str, Any]]] = {}
    for disk in fact["disks"]:
        groups.setdefault(disk["device"], []).append(disk)
    for disks in groups.values():
        needed = sum(max(0, disk["need"] - disk["present"]) for disk in disks)
        free = disks[0]["free"]
        what = " and ".join(disk["what"] for disk in disks)
        name = f"space for {what} on {host}"
        measured, required = round(free / GIB, 1), f"at least {round(needed / GIB, 1)}"
        if free >= needed:
            found.append(_good(name, measured, required, "GiB"))
        else:
            fix = f"make room on {disks[0]['mount']}"
            found.append(
                _bad(name, measured, required, f"too little is free below {disks[0]['path']}", fix, unit="GiB")
            )
    return found


def _memory(host: str, fact: Mapping[str, Any], needs: Mapping[str, Any]) -> list[Verdict]:
    memory = fact["memory"]
    needed = needs["memory_share"] * memory["total"] if needs["memory_share"] else needs["memory_gib"] * GIB
    name = f"memory for the engine on {host}"
    measured, required = round(memory["available"] / GIB, 1), f"at least {round(needed / GIB, 1)}"
    found = []
    if memory["available"] >= needed:
        found.append(_good(name, measured, required, "GiB"))
    elif fact["own_units"]:
        found.append({**_good(name, measured, required, "GiB"), "reason": "our own service runs and uses it"})
    else:
        reason = "unified memory that runs out takes the host down"
        found.append(_bad(name, measured, required, reason, "end other engines and desktops, or reboot", unit="GiB"))
    used = memory["swap_total"] - memory["swap_free"]
    name = f"swap of {host} is not in use"
    if used > GIB // 4:
        reason = "pages are swapped out: memory has been short"
        fix = "find what eats memory, then `swapoff -a && swapon -a`"
        found.append(_bad(name, round(used / GIB, 1), "less than 0.25", reason, fix, unit="GiB", blocks=False))
    else:
        found.append(_good(name, round(used / GIB, 1), "less than 0.25", "GiB"))
    return found


def _ports(host: str, fact: Mapping[str, Any]) -> list[Verdict]:
    found = []
    for entry in fact["ports"]:
        name = f"port {entry['port']} of {host} is free"
        if not entry["holder"]:
            found.append(_good(name, "free", "free"))
        elif fact["own_units"]:
            found.append({**_good(name, entry["holder"], "free"), "reason": "our own service runs and listens there"})
        else:
            fix = f"end {entry['holder']}, or choose another port"
            found.append(_bad(name, f"held by {entry['holder']}", "free", "another program listens there", fix))
    return found


def listeners(text: str) -> dict[int, str]:
    """`ss -H -l -t -n -p` as port to the name of the program that listens there ("a program" when it is not told)."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) < 4 or not words[3].rpartition(":")[2].isdigit():
            continue
        name = re.search(r'users:\(\("([^"]+)"', line)
        found[int(words[3].rpartition(":")[2])] = name[1] if name else "a program"
    return found


def os_release(text: str) -> dict[str, str]:
    """os-release or dgx-release as a dict."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip('"') for key, value in pairs}


def meminfo(text: str) -> dict[str, int]:
    """/proc/meminfo in bytes: total, available, swap_total, swap_free."""
    found = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in text.splitlines() if len(line.split()) > 1}
    return {
        "total": found.get("MemTotal", 0),
        "available": found.get("MemAvailable", 0),
        "swap_total": found.get("SwapTotal", 0),
        "swap_free": found.get("SwapFree", 0),
    }
