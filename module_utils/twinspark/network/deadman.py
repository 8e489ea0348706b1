"""The dead-man's switch of a network change: what is saved, what applies and undoes it, and the units that watch.

A change is prepared whole in a folder of its own and armed before the first file is touched; from then on units on the
host do the rest, so that neither a lost controller nor a killed module leaves it half done. A transient timer, and at
boot a unit, run `undo.sh` unless the controller has come back over a new management connection and confirmed. Whoever
renames the file `armed` first wins.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..proof.json_form import SPARSE, Json
from .running import Running, runtime_commands
from .state import Difference

UNIT = "twinspark-network-deadman"
APPLY_UNIT = "twinspark-network-apply"
BOOT_UNIT_PATH = f"/etc/systemd/system/{UNIT}-boot.service"
BOOT_LINK_PATH = f"/etc/systemd/system/multi-user.target.wants/{UNIT}-boot.service"
LEAST_SECONDS = 10  # netplan alone takes some 5 s
HANG_SECONDS = 120  # a netplan that takes longer in an undo is not waited for; a loaded emulated host needed 64

# sh: put the copy $1/$2 in the place of $3, whole or not at all. What was left of a killed attempt goes with it.
PUT = 'put() { cp -p -- "$1/$2" "$3.twinspark" && mv -f -- "$3.twinspark" "$3"; }'
# On a full disk there is no room for a second copy; the room of what is there is enough to write into.
PUT_BACK = 'back() { put files "$1" "$2" || { rm -f -- "$2.twinspark"; cat "files/$1" > "$2"; }; }'


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest(Json):
    """What is kept of a change. files: path to whether a copy of what was there is kept; links: their state before.

    id, state, own_paths: of a pending change only; state: present or absent; own_paths: the project's own files.
    """

    called = "manifest"

    id: str = field(default="", metadata=SPARSE)
    files: Mapping[str, bool] = field(default_factory=dict)
    links: Mapping[str, Running] = field(default_factory=dict)
    state: str = field(default="", metadata=SPARSE)
    own_paths: tuple[str, ...] = field(default=(), metadata=SPARSE)


@dataclass(frozen=True, slots=True)
class Foreign:
    """A foreign file to take the rails out of. ids: the stanzas to take out; remove: nothing would be left of it."""

    path: str
    ids: tuple[str, ...]
    remove: bool


@dataclass(frozen=True, slots=True)
class RailAddress:
    """A rail's address with its prefix."""

    interface: str
    cidr: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the network of one host shall be, as twinspark_netplan is told.

    keep: further interfaces whose running state an undo gives back. former: interfaces that are no rails any more, with
    their addresses. state: present or absent.
    """

    path: str
    content: str
    sysctl_path: str
    sysctl_content: str
    takeovers: tuple[Foreign, ...]
    rails: tuple[RailAddress, ...]
    keep: tuple[str, ...]
    mtu: int
    arp: Mapping[str, int]
    former: Mapping[str, tuple[str, ...]]
    drift: tuple[Difference, ...]
    confirm_seconds: int
    state_dir: str
    state: str

    @property
    def addresses(self) -> dict[str, str]:
        """Interface of a rail to its cidr."""
        return {rail.interface: rail.cidr for rail in self.rails}


@dataclass(frozen=True, slots=True)
class Script:
    """Commands around `netplan apply`, and the links' state before. What runs first, the files may overrule."""

    before: Mapping[str, Running]
    first: Sequence[Sequence[str]] = ()
    after: Sequence[Sequence[str]] = ()


