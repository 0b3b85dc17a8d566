"""What every test gets: hypothesis profiles, quiet threads, a reason for skipped data tests."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# `fast` is reproducible, so that a failure is never luck; `thorough` looks for new ones.
settings.register_profile(
    "fast",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "thorough", parent=settings.get_profile("fast"), derandomize=False, max_examples=1000
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))

# Tests share two cores with the parties they start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# Results of tests come from the code at hand, and stay out of the user's cache.
os.environ.setdefault("BAUTA_REMEMBER", "0")


# A slow test on a busy machine takes minutes without hanging.
SLOW_TIMEOUT_S = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give slow tests longer to finish; skip tests on real faces, saying why, without any."""
    patience = pytest.mark.timeout(SLOW_TIMEOUT_S)
    skip = pytest.mark.skip(reason="set BAUTA_DATA to the folder that holds data/ and weights/")
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(patience)
        if item.get_closest_marker("data") and not os.environ.get("BAUTA_DATA"):
            item.add_marker(skip)
