"""Questions of the lab's own in the form of GPQA Diamond: one correct answer, three others, shuffled by a fixed seed.

They are easy because the lab's model is small. GPQA's own questions can't be published, and are not needed to prove
that every part of the evaluation works.
"""

import csv
import re
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import choice
from inspect_ai.solver import Generate, Solver, TaskState, solver

SEED = 42


def sample(row: dict[str, str]) -> Sample:
    """A row of the table as a sample. The correct answer comes first, and is shuffled afterwards."""
    choices = [row["Correct Answer"], *(row[f"Incorrect Answer {number}"] for number in (1, 2, 3))]
    return Sample(input=row["Question"], choices=choices, target="A", id=row["Record ID"])


def position(choice_text: str, answer: str) -> int:
    """Where an answer names a choice, its article left aside; past its end when it does not."""
    words = re.escape(re.sub(r"^the ", "", choice_text, flags=re.IGNORECASE))
    found = re.search(rf"\b{words}\b", answer, flags=re.IGNORECASE)
    return found.start() if found else len(answer)


@solver
def ask_in_words() -> Solver:
    """Ask in a sentence, and mark the choice that the answer names first.

    Inspect's own `multiple_choice` wants "ANSWER: B". A model of 135 million parameters knows that the Earth goes
    around the Sun, but not how to say so by a letter.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        texts = [entry.value for entry in state.choices]
        listed = f"{', '.join(texts[:-1])} or {texts[-1]}"
        state.user_prompt.text = f"{state.user_prompt.text} Choose from: {listed}. Answer in one short sentence."
        state = await generate(state)
        answer = state.output.completion
        places = [position(text, answer) for text in texts]
        for index, place in enumerate(places):
            state.choices.mark_choice(index, place < len(answer) and place == min(places))
        return state

    return solve


@task
def lab_science() -> Task:
    """The lab's questions."""
    with (Path(__file__).parent / "questions.csv").open(encoding="utf-8", newline="") as stream:
        dataset = MemoryDataset([sample(row) for row in csv.DictReader(stream)], name="lab_science")
    dataset.shuffle_choices(SEED)
    return Task(dataset=dataset, solver=ask_in_words(), scorer=choice())
