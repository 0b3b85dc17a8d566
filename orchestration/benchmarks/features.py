"""How long the client's features take: milliseconds per face on one core."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from protocol.features import Calibration, FeatureExtractor, FeatureSpec, calibrate, network_input

__all__ = ["CONFIGURATIONS", "FeatureTiming", "measure_features"]

CONFIGURATIONS: Final[dict[str, FeatureSpec]] = {
    "63 channels + dlbp, no noise, 8 bit": FeatureSpec(),
    "63 channels + dlbp, no noise, 16 bit": FeatureSpec(wire_bits=16),
    "63 channels only, no noise, 8 bit": FeatureSpec(colour="none"),
    "63 channels + dlbp, epsilon 1, 8 bit": FeatureSpec(epsilon=1.0),
    "63 channels + dlbp, epsilon 1 on both, 8 bit": FeatureSpec(epsilon=1.0, colour_epsilon=1.0),
    "63 of Y + dlbp, no noise, 8 bit": FeatureSpec(fusion="y_only"),
    "63 channels + lbp_y, no noise, 8 bit": FeatureSpec(colour="lbp_y"),
    "63 channels + dlbp, pixel epsilon 10, 8 bit": FeatureSpec(pixel_epsilon=10.0),
    "luminance plane, pixel epsilon 8, 8 bit": FeatureSpec(
        fusion="plane", colour="none", pixel_epsilon=8.0
    ),
    "luminance plane, 4x4 means, epsilon 32, 8 bit": FeatureSpec(
        fusion="plane", colour="none", pixel_epsilon=32.0, pixel_block=4
    ),
    "189 channels + dlbp, no noise, 8 bit": FeatureSpec(fusion="none"),
    "162 high channels, no noise, 8 bit": FeatureSpec(
        fusion="none", selection="high", colour="none"
    ),
    "27 of 162 channels, no noise, 8 bit": FeatureSpec(
        fusion="none", selection="random", colour="none"
    ),
    "189 channels + dlbp, epsilon 1, 8 bit": FeatureSpec(fusion="none", epsilon=1.0),
}
"""What is measured by default, by name."""

_CALIBRATION_PICTURES: Final = 104


class FeatureTiming(msgspec.Struct, frozen=True, kw_only=True):
    """Cost of one configuration, for one face of a batch.

    Attributes:
        name: what was measured.
        protect_wall_ms: client side, whole `protect`, median of the repeats.
        protect_cpu_ms: the same in processor time, fastest repeat: what an idle core would take.
        network_input_cpu_ms: provider side, dequantisation and normalisation, fastest repeat.
        picture_bytes: tensor bytes on the wire.
        batch: faces in a call.
    """

    name: str
    protect_wall_ms: float
    protect_cpu_ms: float
    network_input_cpu_ms: float
    picture_bytes: int
    batch: int


def measure_features(
    configurations: dict[str, FeatureSpec] | None = None,
    *,
    batch: int = 64,
    repeats: int = 5,
    on_result: Callable[[FeatureTiming], None] = lambda _: None,
) -> list[FeatureTiming]:
    """Measure each configuration on one thread, after a warm-up that compiles the kernels.

    Pictures are random: the work does not depend on what they show.
    """
    calibrations: dict[tuple[str, str], Calibration] = {}
    timings = []
    with _one_thread():
        for name, spec in (configurations or CONFIGURATIONS).items():
            kind = spec.fusion, spec.selection
            if kind not in calibrations:
                pictures = (_random_pictures(8, seed) for seed in range(_CALIBRATION_PICTURES // 8))
                calibrations[kind] = calibrate(pictures, *kind)
            timing = _measure(name, spec, calibrations[kind], batch, repeats)
            on_result(timing)
            timings.append(timing)
    return timings


def _measure(
    name: str, spec: FeatureSpec, calibration: Calibration, batch: int, repeats: int
) -> FeatureTiming:
    pictures = _random_pictures(batch, seed=7)
    extractor = FeatureExtractor(spec, calibration, os.urandom)
    protected = extractor.protect(pictures[:2])
    network_input(protected, spec, calibration)
    protect = [_timed(lambda: extractor.protect(pictures)) for _ in range(repeats)]
    protected = extractor.protect(pictures)
    receive = [_timed(lambda: network_input(protected, spec, calibration)) for _ in range(repeats)]
    return FeatureTiming(
        name=name,
        protect_wall_ms=statistics.median(wall for wall, _ in protect) * 1e3 / batch,
        protect_cpu_ms=min(cpu for _, cpu in protect) * 1e3 / batch,
        network_input_cpu_ms=min(cpu for _, cpu in receive) * 1e3 / batch,
        picture_bytes=spec.picture_bytes,
        batch=batch,
    )


def _timed(action: Callable[[], object]) -> tuple[float, float]:
    """Return wall and processor seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - cpu


def _random_pictures(count: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 112, 112, 3), dtype=np.uint8)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
