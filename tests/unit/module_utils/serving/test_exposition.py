"""The metrics, as Prometheus' own parser reads them, and the dashboard that shows them."""

import json
import re

import pytest
from ansible.module_utils.twinspark.serving.exposition import STATES, Look, exposition, metrics
from ansible.module_utils.twinspark.serving.pair import Counters, Limits, State
from prometheus_client.parser import text_string_to_metric_families

FULL = State(kind="busy", since=1767400000.5, token=1767400123.25, restarts=2)
LOOK = Look(1767400130.0, Counters(10, running=3, waiting=1), restarted=5, rate=41.5)
# What the queries of a dashboard have beside metrics.
WORDS = {"by", "state", "job", "instance", "sum", "max", "increase", "time", "rate"}


def read(text):
    return {family.name: family for family in text_string_to_metric_families(text)}


def values(text):
    return {sample.name: sample.value for family in read(text).values() for sample in family.samples}


def test_the_state_is_one_of_all_states():
    (*states,) = read(exposition(FULL, Limits(), LOOK))["twinspark_pair_state"].samples
    assert {sample.labels["state"]: sample.value for sample in states} == {
        kind: float(kind == "busy") for kind in STATES
    }
    assert "given_up" in STATES


def test_every_figure_is_written_as_it_is():
    found = values(exposition(FULL, Limits(restarts=3), LOOK))
    del found["twinspark_pair_state"]
    assert found == {
        "twinspark_pair_state_since_timestamp_seconds": 1767400000.5,
        "twinspark_pair_last_token_timestamp_seconds": 1767400123.25,
        "twinspark_pair_restarts_total": 5,
        "twinspark_pair_restarts_counted": 2,
        "twinspark_pair_restarts_limit": 3,
        "twinspark_pair_tokens_per_second": 41.5,
        "twinspark_pair_requests_running": 3,
        "twinspark_pair_requests_waiting": 1,
        "twinspark_supervisor_look_timestamp_seconds": 1767400130,
    }


def test_what_is_not_known_is_left_out_and_is_no_zero():
    text = exposition(State(), Limits(), Look(1.0))
    for name in ("requests_running", "requests_waiting", "tokens_per_second", "last_token", "state_since"):
        assert name not in text
    assert values(text)["twinspark_pair_restarts_total"] == 0


@pytest.mark.parametrize("look", [LOOK, Look(1.0)])
def test_each_metric_has_its_help_and_its_type_before_it(look):
    text = exposition(FULL, Limits(), look)
    assert text.endswith("\n")
    families = read(text)
    for metric in metrics(FULL, Limits(), look):
        # The parser names a counter without its _total.
        family = families.get(metric.name.removesuffix("_total") if metric.kind == "counter" else metric.name)
        if any(value is not None for value in metric.values.values()):
            assert (family.type, family.documentation) == (metric.kind, metric.help)
            assert text.index(f"# TYPE {metric.name} ") < text.index(f"\n{metric.name}")


def test_the_dashboard_shows_these_metrics_and_no_others(root):
    dashboard = json.loads((root / "docs/grafana-dashboard.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(asked) > 5
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    written = {metric.name for metric in metrics(FULL, Limits(), LOOK)}
    for expression in asked:
        bare = re.sub(r"\[[^]]*\]|\"[^\"]*\"", "", expression)
        assert set(re.findall(r"[a-z_]{2,}", bare)) - WORDS <= written, expression
    named = set(re.findall(r"twinspark_\w+", " ".join(asked)))
    assert named == written
