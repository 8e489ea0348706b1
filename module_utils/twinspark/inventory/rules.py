"""What an inventory must be before anything is asked of a host: plain rules, each failure with its fix.

No Ansible and no network here; `library/twinspark_inventory.py` collects the data and reports the sentences.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..proof.proofs import STAGES
from . import fabric
from .secret_names import secret_names

# Facts and play variables that the playbooks set themselves while they run.
RUNTIME = frozenset({"common_as_user", "twinspark_controller_dir", "twinspark_here", "twinspark_uninstall_consent"})
# Settings with rules of their own below, which say more than their type does.
JUDGED = frozenset({"twinspark_override", "twinspark_rail_mtu", "twinspark_rails", "twinspark_rails_first_host"})
# Settings that had one name a role until they moved to the role `common`; an inventory that still has them is told.
RENAMED = {
    "cx7_network_mtu": "twinspark_rail_mtu",
    "hf_weights_home": "twinspark_hub_home",
    "hf_weights_owner": "twinspark_user",
    "hf_weights_repo": "twinspark_weights_repo",
    "hf_weights_revision": "twinspark_weights_revision",
    "inspect_eval_model": "twinspark_served_name",
    "inspect_eval_user": "twinspark_user",
    "peer_ssh_key_path": "twinspark_peer_key_path",
    "peer_ssh_known_hosts_path": "twinspark_peer_known_hosts_path",
    "peer_ssh_port": "twinspark_peer_ssh_port",
    "peer_ssh_user": "twinspark_user",
    "preflight_memory_gib": "twinspark_memory_gib",
    "preflight_weights_dir": "twinspark_hub_home",
    "vllm_bench_model": "twinspark_served_name",
    "vllm_image_commit": "twinspark_image_commit",
    "vllm_image_name": "twinspark_image_name",
    "vllm_serve_gpu_memory_utilization": "twinspark_gpu_memory_utilization",
    "vllm_serve_hub_dir": "twinspark_hub_home",
    "vllm_serve_master_port": "twinspark_master_port",
    "vllm_serve_memory_gib": "twinspark_memory_gib",
    "vllm_serve_model_repo": "twinspark_weights_repo",
    "vllm_serve_model_revision": "twinspark_weights_revision",
    "vllm_serve_port": "twinspark_endpoint_port",
    "vllm_serve_served_name": "twinspark_served_name",
}
# Settings that are gone and that no other one replaces by itself, with what to do instead.
NO_KEY = "what asks on the head needs no key: remove it"
LOOPBACK = "the engine listens on loopback only: remove it, and to let others ask set vllm_serve_expose"
CLIENTS = "a key belongs to a client of vllm_serve_expose now: move its path into vllm_serve_expose_keys, after a name"
BOUND = "the supervisor bounds the restarts of all ranks together: remove it, and see vllm_serve_restarts"
GONE = {
    "inspect_eval_api_key_file": NO_KEY,
    "twinspark_endpoint_host": LOOPBACK,
    "twinspark_endpoint_key_file": CLIENTS,
    "vllm_bench_api_key_file": NO_KEY,
    "vllm_serve_api_key_file": CLIENTS,
    "vllm_serve_host": LOOPBACK,
    "vllm_serve_restart_delay": BOUND,
    "vllm_serve_start_interval": BOUND,
    "vllm_serve_start_tries": BOUND,
}
# Prefixes whose variables belong to this project although no role has that name.
OWN_PREFIX = "twinspark_"
# Settings that become flags of the engine; one needs a declaration, which the engine's own documentation does not tell.
FLAG = "vllm_serve_flag_"
# Below this likeness a foreign name is somebody else's variable and none of our business (0 to 1, difflib).
LIKENESS = 0.9
# With our prefix in common two names are alike already, so the rest must be, too.
OURS = 0.75

# What a profile must say unless the inventory does, with the setting that would.
NEEDED = {
    "weights.repo": "twinspark_weights_repo",
    "weights.revision": "twinspark_weights_revision",
    "image.tag": "twinspark_image_name",
    "image.commit": "twinspark_image_commit",
    "serve.served_name": "twinspark_served_name",
}


@dataclass(frozen=True)
class Inventory:
    """What is judged. `addresses` and `rails` are by host of group `sparks`, in the order of the group.

    `profile_content` is the profile's file, None where there is none. `first_host`, `mtu` and `ports` (ansible_port by
    host) are as the owner wrote them. `unpinned` are the sentences of host_keys.unpinned, `wrong` those of
    settings.wrong. `owner_variables` are those that somebody set, and no task. `client_environment` names the
    variables, never their values, in each host's hf_weights_client_environment.
    """

    addresses: Mapping[str, str]
    rails: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    variables: Collection[str] = ()
    owner_variables: Collection[str] = ()
    profile: str = ""
    weights_revision: str = ""
    override: Sequence[str] = ()
    left_out: Sequence[str] = ()
    first_host: Any = 11
    mtu: Any = 9000
    ports: Mapping[str, Any] = field(default_factory=dict)
    unpinned: Sequence[str] = ()
    wrong: Sequence[str] = ()
    client_environment: Mapping[str, Sequence[str]] = field(default_factory=dict)
    profile_content: Any = None


@dataclass(frozen=True)
class Known:
    """What there is to choose from: names of variables, prefixes of roles, names of profiles, and their keys that roles
    read, as dotted paths.
    """

    variables: frozenset[str]
    roles: frozenset[str]
    profiles: tuple[str, ...]
    profile_paths: frozenset[str] = frozenset()


def problems(inventory: Inventory, known: Known) -> list[str]:
    """Every problem as one sentence with its fix; an empty list is a good inventory."""
    if not inventory.addresses:
        return [
            "no host is in the inventory group 'sparks': name at least one under sparks.hosts, with its ansible_host"
        ]
    found = left_out(inventory.left_out)
    found += [*bad_profile(inventory.profile, known.profiles), *bad_content(inventory, known)]
    found += bad_revision(inventory.weights_revision)
    found += [*inventory.unpinned, *secret_environment(inventory.client_environment)]
    for stage in inventory.override:
        if stage not in STAGES:
            found.append(f"twinspark_override names {stage!r}, which is not a stage{did_you_mean(stage, STAGES)}")
    found += [*misspelt(inventory.variables, known), *internal(inventory.owner_variables, known)]
    found += [*bad_addresses(inventory.addresses), *bad_numbers(inventory), *no_fabric(inventory)]
    return [*found, *inventory.wrong]


def left_out(hosts: Sequence[str]) -> list[str]:
    """Ranks, addresses and proofs are of the whole group: a part would fail later, where it misses the rest."""
    if not hosts:
        return []
    fix = "run it without --limit, or take a host that is gone out of the inventory"
    return [f"--limit leaves out {', '.join(hosts)}, but a stage needs every host of the group 'sparks': {fix}"]


def secret_environment(names: Mapping[str, Sequence[str]]) -> list[str]:
    """A job's environment stands in its unit and its records, where a secret must not be."""
    return [
        f"{host}: {name} in hf_weights_client_environment looks like a secret, and its value is recorded with "
        "the job: take it out; a token for the Hub goes into a file, and the file's path into hf_weights_token_file"
        for host, given in names.items()
        for name in secret_names(map(str, given))
    ]


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`: did you mean X?` for the nearest choice, else `: there are A, B`."""
    choices = list(choices)
    near = difflib.get_close_matches(str(word), choices, n=1, cutoff=0.6)
    if near:
        return f": did you mean {near[0]}?"
    return f": there are {', '.join(choices)}" if choices else ""


def bad_addresses(addresses: Mapping[str, str]) -> list[str]:
    """Addresses in figures that are none; a name can't be judged here."""
    found = []
    for host, address in addresses.items():
        if re.fullmatch(r"[0-9.]+", address) and not is_ip(address):
            fix = "write four numbers from 0 to 255, like 192.168.1.20, or a name"
            found.append(f"{host}: its ansible_host {address} is not an IPv4 address: {fix}")
        elif ":" in address and not is_ip(address.strip("[]")):
            found.append(
                f"{host}: its ansible_host {address} is not an IPv6 address: correct it; a port goes into ansible_port"
            )
    return found


