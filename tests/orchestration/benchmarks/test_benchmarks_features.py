from __future__ import annotations

import torch

from orchestration.benchmarks.features import FeatureTiming, measure_features
from protocol.features import FeatureSpec


def test_each_configuration_is_measured_on_one_thread() -> None:
    threads = torch.get_num_threads()
    seen: list[FeatureTiming] = []
    specs = {"plain": FeatureSpec(), "noisy": FeatureSpec(epsilon=1.0)}
    timings = measure_features(specs, batch=2, repeats=1, on_result=seen.append)
    assert timings == seen
    assert [timing.name for timing in timings] == ["plain", "noisy"]
    assert [timing.picture_bytes for timing in timings] == [71 * 112 * 112] * 2
    assert all(0 < timing.protect_cpu_ms < 1000 for timing in timings)
    assert all(timing.network_input_cpu_ms > 0 for timing in timings)
    assert torch.get_num_threads() == threads
