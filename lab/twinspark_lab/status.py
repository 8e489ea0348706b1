"""`lab status`: what is there, host by host."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from . import access, hosts, rails
from .names import Lab


@dataclass(frozen=True)
class HostStatus:
    """One host as found."""

    host: str
    state: str  # Docker's word, then systemd's
    address: str
    rails: dict[str, str]  # interface -> UP, LOWERLAYERDOWN, ..., or missing
    ssh: str  # ok, or why not

    @property
    def ok(self) -> bool:
        return self.state == "running" and self.ssh == "ok" and set(self.rails.values()) == {"UP"}


def look(lab: Lab) -> list[HostStatus]:
    return [_look(lab, host) for host in lab.hosts]


def _look(lab: Lab, host: str) -> HostStatus:
    found = hosts.inspect(lab.container(host))
    interfaces = [rail.interface for rail in rails.rails()]
    if found is None or not hosts.is_running(found):
        state = "absent" if found is None else str(found["State"]["Status"])
        return HostStatus(host, state, "", dict.fromkeys(interfaces, "missing"), "no host")
    attached = found["NetworkSettings"]["Networks"].get(lab.network) or {}
    address = str(attached.get("IPAddress") or "")
    pid = int(found["State"]["Pid"])
    states = {name: str((rails.look(pid, name) or {}).get("operstate", "missing")) for name in interfaces}
    systemd = hosts.exec_in(lab, host, ["systemctl", "is-system-running"], check=False)
    problem = access.login_problem(lab, address) if address else "no management address"
    return HostStatus(host, systemd or "silent", address, states, problem or "ok")


def services_state(lab: Lab) -> str | None:
    """Docker's word about the services' container; None for a lab that was brought up without."""
    note = lab.state / "lab.json"
    if not note.is_file() or not json.loads(note.read_text()).get("hub"):
        return None
    found = hosts.inspect(lab.services)
    return str(found["State"]["Status"]) if found else "absent"


def as_json(lab: Lab, found: list[HostStatus]) -> dict[str, Any]:
    services = services_state(lab)
    up = bool(found) and all(host.ok for host in found) and services in {None, "running"}
    inventory = str(lab.inventory) if lab.inventory.is_dir() else None
    listed = [asdict(host) for host in found]
    return {"lab": lab.name, "up": up, "inventory": inventory, "services": services, "hosts": listed}
