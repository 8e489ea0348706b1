"""Run other programs: argv lists only, output captured, a failure told in one sentence."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


class LabError(Exception):
    """What went wrong and what to do about it, in one sentence for the owner."""


class LabUsage(LabError):
    """What was asked for is nothing that there is: a wrong name or word on the command line."""


def run(
    argv: Sequence[str],
    *,
    stdin: bytes | None = None,
    timeout: float | None = None,
    check: bool = True,
    pass_fds: Sequence[int] = (),
) -> subprocess.CompletedProcess[bytes]:
    """Run *argv* and return it with its output; LabError on a non-zero exit unless *check* is false."""
    try:
        # Never this process's own standard input: a child ssh would swallow it.
        done = subprocess.run(
            list(argv), input=stdin or b"", capture_output=True, timeout=timeout, check=False, pass_fds=pass_fds
        )
    except FileNotFoundError as error:
        raise LabError(f"{argv[0]} is not installed on this machine") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"`{shlex.join(argv)}` gave no answer within {timeout:.0f} s") from error
    if check and done.returncode != 0:
        raise LabError(f"`{shlex.join(argv)}` failed with {done.returncode}: {last_words(done)}")
    return done


def output(argv: Sequence[str], *, timeout: float | None = None, pass_fds: Sequence[int] = ()) -> str:
    """Standard output of *argv*, stripped; LabError on failure."""
    return run(argv, timeout=timeout, pass_fds=pass_fds).stdout.decode(errors="replace").strip()


def succeeds(argv: Sequence[str], *, timeout: float | None = None) -> bool:
    """Whether *argv* exists and exits 0 (in time)."""
    try:
        return run(argv, timeout=timeout, check=False).returncode == 0
    except LabError:
        return False


def last_words(done: subprocess.CompletedProcess[bytes]) -> str:
    """The last line a program said on stderr, else on stdout: usually the cause."""
    said = (done.stderr.strip() or done.stdout.strip()).decode(errors="replace")
    return said.splitlines()[-1] if said else "it said nothing"


def run_logged(argv: Sequence[str], log: Path) -> None:
    """Run a long program with all of its output in *log*; LabError names the log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        done = subprocess.run(list(argv), stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        tail = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise LabError(f"`{argv[0]} {argv[1]}` failed ({' '.join(tail)}); the whole output is in {log}")


# Command -> Debian/Ubuntu package.
PACKAGES = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "dockerd": "docker.io",
    "docker": "docker-cli",  # Debian 13; elsewhere the client comes with docker.io
    "iptables": "iptables",
    "debootstrap": "debootstrap",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mkfs.ext4": "e2fsprogs",
    "git": "git",
}


def ensure_commands(names: Sequence[str], log: Path) -> None:
    """Install the packages of those commands that are missing (Debian and Ubuntu, as root)."""
    missing = [name for name in names if shutil.which(name) is None]
    if not missing:
        return
    packages = sorted({PACKAGES[name] for name in missing})
    if shutil.which("apt-get") is None:
        raise LabError(f"this machine lacks {', '.join(missing)} and has no apt-get: install them")
    if os.geteuid() != 0:
        raise LabError(f"this machine lacks {', '.join(missing)}: as root, run `apt-get install {' '.join(packages)}`")
    apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
    run_logged([*apt, "update"], log)
    run_logged([*apt, "install", "-y", "--no-install-recommends", *packages], log)
