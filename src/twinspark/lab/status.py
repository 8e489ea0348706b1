"""`lab status`: what is there, host by host."""

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


def as_json(lab: Lab, found: list[HostStatus]) -> dict[str, Any]:
    up = bool(found) and all(host.ok for host in found)
    inventory = str(lab.inventory) if lab.inventory.is_dir() else None
    return {"lab": lab.name, "up": up, "inventory": inventory, "hosts": [asdict(host) for host in found]}
