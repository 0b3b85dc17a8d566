from __future__ import annotations

import pytest
import torch

from parties.model_provider.mobilefacenet import Architecture, ConvNorm, MobileFaceNet, initialise


@pytest.mark.parametrize("dimension", [128, 512])
def test_the_head_has_the_wanted_dimension(dimension: int) -> None:
    network = MobileFaceNet(Architecture(dimension=dimension)).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 112, 112)).shape == (2, dimension)


def test_the_narrow_picture_keeps_a_one_by_one_map_before_the_head() -> None:
    network = MobileFaceNet(Architecture(columns=96, width=0.125)).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 112, 96)).shape == (2, 128)


def test_the_published_size_is_about_a_million_parameters() -> None:
    count = sum(parameter.numel() for parameter in MobileFaceNet(Architecture()).parameters())
    assert 0.98e6 < count < 1.03e6


def test_folding_the_norm_changes_nothing() -> None:
    torch.manual_seed(1)
    layer = ConvNorm(6, 8, 3, stride=2, padding=1)
    layer.train()
    layer(torch.randn(4, 6, 20, 20) * 3 + 1)  # gives the norm statistics worth folding
    layer.eval()
    features = torch.randn(2, 6, 20, 20)
    plain = layer.activation(layer.norm(layer.conv(features)))
    torch.testing.assert_close(layer(features), plain, rtol=1e-5, atol=1e-5)


def test_the_cheap_prelu_differentiates_like_the_built_in_one() -> None:
    torch.manual_seed(2)
    layer = ConvNorm(3, 5).eval()
    with torch.no_grad():
        next(layer.activation.parameters()).copy_(torch.tensor([0.1, -0.3, 1.0, 1.7, 0.0]))
    ours = torch.randn(2, 5, 4, 4, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()
    weights = torch.randn(2, 5, 4, 4)
    (found,) = torch.autograd.grad((layer.activate(ours) * weights).sum(), ours)
    (expected,) = torch.autograd.grad((layer.activation(theirs) * weights).sum(), theirs)
    torch.testing.assert_close(found, expected)


def test_initialisation_is_a_function_of_the_seed() -> None:
    nets = [initialise(MobileFaceNet(Architecture(width=0.125)), seed) for seed in (1, 1, 2)]
    first, same, other = (net.stem.conv.weight for net in nets)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
