"""One clear sentence out of a failed or unreachable result: where, what, and the fix.

The texts that are recognised here were recorded from OpenSSH 9.2, sudo 1.9 and ansible-core 2.21
(tests/unit/module_utils/inventory/cases/explain.yaml). No fix ever weakens a check.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..proof.foreign import lines_of
from ..proof.json_form import ShapeError
from ..proof.values import Proof, Verdict, lines
from .settings import plain

# What kind of failure it was; the wrapper's exit code follows from it (src/twinspark/exitcodes.py).
INVENTORY = "inventory"  # wrong settings; nothing was changed
GATE = "gate"  # a proof is missing, or a verdict is not ok
UNREACHABLE = "unreachable"  # ssh, sudo or Python on the host
TASK = "task"  # anything else

ACTIONS = {
    "twinspark_inventory": INVENTORY,
    "ansible.builtin.validate_argument_spec": INVENTORY,
    "twinspark_gate": GATE,
    "twinspark_consent": GATE,
    "twinspark_pair_gate": GATE,
    "twinspark_proof": GATE,
    "twinspark_refusal": GATE,
}
# Ansible puts these before a message; they say nothing.
PREFIX = re.compile(r"^(?:(?:Task|Module|Action) failed: )+")
# Where ssh and Ansible tell whom they spoke with, the most telling first.
LOGINS = (
    r'remote host "([^"]+)"',
    r"connect to host (\S+) port",
    r"Could not resolve hostname (\S+?):",
    r"Connection (?:to|closed by|reset by) (?:remote host )?(\S+) port",
)
LONGEST_LINE = 1000  # characters of a line that are looked at
MOST_LINES = 200  # of the beginning, and of the end
LONGEST = 1200  # characters of a message that nobody recognised


@dataclass(frozen=True)
class Failure:
    """What is known of a failure. `result` is the module's own result as Ansible's callbacks give it."""

    host: str
    result: Mapping[str, Any]
    task: str = ""
    action: str = ""
    address: str = ""
    unreachable: bool = False
    user: str = ""  # of the login, and its port, as far as the inventory tells
    port: str = ""


@dataclass(frozen=True)
class Explained:
    """The sentence, and the kind that decides the exit code. verdicts: where several did not pass, a line each."""

    kind: str
    sentence: str
    verdicts: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """What to print: the sentence, or its beginning and the verdicts below."""
        return [self.sentence, *(f"  {line}" for line in self.verdicts)]


def explain(failure: Failure) -> Explained:
    """The one sentence to print instead of the result."""
    text = everything_said(failure.result)
    address = target(text, failure).rpartition("@")[2] if failure.unreachable else failure.address
    where = f"{failure.host} ({address})" if address and address != failure.host else failure.host
    found = ssh_trouble(text, failure) if failure.unreachable else host_trouble(text, failure)
    if found:
        return Explained(UNREACHABLE, f"{where}: {found}")
    kind = ACTIONS.get(failure.action, TASK)
    stopped = stopping(failure.result) if failure.action == "twinspark_proof" else []
    if len(stopped) > 1:
        stage = failure.result["proof"]["stage"]
        return Explained(kind, f"{failure.host}: Stage {stage} did not pass:", tuple(lines(stopped)))
    message = message_of(failure.result, LONGEST if kind == TASK else 0)
    if failure.unreachable:
        fix = f"Fix: make `ssh {by_hand(text, failure)} true` work without a question, then run again."
        return Explained(UNREACHABLE, f"{where}: can't be reached by ssh: {message} {fix}")
    if kind == TASK and failure.task:
        return Explained(kind, f"{failure.host}: {failure.task}: {message}")
    return Explained(kind, message if kind == INVENTORY else f"{failure.host}: {message}")


def stopping(result: Mapping[str, Any]) -> list[Verdict]:
    """The verdicts of a result's proof that stop the line; none where it has none that can be read."""
    proof = result.get("proof")
    try:
        return [verdict for verdict in Proof.from_json(proof).verdicts if verdict.stops] if proof else []
    except ShapeError:
        return []


# Ansible's words about files that it can't read, where they say too much or too little.
CLEARER = (
    (r"^(?:YAML parsing failed|Failed to parse inventory): |^Could not process '.+?': |, got: <class .*|\.$", ""),
    (r"^.*codec can't encode.*$", "it is not UTF-8"),
    (r"^Completely failed to parse inventory source .*$", "nothing in it is an inventory"),
    (r"_AnsibleTaggedList", "list"),
    (r"^Attempting to decrypt but no vault secrets found$", "it is encrypted: set ANSIBLE_VAULT_PASSWORD_FILE"),
)


@dataclass(frozen=True)
class Unread:
    """Why Ansible can't read a file of an inventory. `file` is empty where it does not say which; `line` 0 likewise."""

    why: str
    file: str = ""
    line: int = 0
    column: int = 0

    def sentence(self, inventory: str) -> str:
        """What, where, and the fix."""
        place = f" at line {self.line}, column {self.column}" if self.line else ""
        return (
            f"Ansible can't read {self.file or inventory}{place} ({self.why}): correct it, or make an inventory with "
            "`twinspark init`. Nothing was changed"
        )


