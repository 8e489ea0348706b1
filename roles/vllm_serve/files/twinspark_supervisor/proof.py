"""The serve proof of a pair that was given up: it fails from then on, and the one that passed is kept beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core.twinspark.proof.proofs import ProofError, dump
from core.twinspark.serving import failed
from core.twinspark.serving.pair import Limits, State, sentence
from core.twinspark.serving.supervised import Supervised
from core.twinspark_host.files import write_atomically
from core.twinspark_host.proofs import load, path_of


class Proofs:
    """The folder of the proofs; empty for none. `judged`: since when the pair was down that was judged last."""

    def __init__(self, folder: str, limits: Limits, say: Callable[[str], None]) -> None:
        self.folder, self.limits, self.say = folder, limits, say
        self.judged, self.told = 0.0, ""

    def judge(self, state: State) -> None:
        """Fail the proof of a pair that was given up, once its logs are read. Asked again until it is done.

        One that failed is left: it has its own reason. Without one there is nothing to contradict.
        """
        if not self.folder or state.kind != "given_up" or state.stage == "log" or self.judged == state.since:
            return
        try:
            self._fail(state)
        except (OSError, ProofError) as error:
            if str(error) != self.told:
                self.told = str(error)
                self.say(f"<3>the serve proof still says that the pair passed: {error}")
            return
        self.judged, self.told = state.since, ""

    def _fail(self, state: State) -> None:
        passed = load(self.folder, "serve")
        if passed is None or not passed.passed:
            return
        said = sentence(state, self.limits)
        says = Supervised(state.kind, said, state.why, state.since, state.restarts, state.wish.id if state.wish else "")
        path = path_of(self.folder, "serve")
        # First: at no moment is there none that passed.
        write_atomically(Path(self.folder) / failed.BEFORE, path.read_text(), 0o644)
        write_atomically(path, dump(failed.given_up(passed, says)), 0o644)
        self.say("<4>the serve proof fails from now on; the one that passed is kept as " + failed.BEFORE)
