"""Run the owner's program once when the pair is given up. Whatever comes of it, it holds nobody up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from commands import run
from core.twinspark.serving import hook
from core.twinspark.serving.pair import State
from core.twinspark_host.files import write_atomically

# systemd ends it after hook.SECONDS; this is for a systemd that does not.
LONGER = 30.0


class Hook:
    """program: its argv, empty for none. The file remembers for which end it was run, whoever supervises by then."""

    def __init__(self, program: Sequence[str], host: str, folder: str, say: Callable[[str], None]) -> None:
        self.program, self.host, self.say = tuple(program), host, say
        self.file = Path(folder) / "hook"
        if self.program and (why := self.refused()):
            say(f"<4>the program for a pair that is given up would not be started: {why}")

    def given_up(self, state: State) -> None:
        """Run it, where that was not done for this end yet. At most once: it is remembered before."""
        if not self.program or state.kind != "given_up" or state.stage == "log":
            return
        mark = f"{state.since}\n"
        try:
            if self.file.exists() and self.file.read_text() == mark:
                return
            write_atomically(self.file, mark, 0o644)
        except OSError as error:
            self.say(f"<4>{self.file}: {error.strerror}")
            return
        threading.Thread(target=self.run, args=(state,), daemon=True).start()

    def run(self, state: State) -> None:
        """To its end, or as long as it may take."""
        if why := self.refused():
            self.say(f"<4>the program for a pair that is given up was not started: {why}")
            return
        since = datetime.fromtimestamp(state.since, UTC).isoformat(timespec="seconds")
        told = {"TWINSPARK_REASON": state.why, "TWINSPARK_HOST": self.host, "TWINSPARK_SINCE": since}
        # Where its links lead now, for that is what was looked at.
        real = str(Path(self.program[0]).resolve())
        done = run(hook.argv([real, *self.program[1:]], told), hook.SECONDS + LONGER)
        if done.code != 0:
            self.say(f"<4>{self.program[0]} for the pair that was given up: {done.words}")

    def refused(self) -> str:
        """Why the program is not started; empty where it may be."""
        path = Path(self.program[0])
        if not path.is_absolute():
            return f"{path} is no absolute path"
        try:
            real = path.resolve(strict=True)
            # The folders of the name as it is written, too: a link in them decides where it leads.
            places = dict.fromkeys([real, *real.parents, *path.parents])
            found = [(str(place), place.stat()) for place in places]
        except OSError as error:
            return f"{path}: {error.strerror}"
        return hook.refused(str(real), [(name, status.st_mode, status.st_uid) for name, status in found])
