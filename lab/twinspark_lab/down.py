"""`lab down`: everything with the lab's label, its state folder, and nothing else."""

import shutil

from .image import Say
from .machine import docker_answers
from .names import IMAGE_LABEL, LABEL, Lab, cache_home
from .shell import LabError, output

# Kind of thing, how to list it, how to remove it: containers first, they hold the rest.
KINDS = (
    ("container", ["docker", "ps", "--all", "--quiet"], ["docker", "rm", "--force", "--volumes"]),
    ("network", ["docker", "network", "ls", "--quiet"], ["docker", "network", "rm"]),
    ("volume", ["docker", "volume", "ls", "--quiet"], ["docker", "volume", "rm", "--force"]),
)


def down(lab: Lab, say: Say) -> None:
    """Remove the lab; the rails go with the namespaces they are in. Safe to run again."""
    if docker_answers():
        for kind, listing, removal in KINDS:
            found = output([*listing, "--filter", f"label={lab.label}"]).split()
            if found:
                output([*removal, *found])
                say(f"{len(found)} {kind}{'s' if len(found) > 1 else ''} removed")
    elif lab.state.is_dir():
        say("no Docker engine answers: only the lab's own files can be removed now")
    shutil.rmtree(lab.state, ignore_errors=True)


def purge(say: Say) -> None:
    """The images, seed volumes and cached files that labs share; the next `up` makes them again."""
    if docker_answers():
        others = output(["docker", "ps", "--all", "--filter", f"label={LABEL}", "--format", "{{.Names}}"]).split()
        if others:
            raise LabError(f"other labs hold what would be purged ({', '.join(others)}): take them down first")
        volumes = output(["docker", "volume", "ls", "--quiet", "--filter", f"label={IMAGE_LABEL}"]).split()
        if volumes:
            output(["docker", "volume", "rm", *volumes])
        images = output(["docker", "image", "ls", "--quiet", "--filter", f"label={IMAGE_LABEL}"]).split()
        if images:
            output(["docker", "image", "rm", "--force", *dict.fromkeys(images)])
        say(f"{len(set(images))} shared images removed")
    for folder in ("hosts", "hub", "model", "git"):
        shutil.rmtree(cache_home() / folder, ignore_errors=True)
    # Of the engine's folder the note about a Docker engine that the lab started has to stay.
    for tar in (cache_home() / "engine").glob("*.tar"):
        tar.unlink()
