"""The lab hosts' image: from ubuntu:24.04 where a registry answers, else from a root made by debootstrap."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .names import IMAGE_LABEL, cache_home, checkout
from .shell import LabError, ensure_commands, output, run, run_logged, succeeds

REGISTRY_BASE = "ubuntu:24.04"
REGISTRY_SECONDS = 60
Say = Callable[[str], None]


def content_hash(folder: Path) -> str:
    """Twelve hex digits over the names, modes and bytes of all files below *folder*."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            executable = bool(path.stat().st_mode & 0o100)
            digest.update(f"{path.relative_to(folder)}\0{executable:d}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def mirror_of(targets: str, origin: str) -> str | None:
    """The first mirror of *origin*'s main archive in `apt-get indextargets` lines `ORIGIN CODENAME COMPONENT URI`."""
    for line in targets.splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[0] == origin and "-" not in fields[1] and fields[2] == "main":
            return fields[3]
    return None


def debootstrap_argv(distribution: str, mirror: str | None, root: Path) -> list[str]:
    """Ubuntu machines make Ubuntu 24.04 (DGX OS's own base), all others Debian 13."""
    argv = ["debootstrap", "--variant=minbase", "--include=ca-certificates"]
    suite = "trixie"
    if distribution == "ubuntu":
        suite = "noble"
        argv.append("--components=main,universe")
    return [*argv, suite, str(root), *([mirror] if mirror else [])]


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold *path*'s lock: two labs that come up at once build one image, not two."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def ensure_host_image(say: Say) -> str:
    """The tag of the host image, built if this content has not been built yet."""
    folder = checkout() / "lab" / "hosts"
    tag = f"twinspark/lab-host:{content_hash(folder)}"
    if succeeds(["docker", "image", "inspect", tag]):
        return tag
    log = cache_home() / "hosts" / "build.log"
    with lock(cache_home() / "hosts" / "lock"):
        if succeeds(["docker", "image", "inspect", tag]):
            return tag
        log.unlink(missing_ok=True)
        base = _registry_base(say) or _debootstrap_base(say, log)
        say(f"building {tag} on {base}")
        build = ["docker", "build", "--network", "host", "--build-arg", f"BASE={base}", "--tag", tag, str(folder)]
        run_logged(build, log)
    return tag


def _registry_base(say: Say) -> str | None:
    if succeeds(["docker", "image", "inspect", REGISTRY_BASE]):
        return REGISTRY_BASE
    try:
        run(["docker", "pull", "--quiet", REGISTRY_BASE], timeout=REGISTRY_SECONDS)
    except LabError:
        say(f"no registry gives {REGISTRY_BASE}: making the base with debootstrap")
        return None
    return REGISTRY_BASE


def _debootstrap_base(say: Say, log: Path) -> str:
    os_release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    distribution = os_release.get("ID", "").strip('"')
    origin = {"ubuntu": "Ubuntu"}.get(distribution, "Debian")
    lines = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)"]
    mirror = mirror_of(output(lines), origin) if shutil.which("apt-get") else None
    kind = "ubuntu-24.04" if distribution == "ubuntu" else "debian-13"
    tag = f"twinspark/lab-base:{kind}"
    if succeeds(["docker", "image", "inspect", tag]):
        return tag
    rootfs = cache_home() / "hosts" / f"{kind}.tar"
    if not rootfs.is_file():
        say(f"making a {kind} root (about 45 s)")
        _debootstrap(debootstrap_argv(distribution, mirror, Path("ROOT")), rootfs, log)
    with rootfs.open("rb") as archive:
        done = subprocess.run(
            ["docker", "import", "--change", f"LABEL {IMAGE_LABEL}=lab-base", "-", tag],
            stdin=archive, capture_output=True, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        raise LabError(f"docker import of {rootfs} failed: {done.stderr.decode(errors='replace').strip()}")
    return tag


def _debootstrap(argv: list[str], rootfs: Path, log: Path) -> None:
    """Run *argv* with ROOT replaced by a scratch folder, and keep the result as the tar *rootfs*."""
    if os.geteuid() != 0:
        raise LabError("debootstrap needs root: run it with sudo")
    ensure_commands(["debootstrap"], log)
    with tempfile.TemporaryDirectory(dir=rootfs.parent, prefix="root-") as scratch:
        root = Path(scratch) / "root"
        run_logged([str(root) if word == "ROOT" else word for word in argv], log)
        shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
        shutil.rmtree(root / "var/lib/apt/lists", ignore_errors=True)
        part = rootfs.with_suffix(".part")
        run_logged(["tar", "-C", str(root), "--numeric-owner", "-cf", str(part), "."], log)
        part.rename(rootfs)
