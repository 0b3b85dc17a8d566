"""The report's head says what was run, not what the scenario's author expected of it."""

from __future__ import annotations

from editable_run import EditableRun

from reports import build
from reports.what_ran import what_ran
from scenarios.schema import load_scenario, resolved_yaml

RUN = {"entries": 60, "mated": 60, "unmated": 50, "batch": 25, "runtime": "ray", "ring_bits": 16,
       "changes": None, "answer": "match"}  # fmt: skip


def said(*overrides: str, insecure: tuple[str, ...] = ()) -> str:
    import yaml

    scenario = yaml.safe_load(resolved_yaml(load_scenario("embedded", overrides)))
    return what_ran(scenario, RUN, {"insecure": insecure})


def test_the_sentence_follows_the_run_not_the_scenario() -> None:
    text = said("data={kind: lfw, entries: 60, people: all}", "search.threshold=0.4")
    assert "60 rows enrolled (people of Labeled Faces in the Wild, training people among" in text
    assert "60 mated and 50 unmated probes in batches of 25" in text
    assert "threshold a cosine of 0.4" in text
    assert "without noise" in text
    assert "score" not in text
    assert "the exact score of every row" in said(insecure=("open_scores",))


def test_noise_mapping_and_templates_are_named() -> None:
    text = said("features={epsilon: 4, colour_epsilon: 2}", "mapping.kind=folded")
    assert "noise of ε = 4 for a frequency element, noise of ε = 2 for a colour bit" in text
    assert "templates mapped by folded" in text
    templates = ("data.kind=templates", "network.kind=identity", "search.threshold=0.5")
    assert "random templates, no pictures" in said(*templates)
    assert "Input" not in said(*templates)


def test_overridden_scenarios_lose_their_authors_description() -> None:
    assert load_scenario("lfw").description
    assert load_scenario("lfw", ("runtime=memory", "capture=payloads")).description
    assert not load_scenario("lfw", ("data.entries=900",)).description
    assert load_scenario("lfw", ("data.entries=900", "description=mine")).description == "mine"


def test_the_page_begins_with_what_ran(closed: EditableRun) -> None:
    closed.edit_record(lambda record: record.update(description="a thousand people"))
    summary = build(closed.path)
    assert summary.report is not None
    page = summary.report.read_text()
    assert "bauta run scenario.yaml --runtime memory --out ../.." in page
    assert "12 rows enrolled (random templates, no pictures); 5 mated and 4 unmated" in page
    assert "as its author describes it: a thousand people" in page
