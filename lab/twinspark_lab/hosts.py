"""The container hosts: systemd as PID 1, made, started, stopped and looked at."""

import json
import time
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from . import network
from .machine import Machine
from .names import Lab
from .shell import LabError, output, run, succeeds


@dataclass(frozen=True)
class Placement:
    """Where a host stands: its name, its management address, its image."""

    host: str
    address: str
    image: str


def placements(lab: Lab, subnet: IPv4Network, image: str) -> list[Placement]:
    return [Placement(host, network.address(subnet, index), image) for index, host in enumerate(lab.hosts)]


def create_argv(lab: Lab, place: Placement, machine: Machine) -> list[str]:
    """The `docker create` of one host."""
    argv = ["docker", "create", "--hostname", place.host, "--label", lab.label]
    argv += ["--network", lab.network, "--ip", place.address]
    return [*argv, *system_argv(lab.container(place.host), place.image, machine, lab.volume(place.host))]


def system_argv(container: str, image: str, machine: Machine, volume: str) -> list[str]:
    """Name, options and command of a container that runs systemd and Docker, by what this machine can give.

    With full root and cgroup v2 that is the usual `--privileged`. Where that is refused, permissions are named one by
    one, and under cgroup v1 systemd must find the machine's own hierarchy. /sys is then mounted writable again, else
    systemd-udevd does not start and `netplan apply` fails.
    """
    argv = ["--name", container, "--tmpfs", "/run:exec,mode=755", "--tmpfs", "/run/lock", "--shm-size", "2g"]
    argv += ["--volume", f"{volume}:/var/lib/docker", "--stop-signal", "SIGRTMIN+3"]
    if machine.privileged:
        argv += ["--privileged"]
    else:
        argv += ["--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE"]
        for option in ("seccomp", "apparmor", "systempaths"):
            argv += ["--security-opt", f"{option}=unconfined"]
    if machine.cgroup_version >= 2:
        argv += ["--cgroupns", "private"]
    else:
        argv += ["--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"]
    argv += [image]
    if machine.privileged and machine.cgroup_version >= 2:
        return [*argv, "/sbin/init"]
    mounts = "mount -o remount,rw /sys"
    if machine.cgroup_version >= 2:
        mounts += " && mount -o remount,rw /sys/fs/cgroup"
    return [*argv, "sh", "-c", f"{mounts}; exec /sbin/init"]


def inspect(container: str) -> dict[str, Any] | None:
    """`docker inspect` of *container*, or None where there is none."""
    done = run(["docker", "container", "inspect", container], check=False)
    if done.returncode != 0:
        return None
    found: dict[str, Any] = json.loads(done.stdout)[0]
    return found


def is_running(found: dict[str, Any] | None) -> bool:
    return found is not None and found["State"]["Status"] == "running"


def init_pid(lab: Lab, host: str) -> int:
    """The host's PID 1 as this machine sees it."""
    container = lab.container(host)
    found = inspect(container)
    if found is None or not is_running(found):
        raise LabError(f"the container {container} is not running: `twinspark lab up --name {lab.name}` repairs it")
    return int(found["State"]["Pid"])


def management_address(lab: Lab, host: str) -> str:
    """The host's address on the management network; LabError if it is not running."""
    found = inspect(lab.container(host))
    if found is None or not is_running(found):
        raise LabError(f"{host} is not up: run `twinspark lab up --name {lab.name}`")
    return str(found["NetworkSettings"]["Networks"][lab.network]["IPAddress"])


def pids(lab: Lab) -> dict[str, int]:
    return {host: init_pid(lab, host) for host in lab.hosts}


def ensure_volume(lab: Lab, host: str) -> None:
    """The volume for the host's own Docker: overlay2 wants a real file system below it."""
    if not succeeds(["docker", "volume", "inspect", lab.volume(host)]):
        output(["docker", "volume", "create", "--label", lab.label, lab.volume(host)])


def ensure_created(lab: Lab, place: Placement, machine: Machine) -> bool:
    """The host's container, made but not started; one of another image or network is made anew. True if made."""
    found = inspect(lab.container(place.host))
    if found is not None:
        image = output(["docker", "image", "inspect", "--format", "{{.Id}}", place.image])
        attached = found["NetworkSettings"]["Networks"].get(lab.network) or {}
        config = attached.get("IPAMConfig") or {}
        if found["Image"] == image and config.get("IPv4Address") == place.address:
            return False
        output(["docker", "rm", "--force", lab.container(place.host)])
    output(create_argv(lab, place, machine))
    return True


def ensure_started(lab: Lab, host: str) -> bool:
    """A running container; whether it had to be started."""
    if is_running(inspect(lab.container(host))):
        return False
    output(["docker", "start", lab.container(host)])
    return True


def exec_in(lab: Lab, host: str, argv: list[str], *, check: bool = True) -> str:
    """Run *argv* as root in the host, over Docker: the trusted way in, needing no network."""
    done = run(["docker", "exec", lab.container(host), *argv], check=check)
    return done.stdout.decode(errors="replace").strip()


def wait_host(lab: Lab, host: str) -> None:
    """Wait until a host of the lab has booted."""
    wait_until_booted(lab.container(host), f"`twinspark lab reboot {host} --name {lab.name}`")


def wait_until_booted(container: str, fix: str = "run this again", seconds: float = 90) -> None:
    """Wait for systemd; LabError, with the fix, if it has not booted in time, or not without failed units."""
    deadline = time.monotonic() + seconds
    state = ""
    while time.monotonic() < deadline:
        if not is_running(inspect(container)):
            said = output(["docker", "logs", "--tail", "3", container])
            raise LabError(f"{container} stopped during its start: {said or 'systemd could not run in it'}")
        state = _systemctl(container, "is-system-running")
        if state == "running":
            return
        if state == "degraded":
            units = _systemctl(container, "--failed", "--plain", "--no-legend", "--no-pager")
            failed = ", ".join(line.split()[0] for line in units.splitlines() if line.strip())
            if failed:
                raise LabError(f"{container} has failed units ({failed}): look with `docker exec`, then {fix}")
        time.sleep(0.3)
    raise LabError(f"{container} has not booted within {seconds:.0f} s (systemd says {state or 'nothing'})")


def _systemctl(container: str, *arguments: str) -> str:
    done = run(["docker", "exec", container, "systemctl", *arguments], check=False)
    return done.stdout.decode(errors="replace").strip()
