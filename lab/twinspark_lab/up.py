"""`lab up`: look at every piece, make or mend what is not as it should be, and say what was done."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import access, engine, furnish, hosts, inventory, rails, seed, services, sysfs
from .hosts import Placement
from .image import Say, ensure_host_image, lock
from .machine import Machine, engine_dir, ensure_docker, probe_machine, require_root, require_space
from .names import Lab, cache_home
from .network import ensure_network
from .shell import LabError, LabUsage, ensure_commands, output

FIRST_HOST = 11  # the last octet of rank 0 on the rails (twinspark_rails_first_host)


@dataclass(frozen=True)
class Options:
    engine: bool  # put the engine image and the lab's model and services in


def up(lab: Lab, options: Options, say: Say) -> Path:
    """Bring the lab up, or to what it should be; the inventory folder."""
    require_root()
    ensure_commands(["ip", "nsenter", "ssh", "ssh-keygen"], engine_dir() / "apt.log")
    say(f"docker engine {ensure_docker()}")
    machine = probe_machine()
    if any(hosts.inspect(lab.container(host)) is None for host in lab.hosts):
        require_space(20 if options.engine else 4)
    lab.state.mkdir(parents=True, exist_ok=True)
    with lock(lab.state / "lock"):
        return _up(lab, options, machine, say)


def _up(lab: Lab, options: Options, machine: Machine, say: Say) -> Path:
    cable = rails.rails()
    image = ensure_host_image(say)
    subnet = ensure_network(lab, [rail.subnet for rail in cable])
    places = hosts.placements(lab, subnet, image)
    key = access.ensure_key(lab)
    for place in places:
        hosts.ensure_volume(lab, place.host)
    heavy = engine_image(say) if options.engine else None
    planted = seed.ensure_seed(heavy, image, machine, say) if heavy is not None else None
    if planted is not None:
        seed.before_start(lab, planted)
    pems = furnish.extra_certificates(os.environ, bundle(image))
    files = furnish.host_files(pems, os.environ)
    login = furnish.login_files(key)
    for index, place in enumerate(places):
        created = hosts.ensure_created(lab, place, machine)
        macs = {rail.interface: rails.mac(lab.name, place.host, rail.interface) for rail in cable}
        tree = sysfs.tree(cable, macs, FIRST_HOST + index)
        furnish.put(lab, place.host, furnish.archive({**files, **(login if created else {})}, tree, sysfs.ROOT))
        if hosts.ensure_started(lab, place.host):
            say(f"{place.host}: {'made' if created else 'started again'} at {place.address}")
    lay_rails(lab, say)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda place: _finish(lab, place, pems, key), places))
    addresses = {place.host: (place.address, access.host_key(lab, place.host)) for place in places}
    lab.known_hosts.write_text(access.known_hosts_text(addresses))
    for place in places:
        access.wait_login(lab, place.host, place.address)
    if heavy is not None and planted is not None:
        seed.after_start(lab, heavy, planted, say)
    urls = ensure_services(lab, image, required=options.engine, say=say)
    (lab.state / "lab.json").write_text(json.dumps({"engine": options.engine, **urls}, indent=2) + "\n")
    return inventory.write(lab, places, {"hub": urls.get("hub", ""), "git": urls.get("git", "")})


def engine_image(say: Say) -> seed.EngineImage:
    """The engine's image on this machine's Docker, made where it is missing."""
    tag = engine.ensure_engine_base(cache_home(), say)
    return seed.engine_image(tag, engine.engine_tar(cache_home()))


def ensure_services(lab: Lab, image: str, *, required: bool, say: Say) -> dict[str, str]:
    """The lab's Hub and Git repositories, {"hub": URL, "git": URL}; a lab without the engine can do without."""
    try:
        return services.start(lab, image, cache_home(), say)
    except (LabError, OSError) as error:
        if required:
            raise
        say(f"no Hub and no Git server: {error}")
        return {}


def _finish(lab: Lab, place: Placement, pems: list[str], key: str) -> None:
    hosts.wait_host(lab, place.host)
    furnish.trust(lab, place.host, pems)
    furnish.admit(lab, place.host, key)


def bundle(image: str) -> str:
    """The image's own CA bundle, read once for each image."""
    kept = cache_home() / "hosts" / f"{image.rsplit(':', 1)[1]}.crt"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(furnish.image_bundle(image))
    return kept.read_text()


def lay_rails(lab: Lab, say: Say) -> None:
    """Every rail between the running hosts; one that a restart took away is laid again."""
    pids = hosts.pids(lab)
    for rail in rails.rails():
        if rails.ensure_rail(lab.name, rail.interface, pids):
            say(f"rail {rail.interface}: laid")
            mark_port(lab, list(lab.hosts), rail, up=True)


def mark_port(lab: Lab, names: list[str], rail: rails.Rail, *, up: bool) -> None:
    """Let the stand-in's port state follow the link on the hosts *names*."""
    folder = sysfs.port_folder(rail)
    tree: sysfs.Tree = {f"{folder}/{name}": value for name, value in sysfs.port_state(up).items()}
    for host in names:
        furnish.put(lab, host, furnish.archive({}, tree, sysfs.ROOT))


def reboot(lab: Lab, names: list[str], say: Say) -> None:
    """Restart hosts as a reboot would: systemd shuts down, starts with a new boot id, and finds its rails again."""
    require_root()
    hosts.pids(lab)  # a lab that is not up can't be rebooted
    with lock(lab.state / "lock"):
        with ThreadPoolExecutor() as pool:
            restart = ["docker", "restart", "--time", "60"]
            list(pool.map(lambda host: output([*restart, lab.container(host)]), names))
        lay_rails(lab, say)
        for host in names:
            hosts.wait_host(lab, host)
            say(f"{host}: rebooted")


def link(lab: Lab, host: str, interface: str, state: str) -> None:
    """Take one end of a rail down or up; the other end loses or gains its carrier with it."""
    require_root()
    rail = next((rail for rail in rails.rails() if rail.interface == interface), None)
    if rail is None:
        known = ", ".join(rail.interface for rail in rails.rails())
        raise LabUsage(f"{interface} is no rail of the lab: it has {known}")
    rails.set_link(hosts.init_pid(lab, host), interface, state)
    mark_port(lab, list(lab.hosts), rail, up=state == "up")
