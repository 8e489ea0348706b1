"""The lab's heavy image: real vLLM for CPU, made once, kept as a tar in the cache, found again by its content hash."""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .image import Say, content_hash, lock, mirror_of
from .names import IMAGE_LABEL, checkout
from .shell import LabError, ensure_commands, output, run, run_logged, succeeds

REPOSITORY = "twinspark/lab-engine-base"
FIXED_TAG = f"{REPOSITORY}:1"  # what lab/engine/repo/Dockerfile starts from, so that its commit stays the same
REGISTRY_BASE = "python:3.11-slim-bookworm"
REGISTRY_SECONDS = 60
BUILT_BASE = "twinspark/lab-python:3.11-debian-12"
UV = "uv==0.13.9"
PYTHON = "3.11"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
TORCH_WHEEL = "torch-2.13.0+cpu-cp311-*.whl"


def engine_tag() -> str:
    """The base image's name in this checkout: its tag is the hash of what it is made from."""
    return f"{REPOSITORY}:{content_hash(checkout() / 'lab' / 'engine' / 'base')}"


def engine_tar(cache: Path) -> Path:
    """Where `ensure_engine_base` keeps the image for other Docker engines: `docker load` gives both of its tags."""
    return cache / "engine" / f"lab-engine-base-{engine_tag().rsplit(':', 1)[1]}.tar"


def ensure_engine_base(cache: Path, say: Say) -> str:
    """The base image's tag; in this machine's Docker and as a tar in the cache afterwards. About 4 minutes at first."""
    tag, tar = engine_tag(), engine_tar(cache)
    with lock(cache / "engine" / "lock"):
        if not _present(tag):
            if tar.is_file():
                output(["docker", "load", "--quiet", "--input", str(tar)])
            else:
                say(f"making {tag}, real vLLM for CPU (4 minutes and more, once)")
                _build(tag, cache)
        output(["docker", "tag", tag, FIXED_TAG])
        if not tar.is_file():
            part = tar.with_suffix(".part")
            output(["docker", "save", "--output", str(part), tag, FIXED_TAG])
            part.rename(tar)
            for old in tar.parent.glob("lab-engine-base-*.tar"):
                if old != tar:
                    old.unlink()
    return tag


def _present(tag: str) -> bool:
    return succeeds(["docker", "image", "inspect", tag])


def _build(tag: str, cache: Path) -> None:
    log = cache / "engine" / "build.log"
    log.unlink(missing_ok=True)
    source = checkout() / "lab" / "engine" / "base"
    base = _registry_base() or _debootstrap_base(cache, log)
    with tempfile.TemporaryDirectory(dir=cache / "engine", prefix="build-") as scratch:
        context = Path(scratch) / "context"
        shutil.copytree(source, context)
        (context / "cache").mkdir()
        run_logged(install_argv(context, find_links(), uv_command(cache, log)), log)
        finish = "apt-get update -q && apt-get install -y -q --no-install-recommends binutils"
        finish += " && python3 -B /opt/engine/finish.py /opt/engine/site /opt/engine/cache"
        # At their final places, since byte code and vLLM's cache remember paths.
        volume = ["--volume", f"{context}:/opt/engine"]
        run_logged(["docker", "run", "--rm", "--network", "host", *volume, base, "sh", "-ec", finish], log)
        build = ["docker", "build", "--network", "host", "--build-arg", f"BASE={base}", "--tag", tag, str(context)]
        run_logged(build, log)


