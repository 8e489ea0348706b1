"""The lab's services: one container on the management network with the Hub (HTTP) and the engine's Git repository."""

import hashlib
import http.client
import json
import os
import subprocess
import tempfile
import time
from ipaddress import ip_network
from pathlib import Path

import yaml

from .engine import is_available
from .image import Say, content_hash, lock
from .model import PROFILE, ensure_model, hub_data, profile_path
from .names import LABEL, Lab, checkout
from .shell import LabError, ensure_commands, output, run, succeeds

HUB_PORT = 8080
GIT_PORT = 9418
SPEC_LABEL = "io.twinspark.services"
ADDRESS = 10  # the place in the management subnet; the hosts start at 11
STARTUP_SECONDS = 20
# Fixed, so that the same files give the same commit everywhere and the profile can pin it.
COMMITTER = {
    "GIT_AUTHOR_NAME": "twinspark lab",
    "GIT_AUTHOR_EMAIL": "lab@twinspark.invalid",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00+00:00",
    "GIT_COMMITTER_NAME": "twinspark lab",
    "GIT_COMMITTER_EMAIL": "lab@twinspark.invalid",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00+00:00",
}
# One server that ends takes the container with it, so that `lab up` sees and mends it.
COMMAND = (
    "git daemon --export-all --base-path=/srv/git --reuseaddr /srv/git & "
    f"python3 -B /opt/services/hub.py --data /srv/hub --host 0.0.0.0 --port {HUB_PORT} & wait -n"
)


def start(lab: Lab, host_image: str, cache: Path, say: Say) -> dict[str, str]:
    """Start the lab's services container, or keep the one that runs: {"hub": URL, "git": URL of the folder of repos}.

    The lab's model is made first where the engine's image is at hand; a lab without the engine serves what is there.
    """
    if is_available(cache):
        ensure_model(cache, say)
    hub_data(cache).mkdir(parents=True, exist_ok=True)
    ensure_commands(["git"], cache / "git" / "apt.log")
    repositories = ensure_engine_repository(cache)
    name, address = lab.services, _address(lab.network)
    argv = [
        "docker",
        "run",
        "--detach",
        "--init",
        "--name",
        name,
        "--hostname",
        "services",
        "--restart",
        "unless-stopped",
    ]
    argv += ["--label", f"{LABEL}={lab.name}", "--network", lab.network, "--ip", address]
    argv += ["--volume", f"{hub_data(cache)}:/srv/hub:ro", "--volume", f"{repositories}:/srv/git:ro"]
    argv += ["--volume", f"{checkout() / 'lab' / 'services'}:/opt/services:ro"]
    # The repository belongs to whoever ran `lab up`, which need not be the user that serves it.
    for variable, value in (("COUNT", "1"), ("KEY_0", "safe.directory"), ("VALUE_0", "*")):
        argv += ["--env", f"GIT_CONFIG_{variable}={value}"]
    spec = spec_of(argv, output(["docker", "image", "inspect", "--format", "{{.Id}}", host_image]))
    if _running_spec(name) != spec:
        run(["docker", "rm", "--force", name], check=False)
        output([*argv, "--label", f"{SPEC_LABEL}={spec}", host_image, "bash", "-c", COMMAND])
    _await(name, address)
    return {"hub": f"http://{address}:{HUB_PORT}", "git": f"git://{address}"}


def spec_of(argv: list[str], image_id: str) -> str:
    """What a running container must have been made from to be kept."""
    code = content_hash(checkout() / "lab" / "services")
    return hashlib.sha256(json.dumps([argv, COMMAND, image_id, code]).encode()).hexdigest()[:16]


def _running_spec(name: str) -> str | None:
    done = run(["docker", "container", "inspect", name], check=False)
    if done.returncode != 0:
        return None
    found = json.loads(done.stdout)[0]
    spec: str | None = found["Config"]["Labels"].get(SPEC_LABEL)
    return spec if found["State"]["Status"] == "running" else None


def _address(network: str) -> str:
    """The same address each time, so that inventories stay right over a restart."""
    configs = json.loads(output(["docker", "network", "inspect", network]))[0]["IPAM"]["Config"]
    return str(ip_network(configs[0]["Subnet"])[ADDRESS])


def _await(name: str, address: str) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    git = ["git", "ls-remote", "--quiet", f"git://{address}/engine.git", "HEAD"]
    while not (hub_answers(address) and succeeds(git, timeout=5)):
        if time.monotonic() > deadline:
            said = run(["docker", "logs", "--tail", "3", name], check=False)
            words = (said.stdout + said.stderr).decode(errors="replace").strip()
            raise LabError(f"the lab's Hub and Git server at {address} give no answer: {words or 'they said nothing'}")
        time.sleep(0.2)


def hub_answers(address: str) -> bool:
    """Whether the Hub serves; asked directly, past any proxy."""
    connection = http.client.HTTPConnection(address, HUB_PORT, timeout=3)
    try:
        connection.request("GET", "/_lab/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def ensure_engine_repository(cache: Path) -> Path:
    """A folder with engine.git, a bare repository made from lab/engine/repo; its commit is the one in the profile."""
    source = checkout() / "lab" / "engine" / "repo"
    folder = cache / "git" / content_hash(source)
    with lock(cache / "git" / "lock"):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=cache / "git", prefix="make-") as scratch:
                commit = make_repository(source, Path(scratch) / "made" / "engine.git")
                pinned = yaml.safe_load(profile_path().read_text())["image"]["commit"]
                if commit != pinned:
                    raise LabError(
                        f"lab/engine/repo is commit {commit} and lab/profiles/{PROFILE}.yml pins {pinned}:"
                        " if it was changed on purpose, pin the new one"
                    )
                (Path(scratch) / "made").rename(folder)
    return folder


def make_repository(source: Path, bare: Path) -> str:
    """Commit the files of SOURCE into the bare repository BARE; the commit, the same wherever it is made."""
    bare.mkdir(parents=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {**COMMITTER, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    environment |= {"GIT_DIR": str(bare), "GIT_WORK_TREE": str(source), "GIT_INDEX_FILE": str(bare / "lab-index")}

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=source, env=environment, capture_output=True, check=False)
        if done.returncode != 0:
            raise LabError(f"`git {words[0]}` failed on {source}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode().strip()

    bare_environment = {**environment}
    del bare_environment["GIT_WORK_TREE"]
    init = ["git", "init", "--quiet", "--bare", "--initial-branch", "main", str(bare)]
    subprocess.run(init, env=bare_environment, check=True)
    git("-c", "core.bare=false", "-c", "core.fileMode=true", "add", "--all", "--force", ".")
    tree = git("write-tree")
    commit = git("commit-tree", "-m", "The lab's engine: vLLM for CPU", tree)
    git("update-ref", "refs/heads/main", commit)
    # A pinned commit can be fetched by its name, also when no branch points at it any more.
    git("config", "uploadpack.allowReachableSHA1InWant", "true")
    (bare / "lab-index").unlink()
    return commit