def inventory_trouble(text: str) -> Unread:
    """What `ansible-inventory` complained of."""
    text = short(text)
    unread = re.search(r"Completely failed to parse inventory source (.+)", text)
    source = unread[1].strip() if unread else ""
    # Every plugin is asked in turn, and complains of what is another's format, too.
    plugin = "yaml" if source.endswith((".yml", ".yaml", ".json")) else "host_list" if source.endswith(",") else "ini"
    told = re.findall(rf"Failed to parse inventory with '{plugin}' plugin: (.+)", text)
    told = told or re.findall(r"\[ERROR\]: (.+)", text) or text.splitlines()[-1:] or ["it says nothing"]
    why = told[0].strip()
    for pattern, clearer in CLEARER:
        why = re.sub(pattern, clearer, why)
    place = re.search(r"^Origin: (/.+):([0-9]{1,18}):([0-9]{1,18})$", text, re.MULTILINE)
    if place:
        return Unread(why, place[1], int(place[2]), int(place[3]))
    origin = re.search(r"^Origin: (/.+)$", text, re.MULTILINE) or re.search(r"Could not process '(/.+?)'", text)
    return Unread(why, origin[1] if origin else source)


def ssh_trouble(text: str, failure: Failure) -> str:
    """What stopped ssh, with its fix; empty when the text is none that is known."""
    login = target(text, failure)
    address = login.rpartition("@")[2]
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in text:
        return key_changed(text, failure)
    if "Host key verification failed" in text or "host key is known for" in text:
        return (
            f"its ssh host key is not known yet. Fix: run `ssh {by_hand(text, failure)}` once by hand, compare the "
            "fingerprint with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` at its console, and answer yes only "
            "if they agree (with the ssh options that the inventory gives in ansible_ssh_common_args, if any)."
        )
    missing = re.search(r"(?:no such identity: |Identity file )(\S+?)[:\s](?: ?No such file| not accessible)", text)
    if missing:
        key = missing[1]
        return (
            f"the private key {key} does not exist. Fix: correct ansible_ssh_private_key_file in the inventory, "
            f"or make the key with `ssh-keygen -t ed25519 -f {key}` and `ssh-copy-id -i {key} {login}`."
        )
    if "bad permissions" in text or "UNPROTECTED PRIVATE KEY FILE" in text:
        return "ssh ignores the private key since others can read it. Fix: `chmod 600` the key file."
    if "Permission denied" in text or "Too many authentication failures" in text:
        return (
            f"ssh as {login} is refused: no key that this machine offers is allowed there. Fix: "
            f"`ssh-copy-id {login}`, or name the right user and key in the inventory "
            "(ansible_user, ansible_ssh_private_key_file)."
        )
    return network_trouble(text, address)


def key_changed(text: str, failure: Failure) -> str:
    """ssh's banner tells the file, the line and the key that is shown now: all of it is needed for the fix."""
    offending = re.search(r"Offending (\S+) key in (\S+?):(\d+)", text)
    fingerprint = re.search(r"SHA256:\S+?(?=\.?\s|\.?$)", text)
    remove = re.search(r'ssh-keygen -f "([^"]+)" -R "([^"]+)"', text)
    pinned = f" (line {offending[3]} of {offending[2]})" if offending else ""
    shown = f"; it now shows {fingerprint[0].rstrip('.')}" if fingerprint else ""
    file = offending[2] if offending else ""
    own = "" if not file or file.endswith("/.ssh/known_hosts") else f"-o UserKnownHostsFile={file} "
    command = (
        f'ssh-keygen -f "{remove[1]}" -R "{remove[2]}"'
        if remove
        else f"ssh-keygen -R {target(text, failure).rpartition('@')[2]}"
    )
    return (
        f"its ssh host key is not the pinned one{pinned}{shown}. Another machine may be answering. Fix: "
        "only if you reinstalled it, compare that with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` at its "
        f"console, then run `{command}` and log in once by hand: `ssh {own}{by_hand(text, failure)}`."
    )


def network_trouble(text: str, address: str) -> str:
    """ssh did not even get to speak with a server."""
    port = re.search(r"port (\d+)", text)
    at = f"{address} port {port[1] if port else 22}"
    if "Could not resolve hostname" in text:
        return f"the name {address} has no address. Fix: write the IP address as ansible_host in the inventory."
    if "Connection refused" in text:
        return (
            f"nothing listens for ssh at {at}. Fix: start it at the console (`sudo systemctl enable --now ssh`), "
            "or correct ansible_host and ansible_port in the inventory."
        )
    if re.search(r"timed out|Timeout|timeout", text):
        return (
            f"no answer from {at}. Fix: check that the machine is on and its management cable is in, that "
            f"`ping {address}` answers, and that no firewall is between."
        )
    if re.search(r"No route to host|Network is unreachable|Host is down", text):
        return (
            f"there is no route to {at} from here. Fix: check that both are in the same network "
            f"(`ip route get {address}`), or correct ansible_host in the inventory."
        )
    if re.search(r"Connection (?:closed|reset) by|closed by remote host|Broken pipe|lost connection", text):
        return (
            f"the ssh connection to {address} was cut. Fix: see `journalctl -u ssh` there; "
            "if it is rebooting, wait and run again."
        )
    return ""


