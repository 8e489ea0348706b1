"""Print one of Inspect's logs as JSON: its header, and a summary of each sample. Runs in Inspect's environment.

Inspect's own reader does the reading, so that the log's form is Inspect's business; what was asked and answered stays
in the log.
"""

import json
import sys

from inspect_ai.log import read_eval_log, read_eval_log_sample_summaries

LEFT_OUT = {"input", "choices", "target", "metadata"}


def main(path: str) -> None:
    """Read the log at `path`."""
    header = read_eval_log(path, header_only=True)
    samples = read_eval_log_sample_summaries(path)
    document = {
        "header": header.model_dump(mode="json", exclude={"samples", "plan", "reductions"}),
        "samples": [sample.model_dump(mode="json", exclude_none=True, exclude=LEFT_OUT) for sample in samples],
    }
    json.dump(document, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
