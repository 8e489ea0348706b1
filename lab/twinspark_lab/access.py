"""SSH into the hosts: a key pair of the lab's own, host keys learnt over Docker; nothing is taken on trust."""

import time
from collections.abc import Mapping

from .hosts import exec_in
from .names import USER, Lab
from .shell import LabError, last_words, output, run

HOST_KEY = "/etc/ssh/ssh_host_ed25519_key.pub"


def ensure_key(lab: Lab) -> str:
    """The lab's public key; the pair is made once."""
    if not lab.key.is_file():
        output(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"twinspark-lab-{lab.name}", "-f", str(lab.key)])
    return lab.key.with_suffix(".pub").read_text().strip()


def known_hosts_text(keys: Mapping[str, tuple[str, str]]) -> str:
    """known_hosts from host -> (management address, public key line)."""
    return "".join(f"{address},{host} {' '.join(key.split()[:2])}\n" for host, (address, key) in keys.items())


def host_key(lab: Lab, host: str, seconds: float = 30) -> str:
    """The host's public key, read out of the container once it has made it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        key = exec_in(lab, host, ["cat", HOST_KEY], check=False)
        if key.startswith("ssh-ed25519 "):
            return key
        time.sleep(0.3)
    raise LabError(f"{host} made no SSH host key within {seconds:.0f} s")


def ssh_options(lab: Lab) -> list[str]:
    """Only this key and only these host keys, whatever the user's own configuration says."""
    return [
        "-o", f"UserKnownHostsFile={lab.known_hosts}",
        "-o", "GlobalKnownHostsFile=/dev/null",
        "-o", "StrictHostKeyChecking=yes",
        "-o", "IdentitiesOnly=yes",
    ]  # fmt: skip


def ssh_argv(lab: Lab, address: str, command: list[str]) -> list[str]:
    options = ["-F", "/dev/null", "-i", str(lab.key), "-o", "ConnectTimeout=5", "-o", "LogLevel=ERROR"]
    return ["ssh", *options, *ssh_options(lab), f"{USER}@{address}", *command]


def login_problem(lab: Lab, address: str) -> str | None:
    """Why the lab's user can't log in and become root at *address*, or None if they can."""
    argv = ssh_argv(lab, address, ["sudo", "-n", "true"])
    done = run([argv[0], "-o", "BatchMode=yes", *argv[1:]], check=False, timeout=20)
    return None if done.returncode == 0 else last_words(done)


def wait_login(lab: Lab, host: str, address: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    problem: str | None = "not tried"
    while time.monotonic() < deadline:
        problem = login_problem(lab, address)
        if problem is None:
            return
        time.sleep(0.3)
    raise LabError(f"no SSH login at {host} ({address}) within {seconds:.0f} s: {problem}")
