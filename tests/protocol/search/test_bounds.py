"""Bounds: every value of an accepted plan fits its ring, and what could wrap is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import ScenarioError
from protocol.mapping.quantise import largest_scale, quantise_template
from protocol.plan import RunPlan, Step
from protocol.search.bounds import bounds, check_bounds


def plan(bits: int, scale: int, threshold: int, **changes: Any) -> RunPlan:
    """Return a plan of one search against ten rows."""
    fields: dict[str, Any] = {
        "run": "r", "ring_bits": bits, "dimension": 512, "threshold": threshold, "radix": 2,
        "steps": (Step("enrol-0000", 10, "enrol"), Step("search-0000", 1)), "open_scores": False,
        "scale": scale, **changes,
    }  # fmt: skip
    return RunPlan(**fields)


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("output", ["any", "count", "identity", "bitmap"])
def test_the_largest_scale_of_a_ring_is_accepted(bits: int, output: str) -> None:
    scale = largest_scale(bits) if bits == 16 else 16384
    accepted = plan(bits, scale, scale * scale, output=output, check_inputs=True)
    check_bounds(accepted)
    assert all(bound.holds for bound in bounds(accepted))


def test_a_scale_for_which_a_negated_template_would_be_accepted_is_refused() -> None:
    with pytest.raises(ScenarioError, match="score minus threshold can reach 49152"):
        check_bounds(plan(16, 181, 16391))


@given(st.integers(1, 64), st.integers(0, 2**32 - 1), st.sampled_from([-1.0, 1.0, 3.0, 1e-3]))
def test_no_quantised_vector_leaves_its_bounds(width: int, seed: int, factor: float) -> None:
    random = np.random.default_rng(seed)
    pair = factor * random.standard_normal((2, width))
    row, probe = quantise_template(pair, 127).astype(np.int64)
    found = {bound.what: bound.largest for bound in bounds(plan(16, 127, 0))}
    assert max(abs(row).max(), abs(probe).max()) <= found["entry of a row or probe"]
    assert abs(row @ probe) <= found["score, by Cauchy-Schwarz"]
