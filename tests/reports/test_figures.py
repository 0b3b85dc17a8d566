from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from reports.figures import compute_figure, curves_figure, scores_figure

PEOPLE = np.arange(6)
PROBES = np.array([0, 1, 2, -1, -1])
COMPUTE = [
    {"party": "client", "setup": 0.0, "enrol": 1.0, "offline": 0.0, "online": 0.5,
     "evaluation": 0.0, "total": 1.5},
    {"party": "dealer", "setup": 0.1, "enrol": 0.0, "offline": 0.2, "online": 0.0,
     "evaluation": 0.0, "total": 0.3},
]  # fmt: skip


@pytest.fixture
def observations() -> dict[str, Any]:
    generator = np.random.default_rng(1)
    scores = generator.integers(-2000, 2000, size=(5, 6), dtype=np.int32)
    scores[[0, 1, 2], [0, 1, 2]] = 9000
    return {
        "gallery_identity": PEOPLE,
        "probe_identity": PROBES,
        "secure_match": scores > 4000,
        "oracle_match": scores > 4000,
        "secure_scores": scores,
        "oracle_scores": scores,
        "protected_scores": (scores / 16129).astype(np.float32),
        "baseline_scores": (scores / 16129).astype(np.float32),
    }


def without(observations: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: array for name, array in observations.items() if name not in names}


def test_curves_name_what_they_compare(observations: dict[str, Any]) -> None:
    svg = curves_figure(observations, 0.01)
    assert svg is not None
    for label in ("secure search", "protected, float", "unprotected baseline"):
        assert label in svg
    fewer = curves_figure(without(observations, "baseline_scores"), 0.01)
    assert fewer is not None
    assert "baseline" not in fewer.split("</svg>")[0].split(">", 1)[1]


def test_figures_fit_a_dark_page_and_refer_to_nothing(observations: dict[str, Any]) -> None:
    figures = [
        curves_figure(observations, 0.01),
        scores_figure(observations, 0.3, 16129),
        compute_figure(COMPUTE, 5),
    ]
    for svg in figures:
        assert svg is not None
        ET.fromstring(svg)  # noqa: S314
        assert svg.startswith('<svg class="figure" role="img" aria-label=')
        assert "currentColor" in svg
        assert not re.search(r"#ffffff|#010203|<metadata|<style|<\?xml|DOCTYPE", svg)
        assert not re.search(r'href="(?!#)|url\((?!#)', svg)


def test_figures_of_one_page_share_no_identifier(observations: dict[str, Any]) -> None:
    found: list[str] = []
    for svg in (curves_figure(observations), scores_figure(observations, 0.3, 16129)):
        assert svg is not None
        found += re.findall(r'\bid="([^"]+)"', svg)
    assert len(found) == len(set(found))


def test_equal_inputs_give_equal_bytes(observations: dict[str, Any]) -> None:
    assert curves_figure(observations, 0.01) == curves_figure(observations, 0.01)
    assert compute_figure(COMPUTE, 5) == compute_figure(COMPUTE, 5)


def test_closed_scores_give_no_curves_and_no_histogram(observations: dict[str, Any]) -> None:
    names = ("secure_scores", "oracle_scores", "protected_scores", "baseline_scores")
    closed = without(observations, *names)
    assert curves_figure(closed) is None
    assert scores_figure(closed, 0.3, 16129) is None


@pytest.mark.parametrize("kept", [[0, 1, 2], [3, 4], []])
def test_one_sort_of_probe_alone_gives_no_curve(
    observations: dict[str, Any], kept: list[int]
) -> None:
    some = {
        name: array if name == "gallery_identity" else array[kept]
        for name, array in observations.items()
    }
    assert curves_figure(some) is None
    assert (scores_figure(some, 0.3, 16129) is None) == (not kept)


def test_the_histogram_marks_the_threshold_in_cosines(observations: dict[str, Any]) -> None:
    svg = scores_figure(observations, 0.3, 16129)
    assert svg is not None
    assert "threshold 0.300" in svg


def test_busy_time_without_a_search_has_one_panel() -> None:
    both, one = compute_figure(COMPUTE, 5), compute_figure(COMPUTE, 0)
    assert both is not None
    assert one is not None
    assert "per probe" in both
    assert "per probe" not in one
    assert "Dealer" in one
    idle = [{**row, "total": 0.0} for row in COMPUTE]
    assert compute_figure(idle, 5) is None
