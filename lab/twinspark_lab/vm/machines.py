"""VM hosts started, stopped and looked at: processes by their pid file, devices through QEMU's own monitor."""

import json
import os
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path

from ..image import Say
from ..names import cache_home
from ..shell import LabError, LabUsage, output, run
from .plan import CABLE_BYTES, KVM, RAIL_PORTS, TCG, Vm, qemu_argv

SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33  # asm-generic/socket.h; Python does not name them
FIRST_WORDS = 25  # seconds in which a kernel under a KVM that works has said something
BOOT = {"kvm": 120, "tcg": 480}  # seconds to an SSH login, several times what it takes alone on two cores


def pid_of(vm: Vm) -> int | None:
    """The VM's process, None when it does not run. A pid that something else has by now is not it."""
    try:
        pid = int(vm.pidfile.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if str(vm.pidfile).encode() in command else None


def start(vms: list[Vm], boot: Path, say: Say) -> str:
    """Start those VMs that don't run, by KVM where it works; which accelerator it is."""
    accelerator = known_accelerator()
    stopped = [vm for vm in vms if pid_of(vm) is None]
    for vm in stopped:
        _launch(vm, vms, boot, accelerator)
    if stopped and accelerator is KVM and not _speaks(stopped[0]):
        # /dev/kvm may be there and not work (a machine that is itself a VM): then nothing is ever printed.
        say("KVM is there but runs nothing: emulating")
        _remember("tcg")
        for vm in stopped:
            stop(vm)
            _launch(vm, vms, boot, TCG)
        accelerator = TCG
    for vm in stopped:
        say(f"{vm.host}: started ({accelerator[0]})")
    return accelerator[0]


def _launch(vm: Vm, vms: list[Vm], boot: Path, accelerator: tuple[str, str]) -> None:
    peer = next(other for other in vms if other != vm)
    vm.console.unlink(missing_ok=True)
    with ExitStack() as ends:
        cables = {name: ends.enter_context(_cable_end(vm, peer, port)) for name, port in RAIL_PORTS.items()}
        numbers = {name: end.fileno() for name, end in cables.items()}
        output(qemu_argv(vm, boot, accelerator, numbers), timeout=60, pass_fds=list(numbers.values()))


def _cable_end(vm: Vm, peer: Vm, port: int) -> socket.socket:
    """A rail's end at `vm`, connected to `peer`'s, with room enough that the cable loses nothing."""
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        # The size is forced beyond the machine's limit, which root may; twice as much is then shown.
        for option in (SO_RCVBUFFORCE, SO_SNDBUFFORCE):
            end.setsockopt(socket.SOL_SOCKET, option, CABLE_BYTES)
        end.bind((vm.address, port))
        end.connect((peer.address, port))
    except OSError as error:
        end.close()
        raise LabError(f"{vm.host}: no cable at {vm.address}:{port} ({error.strerror}); the lab needs root") from error
    return end


def _verdict_file() -> Path:
    return cache_home() / "vm" / "accelerator"


def known_accelerator() -> tuple[str, str]:
    """KVM where it is there and was not found out; else emulation."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return TCG
    try:
        return TCG if _verdict_file().read_text().strip() == "tcg" else KVM
    except OSError:
        return KVM


def _remember(name: str) -> None:
    _verdict_file().parent.mkdir(parents=True, exist_ok=True)
    _verdict_file().write_text(f"{name}\n")


def _speaks(vm: Vm) -> bool:
    deadline = time.monotonic() + FIRST_WORDS
    while time.monotonic() < deadline:
        if vm.console.exists() and vm.console.stat().st_size:
            return True
        time.sleep(0.5)
    return False


def stop(vm: Vm, seconds: float = 20) -> bool:
    """End the VM's process; whether there was one."""
    pid = pid_of(vm)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while pid_of(vm) is not None:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            break
        time.sleep(0.1)
    vm.pidfile.unlink(missing_ok=True)
    return True


def tell(vm: Vm, command: str, **arguments: object) -> None:
    """One command to the VM's monitor (QMP); LabError when it refuses."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(10)
        try:
            line.connect(str(vm.monitor))
        except OSError as error:
            raise LabError(f"{vm.host} does not run: bring the lab up first") from error
        stream = line.makefile("rw")
        stream.readline()
        for name, values in (("qmp_capabilities", {}), (command, arguments)):
            stream.write(json.dumps({"execute": name, "arguments": values}) + "\n")
            stream.flush()
            answer = json.loads(stream.readline())
            while "event" in answer:
                answer = json.loads(stream.readline())
            if "error" in answer:
                raise LabError(f"{vm.host}: {name} was refused: {answer['error'].get('desc')}")


def set_link(vm: Vm, interface: str, *, up: bool) -> None:
    """Pull or plug one end of a rail: the card loses its carrier."""
    if interface not in RAIL_PORTS:
        raise LabUsage(f"{interface} is no rail of the lab: it has {', '.join(RAIL_PORTS)}")
    tell(vm, "set_link", name=f"card-{interface}", up=up)


def wait_login(vm: Vm, argv: list[str], accelerator: str) -> None:
    """Wait until `argv` (an SSH login that becomes root and asks systemd) succeeds; the console's end says why not."""
    deadline = time.monotonic() + BOOT[accelerator]
    while time.monotonic() < deadline:
        if pid_of(vm) is None:
            raise LabError(f"{vm.host} ended while booting: {_last_console(vm)}")
        if run(argv, check=False, timeout=90).returncode == 0:
            return
        time.sleep(1)
    raise LabError(f"{vm.host} gave no SSH login within {BOOT[accelerator]} s: {_last_console(vm)}")


def _last_console(vm: Vm) -> str:
    try:
        return vm.console.read_text(errors="replace").strip().splitlines()[-1]
    except (OSError, IndexError):
        return f"nothing on its console ({vm.console})"