def host_trouble(text: str, failure: Failure) -> str:
    """ssh works, but nothing can be run there: sudo or Python."""
    user = target(text, failure).partition("@")[0] if "@" in target(text, failure) else "the login user"
    free = (
        f'`echo "$USER ALL=(ALL) NOPASSWD: ALL" | sudo tee /etc/sudoers.d/twinspark` as {user} on it, '
        "or keep ansible_become_password in a vault file, or add --ask-become-pass"
    )
    if re.search(r"Missing sudo password|sudo: a password is required|sudo: a terminal is required", text):
        return f"sudo asks {user} for a password. Fix: {free}."
    if re.search(r"Incorrect sudo password|sudo: \d+ incorrect password", text):
        return (
            "sudo does not take the password given. Fix: type it again with --ask-become-pass, or correct "
            "ansible_become_password in the vault file."
        )
    if re.search(r"is not in the sudoers file|is not allowed to (?:run sudo|execute)", text):
        return f"{user} may not use sudo. Fix: as root on it, `usermod -aG sudo USER`, then log in again."
    if re.search(r"sudo: (?:command )?not found", text):
        return "sudo is not installed. Fix: as root on it, `apt-get install sudo`, and allow the login user to use it."
    if re.search(r"waiting for (?:privilege escalation prompt|become success)", text):
        return f"sudo did not answer. Fix: check that `sudo -n true` works for {user} on it; if not, {free}."
    named = re.search(r"The module interpreter '([^']+)' was not found", text)
    words = (word_before(marker, text) for marker in (": not found", ": No such file"))
    paths = (word[word.index("/") :] for word in words if "python" in word.partition("/")[2])
    missing = named[1] if named else next(paths, "")
    if missing:
        return f"there is no Python at {missing}. Fix: `sudo apt-get install python3` on it."
    return ""


def target(text: str, failure: Failure) -> str:
    """What a person would type after `ssh`: user@address when ssh's text tells the user."""
    refused = word_before(": Permission denied", text)
    if "@" in refused.strip("@"):
        return refused
    for pattern in LOGINS:
        found = re.search(pattern, text)
        if found:
            return found[1]
    return failure.address or failure.host


def word_before(marker: str, text: str) -> str:
    """The word that stands right before the first place of `marker`; empty where that is nowhere."""
    before, found, _ = text.partition(marker)
    words = before.rsplit(maxsplit=1) if found and not before[-1:].isspace() else []
    return words[-1] if words else ""


def by_hand(text: str, failure: Failure) -> str:
    """What follows `ssh` on a command line: the port, if it is not ssh's own, and user@address."""
    login = target(text, failure)
    if "@" not in login and failure.user:
        login = f"{failure.user}@{login}"
    named = re.search(r"\[[^\[\]\s]+\]:(\d{1,5})", text)
    port = named[1] if named else failure.port
    return f"-p {port} {login}" if port not in ("", "22") else login


def everything_said(result: Mapping[str, Any]) -> str:
    """The texts of Ansible, ssh and sudo; never a command's own output, which may quote anything."""
    keys = ("msg", "module_stderr")
    return short("\n".join(str(result[key]) for key in keys if result.get(key)))


def short(text: str) -> str:
    """The first and last lines of a text, none longer than a person reads: what a program says may be without end."""
    lines = list(lines_of(text, LONGEST_LINE))
    return "\n".join(lines if len(lines) <= 2 * MOST_LINES else [*lines[:MOST_LINES], *lines[-MOST_LINES:]])


def message_of(result: Mapping[str, Any], longest: int = LONGEST) -> str:
    """The result's own message on one line, ending in a full stop; of a loop the first item that failed.

    longest: characters after which it is cut, 0 for a message of this project's own, all of which is to be read.
    """
    if result.get("censored"):
        return "it failed, and its output is hidden since it handles a secret."
    for item in result.get("results") or []:
        if isinstance(item, Mapping) and (item.get("failed") or item.get("unreachable")):
            return message_of(item, longest)
    errors = result.get("argument_errors")
    if errors:
        return one_line("wrong settings: " + "; ".join(plain(map(str, errors))), longest)
    message = str(result.get("msg") or "it failed and said nothing")
    if message.startswith("non-zero return code") or "deserialization failed" in message:
        said = str(result.get("stderr") or result.get("module_stderr") or result.get("stdout") or "").strip()
        message = f"exit code {result.get('rc')}: {said.splitlines()[-1][:LONGEST] if said else 'nothing was printed'}"
    return one_line(message, longest)


def one_line(message: str, longest: int = 0) -> str:
    """Without Ansible's prefixes, line breaks and excess."""
    text = " ".join(PREFIX.sub("", message).split())
    if 0 < longest < len(text):
        text = text[:longest].rstrip() + " ..."
    return text if text.endswith((".", "!", "?")) else text + "."
