from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from parties.model_provider import RgbEmbedder
from parties.model_provider.mobilefacenet import Architecture, MobileFaceNet, initialise
from parties.model_provider.published import RgbScaling


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def pictures() -> NDArray[np.uint8]:
    """Forty smooth coloured pictures, uint8 [40,112,112,3]."""
    coarse = np.random.default_rng(3).uniform(0, 255, (40, 8, 8, 3))
    rows = np.clip(np.arange(112) / 16, 0, 6.999)
    low, part = rows.astype(int), rows % 1

    def stretch(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        weight = part.reshape([-1 if i == axis else 1 for i in range(4)])
        return values.take(low, axis) * (1 - weight) + values.take(low + 1, axis) * weight

    return stretch(stretch(coarse, 1), 2).astype(np.uint8)


@pytest.fixture(scope="session")
def tiny_teacher() -> RgbEmbedder:
    """An untrained RGB network of one eighth width, with 16-d embeddings."""
    network = initialise(MobileFaceNet(Architecture(dimension=16, width=0.125)), seed=5)
    return RgbEmbedder(network, RgbScaling(0, 1 / 128))
