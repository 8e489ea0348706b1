"""The engine image inside the hosts' own Docker: loaded once into a seed volume, then shared by hard links.

`docker save | docker load` of the engine image takes a minute a host on two cores. Docker never writes into a layer
that it has, so a fresh host's volume can link the seed's layers: done in a second, no further disk, and both hosts'
page cache holds the same files once.
"""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import hosts
from .image import Say, lock
from .machine import Machine
from .names import IMAGE_LABEL, Lab, cache_home
from .shell import LabError, output, run, succeeds

READY = ".twinspark-ready"
# Of /var/lib/docker: the layers are linked; the image store, which Docker does rewrite, is copied.
LINKED, COPIED = "overlay2", "image"


@dataclass(frozen=True)
class EngineImage:
    """The engine image on this machine: its ID, all the names it goes by, and its tar if there is one."""

    id: str
    tags: tuple[str, ...]
    tar: Path | None = None

    @property
    def volume(self) -> str:
        return f"twinspark-engine-{self.id.removeprefix('sha256:')[:12]}"


def engine_image(tag: str, tar: Path | None = None) -> EngineImage:
    found = json.loads(output(["docker", "image", "inspect", tag]))[0]
    return EngineImage(found["Id"], tuple(sorted(found["RepoTags"] or [tag])), tar)


def volume_folder(volume: str) -> Path:
    return Path(output(["docker", "volume", "inspect", "--format", "{{.Mountpoint}}", volume]))


def stream(image: EngineImage, container: str) -> None:
    """Load the image into the Docker inside *container*: from its tar, else by a pipe."""
    give = ["cat", str(image.tar)] if image.tar and image.tar.is_file() else ["docker", "save", *image.tags]
    with subprocess.Popen(give, stdout=subprocess.PIPE) as save:
        load = ["docker", "exec", "--interactive", container, "docker", "load", "--quiet"]
        done = subprocess.run(load, stdin=save.stdout, capture_output=True, check=False)
    if save.returncode != 0 or done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise LabError(f"the engine image could not be loaded into {container}: {said or 'docker save failed'}")


def holds(container: str, image: EngineImage) -> bool:
    """Whether the Docker inside *container* has the image under all of its names."""
    argv = ["docker", "exec", container, "docker", "image", "inspect", "--format", "{{.Id}}", *image.tags]
    done = run(argv, check=False)
    return done.returncode == 0 and set(done.stdout.decode().split()) == {image.id}


def ensure_seed(image: EngineImage, host_image: str, machine: Machine, say: Say) -> Path:
    """The folder of the seed volume, made by a host of its own that lives just for that."""
    with lock(cache_home() / "engine" / "seed.lock"):
        if succeeds(["docker", "volume", "inspect", image.volume]):
            if (volume_folder(image.volume) / READY).is_file():
                return volume_folder(image.volume)
            output(["docker", "volume", "rm", "--force", image.volume])
        # Seeds of earlier engines: what a host has of theirs it keeps, by its own links.
        old = output(["docker", "volume", "ls", "--quiet", "--filter", f"label={IMAGE_LABEL}=engine-seed"]).split()
        for volume in old:
            output(["docker", "volume", "rm", "--force", volume])
        say(f"loading {image.tags[0]} once, for every host of every lab")
        output(["docker", "volume", "create", "--label", f"{IMAGE_LABEL}=engine-seed", image.volume])
        _fill(image, host_image, machine)
        folder = volume_folder(image.volume)
        (folder / READY).touch()
        return folder


def _fill(image: EngineImage, host_image: str, machine: Machine) -> None:
    container = f"ts-seed-{image.volume}"
    run(["docker", "rm", "--force", container], check=False)
    argv = hosts.system_argv(container, host_image, machine, image.volume)
    try:
        output(["docker", "run", "--detach", "--label", f"{IMAGE_LABEL}=engine-seed", *argv])
        hosts.wait_until_booted(container)
        stream(image, container)
        # A clean shutdown: Docker has then written all that it keeps in memory.
        output(["docker", "stop", "--time", "60", container])
    finally:
        run(["docker", "rm", "--force", container], check=False)


def plant(seed: Path, volume: Path) -> None:
    """Give the empty volume folder *volume* the seed's images."""
    for name in (LINKED, COPIED):
        shutil.rmtree(volume / name, ignore_errors=True)
    output(["cp", "--archive", "--link", str(seed / LINKED), str(volume / LINKED)])
    output(["cp", "--archive", str(seed / COPIED), str(volume / COPIED)])
    volume.chmod(0o710)


def before_start(lab: Lab, seed: Path) -> None:
    """Plant the seed in the volumes that no Docker has run on yet (it leaves an engine-id on its first start)."""
    for host in lab.hosts:
        folder = volume_folder(lab.volume(host))
        if hosts.inspect(lab.container(host)) is None and not (folder / "engine-id").exists():
            plant(seed, folder)


def after_start(lab: Lab, image: EngineImage, seed: Path, say: Say) -> None:
    """Where a running host lacks the image: plant it if its Docker is empty, else load it by a pipe."""
    for host in lab.hosts:
        container = lab.container(host)
        if holds(container, image):
            continue
        say(f"{host}: loading {image.tags[0]}")
        things = hosts.exec_in(lab, host, ["docker", "image", "ls", "--quiet"])
        things += hosts.exec_in(lab, host, ["docker", "ps", "--all", "--quiet"])
        if things:
            stream(image, container)
        else:
            hosts.exec_in(lab, host, ["systemctl", "stop", "docker.socket", "docker.service"])
            plant(seed, volume_folder(lab.volume(host)))
            hosts.exec_in(lab, host, ["systemctl", "start", "docker.service"])