def bad_numbers(inventory: Inventory) -> list[str]:
    """Settings that must be whole numbers in a range."""
    found = []
    if not isinstance(inventory.first_host, int) or not is_number(inventory.first_host, 1):
        found.append(f"twinspark_rails_first_host is {inventory.first_host!r}: give a whole number of at least 1")
    if not is_number(inventory.mtu, 1280, 9978):
        found.append(f"twinspark_rail_mtu is {inventory.mtu!r}: give a whole number from 1280 to 9978, as a rule 9000")
    for host, port in inventory.ports.items():
        if not is_number(port, 1, 65535):
            found.append(
                f"{host}: its ansible_port is {port!r}: give a whole number from 1 to 65535, or leave it out for 22"
            )
    return found


def is_number(value: Any, lowest: int, highest: int | None = None) -> bool:
    """Whether a value is a whole number in the range; one written as a text is taken, as Ansible does."""
    if isinstance(value, bool) or not re.fullmatch(r"\d+", str(value)):
        return False
    return lowest <= int(value) and (highest is None or int(value) <= highest)


def no_fabric(inventory: Inventory) -> list[str]:
    """What speaks against hosts and rails, told by the function that works the addresses out."""
    first = inventory.first_host if is_number(inventory.first_host, 1) else 11  # told by bad_numbers
    settings = {
        host: {
            "ansible_host": address,
            "twinspark_rails": inventory.rails.get(host, []),
            "twinspark_rails_first_host": int(first),
        }
        for host, address in inventory.addresses.items()
    }
    try:
        fabric.fabric(list(settings), settings)
    except fabric.FabricError as error:
        return list(error.problems)
    return []


