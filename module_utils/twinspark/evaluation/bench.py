"""Benchmark of the service with `vllm bench serve`: which cases, which prompts, which commands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..proof.json_form import Json

DIVERSITIES = ("identical", "similar", "different")
FOLDER = "/tmp/twinspark-bench"  # noqa: S108 - inside the engine's container

# Prompts with nothing in common: a mixture of experts then reads more distinct experts for each step.
SUBJECTS = (
    "Explain how a suspension bridge carries its load, and why its towers do not bend.",
    "Write a short story about a lighthouse keeper who finds a letter in a bottle.",
    "Describe the life cycle of a salmon, from the river to the sea and back.",
    "Give a recipe for lentil soup, with the reason for every step.",
    "Compare the causes of the French Revolution with those of the Russian one.",
    "Write a function in Python that merges two sorted lists, and explain it line by line.",
    "Explain how vaccines train the immune system, for a curious child.",
    "Describe how a violin is made, from the choice of the wood to the varnish.",
    "Explain the offside rule in football, with three examples.",
    "Summarise how wine is fermented, and what goes wrong when it turns to vinegar.",
    "Describe the night sky as seen from the southern half of the Earth.",
    "Explain how double-entry bookkeeping finds mistakes.",
)
EXERCISE = (
    "Solve this step by step: a train leaves at {start} o'clock at {speed} km/h, another follows {wait} minutes later "
    "at {faster} km/h. When and where does the second overtake the first?"
)


class BenchError(ValueError):
    """A benchmark that was asked for in words that mean nothing here."""


@dataclass(frozen=True)
class Case:
    """One measurement: so many requests at a time, over prompts of one kind."""

    label: str
    concurrency: int
    diversity: str
    prompts: int

    @property
    def slug(self) -> str:
        """The label as a file name."""
        return re.sub(r"[^a-z0-9]+", "-", self.label.lower()).strip("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Json):
    """What is measured, and where. concurrency: requests at a time, a case each. diversity: kinds of prompts, each with
    diversity_concurrency requests at a time. prompts_per_stream: for each request at a time.

    container, unit: the engine's. model: its name at the endpoint. power_interval: seconds between two samples.
    """

    called = "vllm_bench"

    concurrency: tuple[int, ...]
    diversity: tuple[str, ...]
    diversity_concurrency: int
    prompts_per_stream: int
    output_tokens: int
    extra_args: tuple[str | int | float, ...] = ()
    container: str
    unit: str
    model: str
    base_url: str
    power_interval: float = 5


@dataclass(frozen=True, slots=True)
class Planned:
    """A case as `run_bench.py` gets it, with its prompts and its command."""

    label: str
    slug: str
    concurrency: int
    diversity: str
    prompts: int
    dataset: list[dict[str, Any]]
    argv: list[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What `run_bench.py` gets. folder: of the results on the head; inside: the same in the container."""

    folder: str
    inside: str
    container: str
    unit: str
    base_url: str
    power_interval: float
    cases: tuple[Planned, ...]


def cases(settings: Settings) -> list[Case]:
    """The sweep over concurrency with different prompts, then the kinds of prompts at one concurrency."""
    per_stream, width = settings.prompts_per_stream, settings.diversity_concurrency
    unknown = [kind for kind in settings.diversity if kind not in DIVERSITIES]
    if unknown:
        raise BenchError(f"vllm_bench_diversity: {', '.join(unknown)} is not one of {', '.join(DIVERSITIES)}")
    sweep = [Case(f"concurrency {n}", n, "different", n * per_stream) for n in settings.concurrency]
    kinds = [Case(f"{kind} x{width}", width, kind, width * per_stream) for kind in settings.diversity]
    found = sweep + kinds
    if not found or any(case.concurrency < 1 or case.prompts < 1 for case in found):
        raise BenchError("vllm_bench: there is nothing to measure: every count must be at least 1")
    return found


def prompts(diversity: str, count: int) -> list[str]:
    """`count` prompts: one and the same, one exercise with other numbers, or each on a subject of its own."""
    if diversity == "identical":
        return [SUBJECTS[0]] * count
    if diversity == "similar":
        return [
            EXERCISE.format(start=6 + n % 12, speed=60 + 7 * n, wait=10 + 5 * n, faster=90 + 11 * n)
            for n in range(count)
        ]
    # Past the last subject they come again, with a number that keeps a prefix cache from knowing them.
    return [
        SUBJECTS[n % len(SUBJECTS)] if n < len(SUBJECTS) else f"{n}. {SUBJECTS[n % len(SUBJECTS)]}"
        for n in range(count)
    ]


def dataset(case: Case) -> list[dict[str, Any]]:
    """The prompts in ShareGPT's form, which vLLM reads with nothing but the standard library."""
    return [
        {"id": str(number), "conversations": [{"from": "human", "value": prompt}, {"from": "gpt", "value": "-"}]}
        for number, prompt in enumerate(prompts(case.diversity, case.prompts))
    ]


def bench_argv(case: Case, settings: Settings) -> list[str]:
    """`vllm bench serve ...` in the container. `{model}` stands for the path that the endpoint says it serves.

    Token counts come from the endpoint's usage; every answer has the same length, so that cases can be compared.
    """
    return [
        "vllm", "bench", "serve",
        "--backend", "openai-chat",
        "--base-url", settings.base_url.removesuffix("/v1"),
        "--endpoint", "/v1/chat/completions",
        "--model", "{model}",
        "--served-model-name", settings.model,
        "--dataset-name", "sharegpt",
        "--dataset-path", f"{FOLDER}/{case.slug}.prompts.json",
        "--sharegpt-output-len", str(settings.output_tokens),
        "--num-prompts", str(case.prompts),
        "--max-concurrency", str(case.concurrency),
        "--disable-shuffle",
        "--ignore-eos",
        "--percentile-metrics", "ttft,tpot,itl,e2el",
        "--metric-percentiles", "50,99",
        "--disable-tqdm",
        "--save-result",
        "--result-dir", FOLDER,
        "--result-filename", f"{case.slug}.json",
        *map(str, settings.extra_args),
    ]  # fmt: skip


def plan(settings: Settings, folder: str) -> Plan:
    """All cases with their commands; their results go to `folder`."""
    return Plan(
        folder=folder,
        inside=FOLDER,
        container=settings.container,
        unit=settings.unit,
        base_url=settings.base_url,
        power_interval=settings.power_interval,
        cases=tuple(
            Planned(
                label=case.label,
                slug=case.slug,
                concurrency=case.concurrency,
                diversity=case.diversity,
                prompts=case.prompts,
                dataset=dataset(case),
                argv=bench_argv(case, settings),
            )
            for case in cases(settings)
        ),
    )
