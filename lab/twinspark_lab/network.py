"""The management network: an ordinary Docker network on a subnet that nothing else uses."""

import json
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, ip_network

from .names import Lab
from .shell import LabError, output, run

POOL = ip_network("10.213.0.0/16")
# Fixed places, so that a host keeps its address (and its line in known_hosts) over a restart.
FIRST_HOST = 11


def candidates(taken: Iterable[IPv4Network]) -> Iterator[IPv4Network]:
    """The /24s of the pool that overlap nothing in *taken*."""
    used = list(taken)
    for subnet in POOL.subnets(new_prefix=24):
        if not any(subnet.overlaps(other) for other in used):
            yield IPv4Network(subnet)


def parse_networks(texts: Iterable[str]) -> list[IPv4Network]:
    """The IPv4 networks among *texts* (CIDR or address); the default route is none, it overlaps everything."""
    found = []
    for text in texts:
        try:
            network = ip_network(text, strict=False)
        except ValueError:
            continue
        if isinstance(network, IPv4Network) and network.prefixlen > 0:
            found.append(network)
    return found


def address(subnet: IPv4Network, index: int) -> str:
    """The management address of host number *index* (0-based)."""
    return str(subnet[FIRST_HOST + index])


def docker_subnets() -> dict[str, list[IPv4Network]]:
    """Every Docker network's subnets by its name."""
    ids = output(["docker", "network", "ls", "--quiet"]).split()
    found: dict[str, list[IPv4Network]] = {}
    if ids:
        for network in json.loads(output(["docker", "network", "inspect", *ids])):
            configs = network.get("IPAM", {}).get("Config") or []
            found[network["Name"]] = parse_networks(config.get("Subnet", "") for config in configs)
    return found


def conflict(existing: dict[str, list[IPv4Network]], rails: Iterable[IPv4Network]) -> str | None:
    """The sentence about a Docker network that owns a rail's subnet: its isolation rules drop the rail's packets."""
    for name, subnets in existing.items():
        for rail in rails:
            if any(rail.overlaps(subnet) for subnet in subnets):
                return f"the Docker network {name} owns {rail}, which is a rail's, and would break it: remove it"
    return None


def ensure_network(lab: Lab, rails: list[IPv4Network]) -> IPv4Network:
    """The lab's management network, made if missing; its subnet."""
    existing = docker_subnets()
    if existing.get(lab.network):
        return existing[lab.network][0]
    if problem := conflict(existing, rails):
        raise LabError(problem)
    routes = json.loads(output(["ip", "-4", "-json", "route", "show", "table", "all"]) or "[]")
    taken = [subnet for subnets in existing.values() for subnet in subnets]
    taken += parse_networks(route.get("dst", "") for route in routes)
    taken += rails
    problem = "every subnet of the pool is taken"
    for subnet in candidates(taken):
        create = ["docker", "network", "create", "--label", lab.label, "--subnet", str(subnet), lab.network]
        done = run(create, check=False)
        if done.returncode == 0:
            return subnet
        problem = done.stderr.decode(errors="replace").strip()
        # Another lab that comes up at the same time may have just taken it: try the next.
        if "overlap" not in problem.lower():
            break
    raise LabError(f"no management network for the lab {lab.name}: {problem}")
