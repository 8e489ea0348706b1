"""Run the cases of a benchmark one after another, inside the engine's own container. Needs progress.py beside it.

Of each case it keeps vLLM's result, the engine's log lines of that time, and nvidia-smi's samples where there is one.
A case that is done already is not measured again: an interrupted benchmark goes on where it stopped.
"""

import json
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any, TypedDict

from progress import Progress

QUERY = ["--query-gpu=power.draw,clocks.sm,temperature.gpu,utilization.gpu", "--format=csv,noheader,nounits"]
KEPT = ("SpecDecoding metrics", "Avg generation throughput")


class Case(TypedDict):
    """What the plan's JSON says of a case and this program reads."""

    label: str
    slug: str
    argv: list[str]
    dataset: list[dict[str, Any]]


class Plan(TypedDict):
    """The plan's JSON, as `plan` in module_utils/twinspark/evaluation/bench.py makes it."""

    folder: str
    inside: str
    container: str
    unit: str
    base_url: str
    power_interval: float
    cases: list[Case]


def model_path(plan: Plan) -> str:
    """Where the engine has its model: the tokenizer lies there."""
    with urllib.request.urlopen(f"{plan['base_url']}/models", timeout=30) as answer:  # noqa: S310 - http, from the plan
        entry = json.load(answer)["data"][0]
    return str(entry.get("root") or entry["id"])


def watch_power(path: Path, interval: float, stop: threading.Event) -> None:
    """Append nvidia-smi's samples until told to stop."""
    tool = shutil.which("nvidia-smi")
    with path.open("w") as stream:
        while tool and not stop.wait(interval):
            subprocess.run([tool, *QUERY], stdout=stream, stderr=subprocess.DEVNULL, check=False)


def engine_lines(unit: str, since: float) -> str:
    """The engine's own figures since then, from the journal of its unit."""
    argv = ["journalctl", "--unit", unit, "--since", f"@{int(since)}", "--output", "cat", "--no-pager"]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return "".join(line for line in done.stdout.splitlines(keepends=True) if any(word in line for word in KEPT))


def measure(plan: Plan, case: Case, model: str, folder: Path) -> int:
    """One case; its result is moved into place last, so that a half one does not count."""
    slug, container, inside = case["slug"], plan["container"], plan["inside"]
    prompts = folder / f"{slug}.prompts.json"
    prompts.write_text(json.dumps(case["dataset"]))
    subprocess.run(["docker", "exec", container, "mkdir", "-p", inside], check=True)
    subprocess.run(["docker", "cp", str(prompts), f"{container}:{inside}/"], check=True)
    argv = [part.replace("{model}", model) for part in case["argv"]]
    stop, started = threading.Event(), time.time()
    watcher = threading.Thread(target=watch_power, args=(folder / f"{slug}.power.csv", plan["power_interval"], stop))
    watcher.start()
    try:
        code = subprocess.run(["docker", "exec", container, *argv], check=False).returncode
    finally:
        stop.set()
        watcher.join()
    (folder / f"{slug}.engine.log").write_text(engine_lines(plan["unit"], started))
    if code == 0:
        fresh = folder / f"{slug}.json.new"
        subprocess.run(["docker", "cp", f"{container}:{inside}/{slug}.json", str(fresh)], check=True)
        fresh.replace(folder / f"{slug}.json")
    subprocess.run(["docker", "exec", container, "rm", "-rf", inside], check=False)
    return code


def main(spec: str) -> int:
    """Every case in turn; the first that fails ends the run."""
    plan: Plan = json.loads(Path(spec).read_text())
    folder = Path(plan["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    model = model_path(plan)
    # No rate: cases take very different times, and those that are done already take none.
    with Progress(len(plan["cases"]), "cases", window=0) as progress:
        for number, case in enumerate(plan["cases"]):
            progress.done, progress.what = number, case["label"]
            if (folder / f"{case['slug']}.json").exists():
                continue
            print(f"case {number + 1} of {len(plan['cases'])}: {case['label']}", flush=True)
            code = measure(plan, case, model, folder)
            if code:
                return code
        progress.done, progress.what = len(plan["cases"]), "done"
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