@dataclass(frozen=True)
class Change:
    """A network change of one host.

    folder: where it is kept while it is pending. files: every path that is touched, in order, whether a copy of what is
    there was saved as folder/files/INDEX (else the path does not exist), and whether folder/new/INDEX shall come in its
    place (else it is removed). links: interface to its running state before.
    """

    folder: str
    files: Sequence[tuple[str, bool, bool]]
    links: Mapping[str, Running] = field(default_factory=dict)

    def undo_script(self) -> str:
        """sh text that gives the former state back. Every step is tried, whatever became of the one before.

        One that died midway leaves `undoing`, and the next one goes on from there. The links are set before netplan is
        asked, too: it may hang.
        """
        links = [f"{shlex.join(command)} || true" for command in runtime_commands(self.links)]
        sysctls = [line for line in links if line.startswith("sysctl ")]
        lines = [
            "#!/bin/sh",
            "# Written by twinspark: gives the former network back unless the change was confirmed.",
            f"cd {shlex.quote(self.folder)} || exit 0",
            f"[ -r ../lock ] && exec 9<../lock && flock -w {2 * HANG_SECONDS} 9",
            "mv armed undoing 2>/dev/null",
            "[ -e undoing ] || exit 0",
            PUT,
            PUT_BACK,
            'if [ "${1:-}" != boot ]; then',
            f"  timeout 15 systemctl stop {APPLY_UNIT}.timer {APPLY_UNIT}.service 2>/dev/null",
            "fi",
        ]
        for index, (path, saved, _) in enumerate(self.files):
            where = shlex.quote(path)
            lines.append(f"back {index} {where}" if saved else f"rm -f -- {where} {where}.twinspark")
        lines += [
            'if [ "${1:-}" = boot ]; then',
            f"  timeout {HANG_SECONDS} netplan generate 9>&-",
            *(f"  {line}" for line in sysctls),
            "else",
            *(f"  {line}" for line in links),
            f"  timeout -k 5 {HANG_SECONDS} netplan apply 9>&-",
            *(f"  {line}" for line in links),
            "fi",
            f"rm -f -- {BOOT_LINK_PATH} {BOOT_UNIT_PATH}",
            "mv undoing undone",
            f"systemctl stop --no-block {UNIT}.timer 2>/dev/null",
            "exit 0",
        ]
        return "\n".join(lines) + "\n"

    def apply_script(self, first: Sequence[Sequence[str]] = (), after: Sequence[Sequence[str]] = ()) -> str:
        """sh text that writes the new files and makes them the running state; the exit code is left in apply.rc.

        first, after: commands around `netplan apply`. What runs first, the files may overrule.
        """
        lines = [
            "#!/bin/sh",
            "# Written by twinspark: makes the change, unless it was undone meanwhile.",
            f"cd {shlex.quote(self.folder)} || exit 1",
            "[ -e armed ] || exit 0",
            "exec > apply.log 2>&1",
            "rc=0",
            PUT,
        ]
        for index, (path, _, kept) in enumerate(self.files):
            where = shlex.quote(path)
            lines.append(f"put new {index} {where} || rc=$?" if kept else f"rm -f -- {where} || rc=$?")
        lines += [
            'if [ "$rc" = 0 ]; then',
            *(f"  {shlex.join(command)} || true" for command in first),
            "  netplan apply || rc=$?",
            *(f"  {shlex.join(command)} || true" for command in after),
            "fi",
            'echo "$rc" > apply.rc.new',
            "mv apply.rc.new apply.rc",
        ]
        return "\n".join(lines) + "\n"

    def boot_unit(self) -> str:
        """A unit that undoes an unconfirmed change before the network comes up: a power cut must not lock out."""
        return (
            "[Unit]\n"
            "Description=Undo a network change that twinspark's controller never confirmed\n"
            "DefaultDependencies=no\n"
            "After=local-fs.target\n"
            "Wants=network-pre.target\n"
            "Before=network-pre.target systemd-networkd.service NetworkManager.service shutdown.target\n"
            f"ConditionPathExists=|{self.folder}/armed\n"
            f"ConditionPathExists=|{self.folder}/undoing\n\n"
            "[Service]\n"
            "Type=oneshot\n"
            f"ExecStart=/bin/sh {self.folder}/undo.sh boot\n\n"
            "[Install]\n"
            "WantedBy=multi-user.target\n"
        )

    def arm_argv(self, seconds: int) -> list[str]:
        """systemd-run's argv: undo in so many seconds."""
        return [
            "systemd-run", "--quiet", f"--unit={UNIT}", f"--on-active={seconds}", "--timer-property=AccuracySec=200ms",
            "--description=Undo the unconfirmed network change", "/bin/sh", f"{self.folder}/undo.sh",
        ]  # fmt: skip

    def apply_argv(self) -> list[str]:
        """systemd-run's argv: apply a second from now, so that the caller's answer is away before the network moves.

        An undo does not wait for a netplan that hangs: it is killed at once.
        """
        return [
            "systemd-run", "--quiet", "--collect", f"--unit={APPLY_UNIT}", "--on-active=1",
            "--timer-property=AccuracySec=100ms", "--property=KillSignal=SIGKILL",
            "--description=Apply the network change", "/bin/sh", f"{self.folder}/apply.sh",
        ]  # fmt: skip


def remember(kept: Manifest, pending: Manifest) -> tuple[Manifest, list[str]]:
    """Merge a confirmed change into the originals that uninstall gives back.

    Of the project's own files the first memory stays; of a foreign file that came again the newest does. Returns the
    merged manifest and the paths whose copy is to be kept.
    """
    fresh = [path for path in pending.files if path not in kept.files or path not in pending.own_paths]
    files = {**kept.files, **{path: pending.files[path] for path in fresh}}
    return Manifest(files=files, links={**pending.links, **kept.links}), fresh