def bad_profile(profile: str, profiles: Sequence[str]) -> list[str]:
    """The profile must be a file of profiles/."""
    if profile in profiles:
        return []
    if not profile.strip():
        return [f"twinspark_profile is empty: name a profile{did_you_mean(profile, profiles)}"]
    near = did_you_mean(profile, profiles)
    return [f"twinspark_profile is {profile!r}, but there is no profiles/{profile}.yml{near}"]


def bad_revision(revision: str) -> list[str]:
    """A commit in full: what is shorter, or a branch, may be other bytes tomorrow. Empty: the profile tells it."""
    if not revision or re.fullmatch(r"[0-9a-f]{40}", revision):
        return []
    fix = "give the full commit, 40 hexadecimal digits, of the repository's history on the Hub"
    return [f"twinspark_weights_revision is {revision!r}: {fix}"]


def bad_content(inventory: Inventory, known: Known) -> list[str]:
    """What a profile says and nobody reads: a misspelt key would be ignored without a word."""
    if inventory.profile not in known.profiles or not known.profile_paths:
        return []
    where = f"profiles/{inventory.profile}.yml"
    if not isinstance(inventory.profile_content, Mapping):
        return [f"{where} is empty or a list: write it as the profiles that come with twinspark are"]
    found = [f"{where}: {clause}" for clause in profile_keys(inventory.profile_content, known.profile_paths)]
    lacking = [
        key
        for key, setting in NEEDED.items()
        if setting not in inventory.variables and value_of(inventory.profile_content, key) is None
    ]
    fix = "write it as in the profiles that come with twinspark"
    return found or ([f"{where} has no {', '.join(lacking)}: {fix}"] if lacking else [])


def value_of(content: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, None where a part is not there."""
    value: Any = content
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def profile_keys(content: Mapping[str, Any], known: Collection[str], above: str = "") -> list[str]:
    """Keys that no role reads, a clause each. known: dotted paths that are read; what is below one is the reader's."""
    found = []
    for key, value in content.items():
        path = f"{above}{key}"
        below = [name for name in known if name.startswith(f"{path}.")]
        if path in known:
            continue
        if not below:
            near = difflib.get_close_matches(path, known, n=1, cutoff=OURS)
            fix = f"did you mean {near[0]}?" if near else "remove it"
            found.append(f"no role reads the key {path}: {fix}")
        elif isinstance(value, Mapping):
            found += profile_keys(value, known, f"{path}.")
        else:
            found.append(f"{path} must have keys of its own ({', '.join(sorted(below))})")
    return found


def misspelt(variables: Collection[str], known: Known) -> list[str]:
    """Variables that look like this project's and are none: an unknown name is silently ignored by Ansible."""
    found = []
    nothing = "is not known to any role"
    for name in sorted(set(variables) - known.variables):
        if name.startswith(("_", "ansible_")):
            continue
        if name in RENAMED:
            found.append(f"the variable {name} is called {RENAMED[name]} now: rename it")
            continue
        if name in GONE:
            found.append(f"the variable {name} is gone, for {GONE[name]}")
            continue
        ours = is_ours(name, known.roles)
        near = difflib.get_close_matches(name, known.variables, n=1, cutoff=OURS if ours else LIKENESS)
        meant = f"did you mean {near[0]}?" if near else ""
        if name.startswith(FLAG):
            rest = "a flag that has no setting of its own goes into serve.args of the profile"
            meant = f"{meant} {rest.capitalize()}" if near else rest
        if meant:
            found.append(f"the variable {name} {nothing}: {meant}")
        elif ours:
            found.append(f"the variable {name} {nothing}: remove it, or see the roles' defaults for names")
    return found


def internal(variables: Collection[str], known: Known) -> list[str]:
    """Variables of a role for itself that somebody set: the role's own value wins in silence, or the role breaks."""
    found = []
    public = [name for name in known.variables if not name.startswith("_")]
    for name in sorted(variables):
        bare = name.removeprefix("__")
        if bare == name or not is_ours(bare, known.roles):
            continue
        near = difflib.get_close_matches(bare, public, n=1, cutoff=OURS)
        fix = f"did you mean {near[0]}?" if near else "remove it"
        found.append(f"the variable {name} is a role's own and can't be set: {fix}")
    return found


def is_ours(name: str, roles: Iterable[str]) -> bool:
    """Whether a variable's name is one that this project or a role of it would have."""
    return name.startswith((OWN_PREFIX, *(f"{role}_" for role in roles)))


def is_ip(address: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True
