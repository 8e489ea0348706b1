"""The folder of the proofs, on the head or on the controller: one file a stage."""

from __future__ import annotations

from pathlib import Path

from ..twinspark.proof.proofs import STAGES, ProofError, parse
from ..twinspark.proof.values import Proof


def path_of(directory: str | Path, stage: str) -> Path:
    """Where the proof of `stage` lies."""
    return Path(directory) / f"{stage}.json"


def load(directory: str | Path, stage: str) -> Proof | None:
    """The proof of `stage`, None when there is none, ProofError when the file is not a proof."""
    path = path_of(directory, stage)
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeError) as error:
        raise ProofError(f"{path} can't be read as a proof ({error}); remove it and run the stage again") from error
    return parse(text, stage, str(path))


def load_all(directory: str | Path) -> dict[str, Proof]:
    """Every proof in a directory, by stage, in the order of the stages."""
    found = ((stage, load(directory, stage)) for stage in STAGES)
    return {stage: proof for stage, proof in found if proof is not None}
