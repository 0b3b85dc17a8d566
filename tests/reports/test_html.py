from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from editable_run import BATCH, EditableRun

from protocol.search.policies import policy_named
from reports.html import page, render
from reports.html.accuracy import accuracy_table
from reports.html.headline import banners, epsilon, tiles, verdict
from reports.html.tables import link_rows, probe_rows
from reports.records import RunFiles, read_run
from reports.summary import summarise
from reports.wording import duration

DEALER = policy_named("dealer")

HOSTILE = '<script>alert("x")</script><img src=http://evil.example/a onerror=alert(1)>'
DRAWN = {True: "<svg></svg>"}
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects tags and attributes, and checks that elements close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave drawing out where a test reads text only: it takes most of the time."""
    monkeypatch.setattr(page, "compute_figure", lambda *_: None)
    for name in ("curves_figure", "scores_figure"):
        monkeypatch.setattr(
            page, name, lambda observations, *_: DRAWN.get("secure_scores" in observations)
        )


def page_of(source: EditableRun) -> tuple[RunFiles, dict[str, Any], str]:
    run = read_run(source.path)
    summary = summarise(run)
    return run, summary, render(run, summary)


def visible(markup: str) -> str:
    """Return the text a reader sees, white space folded."""
    body = re.sub(r"<style.*?</style>", " ", markup, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def no_search(record: dict[str, Any]) -> None:
    record["costs"] = [row for row in record["costs"] if row["session"] != "search"]
    record.update(probe_latency_s=[], features_s_per_face=None)


def forget_the_search(source: EditableRun) -> None:
    """Leave a run that only enrolled."""
    arrays = source.observations()
    source.write_observations(
        {name: a if name == "gallery_identity" else a[:0] for name, a in arrays.items()}
    )
    events = source.journal()
    source.write_journal([e for e in events if not e["session"].startswith(("search", "material"))])
    source.edit_record(no_search)


def test_the_page_refers_to_nothing_outside_itself(with_baseline: EditableRun) -> None:
    _, _, markup = page_of(with_baseline)
    found = Page(markup)
    assert not {"script", "link", "img", "iframe", "object", "base"} & set(found.tags)
    for name, value in found.attributes:
        assert not name.startswith("on")
        if name in {"src", "href", "xlink:href", "action", "srcset"}:
            assert value.startswith("#")
    assert not re.search(r"@import|url\((?!#)", markup)
    assert set(re.findall(r'"(https?://[^"]*)"', markup)) <= {
        "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink",
    }  # fmt: skip
    assert "default-src 'none'" in markup


def test_elements_close_and_identifiers_are_unique(opened: EditableRun) -> None:
    _, _, markup = page_of(opened)
    found = Page(markup)
    assert found.open == []
    names = [value for name, value in found.attributes if name == "id"]
    assert len(names) == len(set(names))
    targets = [v[1:] for name, v in found.attributes if name.endswith("href")]
    assert set(targets) <= set(names)


@pytest.mark.usefixtures("no_figures")
def test_hostile_texts_are_escaped(opened: EditableRun) -> None:
    def poison(record: dict[str, Any]) -> None:
        record.update(scenario=HOSTILE, description=HOSTILE, warnings=[HOSTILE], runtime=HOSTILE)
        record["protection"].update(
            statement=HOSTILE, network=HOSTILE, trust_model=HOSTILE, insecure=[HOSTILE],
        )  # fmt: skip
        record["environment"] = {HOSTILE: HOSTILE, "packages": {HOSTILE: HOSTILE}}

    opened.edit_record(poison)
    scenario = opened.path / "scenario.yaml"
    scenario.write_text(f"{scenario.read_text()}\n# {HOSTILE}\n")
    _, _, markup = page_of(opened)
    assert "<script" not in markup
    assert "<img" not in markup
    assert markup.count("&lt;script&gt;") >= 10
    assert not {"script", "img"} & set(Page(markup).tags)


def test_equal_runs_give_equal_pages(opened: EditableRun) -> None:
    assert page_of(opened)[2] == page_of(opened)[2]


@pytest.mark.usefixtures("no_figures")
def test_a_good_run_says_so_and_shows_what_limits_it(opened: EditableRun) -> None:
    run, summary, markup = page_of(opened)
    text = visible(markup)
    assert f"All {len(summary['checks'])} checks passed" in text
    for line in ("Insecure: scores are opened", "Insecure: trusted dealer", "Synthetic data"):
        assert line in text
    assert "Trust model" in text
    for knowledge in (item for items in DEALER.learns.values() for item in items):
        holds = knowledge.holds_for("match", insecure=run.record.protection.insecure)
        assert (knowledge.what in text.replace("&#39;", "'")) == holds
    for coalition in DEALER.coalitions:
        assert coalition.yields in text.replace("&#39;", "'")
    assert run.record.audit_hash in text
    assert not re.search(r"\b(None|nan|NaN|inf|Undefined)\b", text)


@pytest.mark.usefixtures("no_figures")
def test_a_failed_check_is_the_first_thing_to_read(opened: EditableRun) -> None:
    arrays = opened.observations()
    arrays["secure_match"] = ~arrays["oracle_match"]
    opened.write_observations(arrays)
    _, summary, markup = page_of(opened)
    text = visible(markup)
    assert verdict(summary)[0] is False
    assert "1 of 5 checks failed" in text
    assert next(banners(summary)).kind == "failed"
    assert text.index("Check failed: Secure result equals") < text.index("Insecure:")


def test_nothing_checked_is_no_success() -> None:
    assert verdict({"checks": []}) == (False, "Nothing was checked")


@pytest.mark.parametrize("prepare", [lambda _: None, forget_the_search])
@pytest.mark.usefixtures("no_figures")
def test_a_run_without_scores_or_probes_says_what_is_missing(
    closed: EditableRun, prepare: Callable[[EditableRun], None]
) -> None:
    prepare(closed)
    _, _, markup = page_of(closed)
    text = visible(markup)
    assert "not measured" in text
    assert "scores stayed closed" in text
    assert "Curves and score histograms are not measured" in text
    assert not re.search(r"\b(None|nan|NaN|inf|Undefined)\b", text)
    Page(markup)


@pytest.mark.usefixtures("no_figures")
def test_no_probe_is_told_in_the_headline(opened: EditableRun) -> None:
    forget_the_search(opened)
    run, summary, markup = page_of(opened)
    shown = {tile.name: tile for tile in tiles(summary, run.scenario)}
    assert shown["Time per probe"].value == "not measured"
    assert shown["Time per probe"].notes == ("no probe was searched",)
    assert shown["Online bytes per probe"].value == "not measured"
    assert "not measured: no probe was searched" in visible(markup)


@pytest.mark.usefixtures("no_figures")
def test_the_baseline_stands_beside_the_secure_result(with_baseline: EditableRun) -> None:
    run, summary, markup = page_of(with_baseline)
    tile = tiles(summary, run.scenario)[0]
    assert tile.name == "TPIR at FPIR 1\u00a0%"
    assert tile.value == "100.0\u00a0%"
    assert tile.notes[0] == "unprotected baseline 80.0\u00a0%"
    table = accuracy_table(summary)
    rank_1 = dict(zip([name for name, _ in table.headings], table.rows[0].cells, strict=True))
    assert rank_1["Unprotected baseline"].value == "80.0\u00a0%"
    assert rank_1["Secure search"].value == "100.0\u00a0%"
    assert table.unresolved
    assert "unprotected baseline" in markup


@pytest.mark.usefixtures("no_figures")
def test_an_absent_baseline_is_one_cell_with_its_reason(opened: EditableRun) -> None:
    _, summary, markup = page_of(opened)
    table = accuracy_table(summary)
    assert all(row.cells[0].absent for row in table.rows)
    assert markup.count("no RGB network for these data") == 1
    assert f'rowspan="{len(table.rows)}"' in markup


@pytest.mark.usefixtures("no_figures")
def test_noise_and_mapping_reach_the_first_screen(opened: EditableRun) -> None:
    def protect(record: dict[str, Any]) -> None:
        record["protection"].update(
            element_epsilon=0.5, image_epsilon=395136.0, colour_bit_epsilon=0.0,
            colour_image_epsilon=0.0, total_epsilon=395136.0,
        )  # fmt: skip
        record["protection"]["mapping"]["kind"] = "polyprotect"

    opened.edit_record(protect)
    run, summary, markup = page_of(opened)
    tile = tiles(summary, run.scenario)[3]
    assert (tile.name, tile.value) == ("largest ε of an element", "0.5")
    assert tile.notes == ("ε = 395,136 per image", "mapping: polyprotect")
    assert "nothing is sent" in visible(markup)
    assert "no second factor: a whole row works" in visible(markup)
    assert epsilon(None) == "no promise"


def test_links_show_declared_beside_sent_bytes(opened: EditableRun) -> None:
    run = read_run(opened.path)
    summary = summarise(run)
    rows = link_rows(summary["traffic"], run.record.costs)
    assert all(row.equal for row in rows)
    assert all(row.declared == row.payload for row in rows)
    assert max(row.share for row in rows) == 100.0
    opened.edit_record(lambda r: r["costs"][0].update(declared_bytes=1))
    bent = read_run(opened.path)
    assert sum(not row.equal for row in link_rows(summary["traffic"], bent.record.costs)) == 1


def test_batches_have_rows_of_their_own_only_if_they_hold_several(opened: EditableRun) -> None:
    latency = summarise(read_run(opened.path))["latency"]
    names = [name for name, _, _ in probe_rows(latency)]
    assert names[::2] == ["Batch to decisions", "Per probe"]
    single = probe_rows({**latency, "batch": 1})
    assert [name for name, _, _ in single] == ["Probe to decision", "of it private search"]
    (_, _, cells), *_ = probe_rows({**latency, "batch_s": {"median": None, "p95": None}})
    assert cells[0].why == "needs a second search"


def test_a_batch_is_not_sold_as_latency(opened: EditableRun) -> None:
    summary = summarise(read_run(opened.path))
    tile = tiles(summary, {})[1]
    assert tile.name == "Time per probe"
    assert any(note.startswith(f"batch of {BATCH} answered in") for note in tile.notes)
    latency = {**summary["latency"], "batch": 1, "probe_s": {"median": None, "p95": None}}
    alone = tiles({**summary, "latency": latency}, {})[1]
    assert alone.name == "Latency per probe"
    assert alone.value == duration(latency["first"]["probe_s"])
    assert "one search only, warm-up included" in alone.notes


def test_unknown_insecure_entries_still_get_a_banner(opened: EditableRun) -> None:
    opened.edit_record(lambda record: record["protection"]["insecure"].append("no_locks"))
    summary = summarise(read_run(opened.path))
    titles = [banner.title for banner in banners(summary) if banner.kind == "insecure"]
    assert "Insecure: no_locks" in titles


def test_a_large_unmated_set_resolves_the_target(opened: EditableRun) -> None:
    arrays = opened.observations()
    strangers = np.flatnonzero(arrays["probe_identity"] < 0)
    rows = np.concatenate([np.arange(len(arrays["probe_identity"])), np.repeat(strangers, 30)])
    opened.write_observations(
        {name: a if name == "gallery_identity" else a[rows] for name, a in arrays.items()}
    )
    run = read_run(opened.path)
    tile = tiles(summarise(run), run.scenario)[0]
    assert tile.notes == ("unprotected baseline not measured",)
