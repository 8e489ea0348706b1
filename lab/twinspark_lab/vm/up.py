"""`lab up --hosts vm`: disks, machines, pinned SSH, inventory. The verbs have the shape of the container hosts'."""

import json
import re
import shutil
from pathlib import Path

from .. import access, inventory
from ..hosts import Placement
from ..image import Say, lock
from ..machine import engine_dir, ensure_docker
from ..names import HOSTS, USER, Lab
from ..shell import LabError, ensure_commands, run
from ..status import HostStatus
from . import disks, machines, plan

COMMANDS = ["ssh", "ssh-keygen", "qemu-img", "mkfs.ext4"]
# systemd has finished booting, and the Soft-RoCE devices are there, at the latest when they are asked for once more.
SETTLED = "systemctl is-system-running --wait >/dev/null; systemctl start twinspark-lab-rxe.service"
READY = ["sudo", "-n", "sh", "-c", f"'{SETTLED}'"]


def vms(lab: Lab) -> list[plan.Vm]:
    """The lab's VMs, running or not."""
    return plan.vms(lab.name, lab.hosts, lab.state / "vm")


def host_of(lab: Lab, host: str) -> plan.Vm:
    """The VM of that name."""
    return next(vm for vm in vms(lab) if vm.host == host)


def is_vm_lab(lab: Lab) -> bool:
    """Whether this lab was brought up with VM hosts."""
    return (lab.state / "vm").is_dir()


def ssh_argv(lab: Lab, vm: plan.Vm, command: list[str]) -> list[str]:
    """ssh into a VM; like the container hosts' but for the port."""
    first, *rest = access.ssh_argv(lab, vm.address, command)
    return [first, "-p", str(plan.SSH_PORT), *rest]


def check() -> str:
    """How VM hosts would run on this machine; LabError with the reason where they can't start at all.

    QEMU is installed for it where that is possible: whether a package is there to be had is known only by trying.
    """
    ensure_commands([*COMMANDS, plan.qemu_command()], engine_dir() / "apt.log")
    free = available_mib(Path("/proc/meminfo").read_text())
    if free < len(HOSTS) * plan.MIB:
        raise LabError(f"VM hosts take {len(HOSTS) * plan.MIB} MiB of memory and {free} MiB are available: free some")
    return "KVM, if it runs anything" if machines.known_accelerator() is plan.KVM else "emulation"


def available_mib(meminfo: str) -> int:
    """MemAvailable of /proc/meminfo in MiB, 0 when it does not say."""
    found = re.search(r"^MemAvailable:\s*(\d+) kB", meminfo, re.MULTILINE)
    return int(found[1]) // 1024 if found else 0


def up(lab: Lab, say: Say) -> Path:
    """Bring the VM hosts up, or to what they should be; the inventory folder."""
    if all(machines.pid_of(vm) is None for vm in vms(lab)):
        check()
    boot = disks.cached_boot()
    if boot is None:
        say(f"docker engine {ensure_docker()}")
        boot = disks.ensure_boot(say)
    machines_of_lab = vms(lab)
    (lab.state / "vm").mkdir(parents=True, exist_ok=True)
    with lock(lab.state / "lock"):
        key = access.ensure_key(lab)
        for vm in machines_of_lab:
            disks.ensure_disks(vm, boot, key)
        accelerator = machines.start(machines_of_lab, boot, say)
        keys = {vm.host: (f"[{vm.address}]:{plan.SSH_PORT}", disks.host_key(vm)) for vm in machines_of_lab}
        lab.known_hosts.write_text(access.known_hosts_text(keys))
        for vm in machines_of_lab:
            machines.wait_login(vm, ssh_argv(lab, vm, READY), accelerator)
            say(f"{vm.host}: up at {vm.address}")
        (lab.state / "lab.json").write_text(json.dumps({"hosts": "vm", "accelerator": accelerator}, indent=2) + "\n")
        places = [Placement(vm.host, vm.address, "") for vm in machines_of_lab]
        extra = {"ansible_port": plan.SSH_PORT, "ansible_ssh_timeout": 60}
        return inventory.write(lab, places, {}, template="vm.yml.j2", extra=extra)


def down(lab: Lab, say: Say) -> None:
    """End the VMs; their disks are in the lab's state folder, which goes with them."""
    for vm in vms(lab):
        if machines.stop(vm):
            say(f"{vm.host}: ended")
    shutil.rmtree(lab.state, ignore_errors=True)


def reboot(lab: Lab, names: list[str], say: Say, *, hard: bool = False) -> None:
    """Reboot hosts from inside, as an owner would, or by a power cut, and wait until they are back."""
    chosen = [vm for vm in vms(lab) if vm.host in names]
    accelerator = json.loads((lab.state / "lab.json").read_text())["accelerator"]
    before = {vm.host: boot_id(lab, vm) for vm in chosen}
    for vm in chosen:
        if hard:
            machines.tell(vm, "system_reset")
        else:
            run(ssh_argv(lab, vm, ["sudo", "systemctl", "reboot"]), check=False, timeout=60)
    for vm in chosen:
        changed = f'test "$(cat /proc/sys/kernel/random/boot_id)" != {before[vm.host]} && {{ {SETTLED}; }}'
        machines.wait_login(vm, ssh_argv(lab, vm, ["sudo", "-n", "sh", "-c", f"'{changed}'"]), accelerator)
        say(f"{vm.host}: rebooted")


def boot_id(lab: Lab, vm: plan.Vm) -> str:
    """The VM's present boot."""
    return run(ssh_argv(lab, vm, ["cat", "/proc/sys/kernel/random/boot_id"]), timeout=60).stdout.decode().strip()


def link(lab: Lab, host: str, interface: str, state: str) -> None:
    """Pull or plug both ends of a rail, as a cable does: a datagram cable can't tell the far end by itself."""
    chosen = vms(lab)
    if host not in [vm.host for vm in chosen]:
        raise LabError(f"{host} is no host of the lab")
    for vm in chosen:
        machines.set_link(vm, interface, up=state == "up")


def look(lab: Lab) -> list[HostStatus]:
    """Each VM as found."""
    return [_look(lab, vm) for vm in vms(lab)]


def _look(lab: Lab, vm: plan.Vm) -> HostStatus:
    if machines.pid_of(vm) is None:
        return HostStatus(vm.host, "absent", "", dict.fromkeys(plan.RAIL_PORTS, "missing"), "no host")
    script = "systemctl is-system-running; cat " + " ".join(
        f"/sys/class/net/{name}/carrier" for name in plan.RAIL_PORTS
    )
    done = run(ssh_argv(lab, vm, [f"{script} 2>/dev/null"]), check=False, timeout=60)
    lines = done.stdout.decode(errors="replace").split()
    state = lines[0] if lines else "silent"
    # A rail that netplan has not taken yet is down, and so has no carrier to tell: the cable is QEMU's and is there.
    rails = {name: ("DOWN" if value == "0" else "UP") for name, value in zip(plan.RAIL_PORTS, lines[1:], strict=False)}
    shown = {name: rails.get(name, "UP") for name in plan.RAIL_PORTS}
    return HostStatus(vm.host, state, vm.address, shown, "ok" if lines else f"no login as {USER}")
