"""What outlives the supervisor: its state, written whole or not at all, and the owner's wish, which it only reads."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from core.twinspark.proof.json_form import from_json, to_json
from core.twinspark.serving.pair import Limits, Seen, State, Wish, sentence
from core.twinspark_host.files import write_atomically

SCHEMA = 1


class Memory:
    """The folder of the state. Whoever may read it may know all that is in it."""

    def __init__(self, folder: str, limits: Limits, say: Callable[[str], None]) -> None:
        self.state_file, self.wish_file = Path(folder) / "state.json", Path(folder) / "wanted.json"
        self.limits, self.say = limits, say
        self.refused = ""

    def load(self) -> State:
        """The last state; the first one where there is none. One that can't be read is put aside, and told of."""
        try:
            given = json.loads(self.state_file.read_text())
            return from_json(State, given["state"], "state")
        except FileNotFoundError:
            return State()
        except (OSError, ValueError, KeyError, TypeError) as error:
            aside = self.state_file.with_suffix(".unreadable")
            self.say(f"<3>{self.state_file} can't be read ({error}): moved to {aside}; its restarts are not known")
            self.state_file.replace(aside)
            return State()

    def keep(self, state: State, seen: Seen | None = None) -> None:
        """Write the state, with what was seen last for those who only want to read."""
        write_atomically(self.state_file, json.dumps(document(state, seen, self.limits), indent=1) + "\n", 0o644)

    def wish(self) -> Wish | None:
        """What the owner wants, None where nothing is said, or nothing that can be read."""
        try:
            found = from_json(Wish, json.loads(self.wish_file.read_text()), "wanted.json")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            if str(error) != self.refused:
                self.refused = str(error)
                self.say(f"<4>{self.wish_file} is not followed: {error}")
            return None
        self.refused = ""
        return found if found.id else None


def document(state: State, seen: Seen | None, limits: Limits) -> Mapping[str, Any]:
    """The file's content, for everybody to read: no secret is in what is seen."""
    hosts = [{**to_json(host), "log": None} for host in seen.hosts] if seen else []
    return {
        "schema": SCHEMA,
        "written": round(time.time(), 1),
        "sentence": sentence(state, limits),
        "state": state.to_json(),
        "limits": to_json(limits),
        "hosts": hosts,
        "counters": to_json(seen.counters) if seen else None,
    }
