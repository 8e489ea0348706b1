"""The VMs' disks: one root for all from the container hosts' image, an overlay and a seed for each."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from ..image import Say, content_hash, ensure_host_image, lock
from ..names import cache_home, checkout
from ..shell import LabError, output, run, run_logged
from .plan import Vm

GIB = 4


def _kept() -> Path:
    hosts, vm = (content_hash(checkout() / "lab" / name) for name in ("hosts", "vm"))
    return cache_home() / "vm" / f"{vm}-{hosts}"


def cached_boot() -> Path | None:
    """What `ensure_boot` made before for this content: then no Docker engine is needed."""
    kept = _kept()
    return kept if kept.is_dir() else None


def ensure_boot(say: Say) -> Path:
    """The folder with `kernel`, `initrd` and `root.raw`, made once for this content and kept in the cache."""
    base = ensure_host_image(say)
    folder = checkout() / "lab" / "vm"
    kept = _kept()
    if kept.is_dir():
        return kept
    with lock(cache_home() / "vm" / "lock"):
        if not kept.is_dir():
            say("making the VM hosts' root (about 2 min)")
            _make(base, folder, kept)
    return kept


def _make(base: str, context: Path, kept: Path) -> None:
    log = kept.parent / "build.log"
    tag = f"twinspark/lab-vm:{kept.name}"
    build = ["docker", "build", "--network", "host", "--build-arg", f"BASE={base}", "--tag", tag, str(context)]
    run_logged(build, log)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="root-") as scratch:
        root, made = Path(scratch) / "root", Path(scratch) / "made"
        root.mkdir()
        made.mkdir()
        _export(tag, root)
        for name, pattern in {"kernel": "vmlinuz-*", "initrd": "initrd.img-*"}.items():
            found = sorted((root / "boot").glob(pattern))
            if not found:
                raise LabError(f"the image {tag} has no boot/{pattern}: see {log}")
            shutil.move(found[-1], made / name)
        output(["mkfs.ext4", "-q", "-F", "-L", "tsroot", "-d", str(root), str(made / "root.raw"), f"{GIB}G"])
        made.rename(kept)


def _export(tag: str, root: Path) -> None:
    """The image's files, with their owners, into `root`."""
    container = output(["docker", "create", "--label", "io.twinspark.image=lab-vm", tag])
    try:
        with subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE) as source:
            unpack = ["tar", "-C", str(root), "--numeric-owner", "-x"]
            done = subprocess.run(unpack, stdin=source.stdout, capture_output=True, check=False)
        if done.returncode or source.returncode:
            raise LabError(f"the image {tag} can't be unpacked: {done.stderr.decode(errors='replace').strip()}")
        (root / ".dockerenv").unlink(missing_ok=True)  # systemd would take the machine for a container
    finally:
        run(["docker", "rm", container], check=False)


def ensure_disks(vm: Vm, boot: Path, public_key: str) -> None:
    """The VM's overlay and its seed: host name, a host key made here (so that it is pinned), the lab's public key."""
    if not vm.overlay.exists():
        backing = ["-b", str(boot / "root.raw"), "-F", "raw"]
        output(["qemu-img", "create", "-q", "-f", "qcow2", *backing, str(vm.overlay)])
    if vm.seed.exists():
        return
    content = vm.folder / f"{vm.host}.identity"
    content.mkdir(mode=0o700, exist_ok=True)
    key = content / "ssh_host_ed25519_key"
    if not key.exists():
        output(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", vm.host, "-f", str(key)])
    (content / "hostname").write_text(f"{vm.host}\n")
    (content / "authorized_keys").write_text(f"{public_key}\n")
    output(["mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-L", "tsseed", "-d", str(content), str(vm.seed), "1M"])
    vm.seed.chmod(0o600)


def host_key(vm: Vm) -> str:
    """The public host key that the seed gives the VM."""
    return (vm.folder / f"{vm.host}.identity" / "ssh_host_ed25519_key.pub").read_text().strip()
