"""Questions of the lab's own in the form of GPQA Diamond: one correct answer, three others, shuffled by a fixed seed.

They are easy because the lab's model is small. GPQA's own questions can't be published, and are not needed to prove
that every part of the evaluation works.
"""

import csv
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import choice
from inspect_ai.solver import multiple_choice

SEED = 42

# One line, and the letter asked for in the words that it is scored by: a small model echoes the last line it read.
TEMPLATE = """Answer the question with one letter of {letters}, in the form "ANSWER: LETTER".

{question}

{choices}

ANSWER:"""


def sample(row: dict[str, str]) -> Sample:
    """A row of the table as a sample. The correct answer comes first, and is shuffled afterwards."""
    choices = [row["Correct Answer"], *(row[f"Incorrect Answer {number}"] for number in (1, 2, 3))]
    return Sample(input=row["Question"], choices=choices, target="A", id=row["Record ID"])


@task
def lab_science() -> Task:
    """The lab's questions."""
    with (Path(__file__).parent / "questions.csv").open(encoding="utf-8", newline="") as stream:
        dataset = MemoryDataset([sample(row) for row in csv.DictReader(stream)], name="lab_science")
    dataset.shuffle_choices(SEED)
    return Task(dataset=dataset, solver=multiple_choice(template=TEMPLATE), scorer=choice())