def install_argv(context: Path, links: list[str], uv: list[str]) -> list[str]:
    """The command that puts the pinned packages into CONTEXT/site, for the image's Python and not for this machine's.

    torch is a wheel from this machine's own folders where pip is set up with one, else it comes from where uv knows
    CPU builds to be.
    """
    argv = [*uv, "pip", "install", "--no-deps", "--link-mode", "copy", "--python", sys.executable]
    argv += ["--python-version", PYTHON, "--python-platform", f"{platform.machine()}-manylinux_2_36"]
    argv += ["--only-binary", ":all:", "--target", str(context / "site")]
    argv += ["--requirement", str(context / "requirements.txt")]
    local = [folder for folder in links if Path(folder).is_dir() and any(Path(folder).glob(TORCH_WHEEL))]
    if local:
        return [*argv, "--find-links", local[0]]
    return [*argv, "--torch-backend", "cpu"]


def find_links() -> list[str]:
    """The folders that pip on this machine looks for wheels in, by its environment and its configuration."""
    words = os.environ.get("PIP_FIND_LINKS", "").split()
    done = run([sys.executable, "-m", "pip", "config", "list"], check=False)
    return words + links_in_config(done.stdout.decode(errors="replace"))


def links_in_config(listing: str) -> list[str]:
    """The find-links of a `pip config list`: lines `global.find-links='A B'`."""
    found: list[str] = []
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        if name.endswith(".find-links"):
            found += value.strip("'\"").replace("\\n", " ").split()
    return found


def uv_command(cache: Path, log: Path) -> list[str]:
    """uv: beside this Python, on the PATH, or installed into the cache."""
    found = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if found:
        return [found]
    folder = cache / "engine" / "uv"
    if not (folder / "bin" / "uv").is_file():
        run_logged([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), UV], log)
    return [str(folder / "bin" / "uv")]


def _registry_base() -> str | None:
    if _present(REGISTRY_BASE):
        return REGISTRY_BASE
    try:
        run(["docker", "pull", "--quiet", REGISTRY_BASE], timeout=REGISTRY_SECONDS)
    except LabError:
        return None
    return REGISTRY_BASE


def _debootstrap_base(cache: Path, log: Path) -> str:
    """Debian 12 with its own Python 3.11, imported as an image."""
    if _present(BUILT_BASE):
        return BUILT_BASE
    if os.geteuid() != 0:
        raise LabError("making the engine's base with debootstrap needs root: run it with sudo")
    ensure_commands(["debootstrap"], log)
    if not KEYRING.is_file():
        # Ubuntu's debootstrap comes without Debian's keys, and would then not check signatures.
        run_logged(["apt-get", "install", "-y", "-q", "--no-install-recommends", "debian-archive-keyring"], log)
    lines = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)"]
    mirror = mirror_of(output(lines), "Debian") if shutil.which("apt-get") else None
    with tempfile.TemporaryDirectory(dir=cache / "engine", prefix="root-") as scratch:
        root = Path(scratch) / "root"
        argv = ["debootstrap", "--variant=minbase", "--include=ca-certificates,python3,libnuma1", "bookworm", str(root)]
        run_logged([*argv, *([mirror] if mirror else [])], log)
        for unused in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"):
            shutil.rmtree(root / unused, ignore_errors=True)
        import_argv = ["docker", "import", "--change", f"LABEL {IMAGE_LABEL}=lab-python", "-", BUILT_BASE]
        pack = subprocess.Popen(["tar", "-C", str(root), "--numeric-owner", "-c", "."], stdout=subprocess.PIPE)
        done = subprocess.run(import_argv, stdin=pack.stdout, capture_output=True, check=False)
        if pack.wait() != 0 or done.returncode != 0:
            raise LabError(
                f"docker import of the Debian 12 root failed: {done.stderr.decode(errors='replace').strip()}"
            )
    return BUILT_BASE


def describe(tag: str) -> dict[str, object]:
    """The image's size in bytes and the engine's version, for the lab's status."""
    found = json.loads(output(["docker", "image", "inspect", tag]))[0]
    return {"tag": tag, "id": found["Id"], "bytes": found["Size"]}


def is_available(cache: Path) -> bool:
    """Whether the image is at hand without building it."""
    return _present(engine_tag()) or engine_tar(cache).is_file()
