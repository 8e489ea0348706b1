"""What the network stage measured, judged: one verdict a rail, path, route, login and host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..inventory.fabric import Host, paths_of
from ..proof.values import Findings, Measurement, Requirement, Verdict
from .plan import drift
from .state import Difference, Login, Network, Ping, Settings

RUN_AGAIN = "`twinspark apply --stage network`"


@dataclass(frozen=True, slots=True)
class Result:
    """What one host found after the change: its network, its pings and its logins."""

    network: Network
    pings: tuple[Ping, ...]
    logins: tuple[Login, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What all hosts found, each by host. logins: empty where none were tried."""

    networks: Mapping[str, Network]
    pings: Mapping[str, tuple[Ping, ...]]
    logins: Mapping[str, tuple[Login, ...] | None]

    def by_host(self) -> dict[str, Result]:
        """The same, a host at a time."""
        return {
            host: Result(network, self.pings[host], self.logins.get(host) or ())
            for host, network in self.networks.items()
        }


def judge(entries: Sequence[Host], results: Mapping[str, Result], settings: Settings) -> Findings:
    """Verdicts, measurements and evidence of the network stage. results: by host."""
    verdicts: list[Verdict] = []
    measurements: list[Measurement] = []
    for entry in entries:
        result = results[entry.host]
        verdicts += [*_rails(entry, result, settings), _boot(entry, result)]
        verdicts += [*_pings(entry, result, settings), *_routes(entries, entry, result), *_logins(entry, result)]
        measurements += [
            Measurement("ping_rtt", ping.rtt_ms, "ms", f"{ping.rail} {entry.host}->{ping.peer}")
            for ping in result.pings
            if ping.rtt_ms is not None
        ]
    files = {
        host: [{"path": file.path, "mode": file.mode} for file in result.network.files]
        for host, result in results.items()
    }
    return Findings(tuple(verdicts), tuple(measurements), {"files": files})


def refused(refusals: Mapping[str, Sequence[str]]) -> list[Verdict]:
    """Verdicts of what speaks against the plan, by host; each sentence has its fix. Nothing was changed anywhere."""
    return [Verdict(f"{host}: {sentence}", False) for host, sentences in refusals.items() for sentence in sentences]


def clause(difference: Difference) -> str:
    """One difference between the kernel and the plan: "enp1s0f1np1 has mtu 1500, not 9000"."""
    has, wanted = _show(difference.current), _show(difference.desired)
    return f"{difference.interface} has {difference.what} {has}, not {wanted}"


def _rails(entry: Host, result: Result, settings: Settings) -> Iterator[Verdict]:
    wrong = drift(entry.rails, result.network, settings)
    for rail in entry.rails:
        mine = [item for item in wrong if item.interface == rail.interface]
        yield Verdict.of(
            f"{rail.name} of {entry.host} configured",
            "; ".join(f"{item.what} {_show(item.current)}" for item in mine) or rail.cidr,
            Requirement("==", "; ".join(f"{item.what} {_show(item.desired)}" for item in mine) or rail.cidr),
            reason=f"the kernel's state of {rail.interface} is not what {settings.path} says",
            fix=RUN_AGAIN,
        )
        owner = result.network.wire.get(rail.address, "")
        nobody = "answered by nobody else"
        yield Verdict.of(
            f"{rail.address} is {entry.host}'s alone",
            f"answered by {owner}" if owner else nobody,
            Requirement("==", nobody),
            reason=f"another device on {rail.name} uses this address",
            fix="find that device, or choose another subnet in twinspark_rails",
        )


def _show(value: Any) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list | tuple) else str(value)


def _boot(entry: Host, result: Result) -> Verdict:
    boot = result.network.boot
    return Verdict.told(
        f"{entry.host} comes up the same after a reboot", boot.same, "the same" if boot.same else boot.reason,
        "the same", reason=boot.reason, fix=f"run `netplan apply` on {entry.host}, then {RUN_AGAIN}",
    )  # fmt: skip


def _pings(entry: Host, result: Result, settings: Settings) -> Iterator[Verdict]:
    for ping in result.pings:
        why = f"{ping.source} to {ping.target}, {settings.mtu} bytes, not fragmented"
        yield Verdict.told(
            f"full frames over {ping.rail}, {entry.host} to {ping.peer}", 0 < ping.sent == ping.received,
            f"{ping.received} of {ping.sent} answered", "all answered",
            reason=f"{ping.problem or 'no answer'} ({why})", fix=_ping_fix(ping, settings),
        )  # fmt: skip


def _ping_fix(ping: Ping, settings: Settings) -> str:
    problem = ping.problem.lower()
    if "too long" in problem or "frag" in problem:
        return f"one end has an MTU below {settings.mtu}: {RUN_AGAIN}; on a switch, raise its ports' MTU"
    if ping.small_ok:
        return f"small frames pass and full ones don't: the MTU is below {settings.mtu} at {ping.peer} or between"
    return f"check that both ends of {ping.rail} are cabled and up, and that no firewall drops ICMP on it"


def _routes(entries: Sequence[Host], entry: Host, result: Result) -> Iterator[Verdict]:
    for path in paths_of(entries, entry.host):
        route = result.network.routes.get(path.target)
        device, source = (route.device, route.source) if route else ("", "")
        yield Verdict.of(
            f"route to {path.target} from {entry.host}",
            f"{device or 'no device'} from {source or 'no address'}",
            Requirement("==", f"{path.interface} from {path.source}"),
            reason=f"{path.rail} would not be used for its own peer",
            fix=f"remove the other route (`ip route show`), then {RUN_AGAIN}",
        )


def _logins(entry: Host, result: Result) -> Iterator[Verdict]:
    for login in result.logins:
        yield Verdict.of(
            f"SSH over {login.rail}, {entry.host} to {login.peer}",
            "logged in" if login.ok else "refused",
            Requirement("==", "logged in"),
            reason=login.problem,
            fix=RUN_AGAIN,
        )
