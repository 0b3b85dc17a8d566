from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from parties.model_provider.recentring import recentre
from parties.model_provider.student import StudentDesign, StudentNetwork


def batches(seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [3 * torch.randn((4, 2, 112, 112), generator=generator) + 1 for _ in range(2)]


def student() -> StudentNetwork:
    torch.manual_seed(2)
    return StudentNetwork(StudentDesign(2, 2, 3, 16, 0.125)).eval()


def test_norms_learn_the_statistics_of_new_inputs_and_the_stem_keeps_its_own() -> None:
    network, inputs = student(), batches(1)
    stem = {name: value.clone() for name, value in network.face.stem.state_dict().items()}
    gains = network.face.depthwise.norm.weight.clone()
    recentre(network, inputs)
    assert not network.training
    for name, value in network.face.stem.state_dict().items():
        assert torch.equal(value, stem[name]), name
    assert torch.equal(network.face.depthwise.norm.weight, gains)
    with torch.no_grad():
        layer = network.face.depthwise
        values = torch.cat([layer.conv(network.face.stem(network.reduced(x))) for x in inputs])
    mean: NDArray[np.float32] = values.mean(dim=(0, 2, 3)).numpy()
    found = layer.norm.running_mean
    assert found is not None
    np.testing.assert_allclose(found.numpy(), mean, atol=1e-4)
    assert layer.norm.momentum == 0.1


def test_recentring_twice_on_the_same_inputs_changes_nothing() -> None:
    network, inputs = student(), batches(1)
    recentre(network, inputs)
    once = {name: value.clone() for name, value in network.state_dict().items()}
    recentre(network, inputs)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, once[name])
