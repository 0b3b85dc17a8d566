"""The angular margin loss, and training by it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from parties.model_provider import DistilConfig, Report, RgbEmbedder, distil
from parties.model_provider.margin import AngularMargin
from protocol.errors import DataError
from protocol.features import FeatureSpec

Pictures = NDArray[np.uint8]
PLAIN = FeatureSpec(fusion="plane", colour="none")


def expected(own: float, other: float, scale: float, margin: float) -> float:
    """The loss of one embedding among two people, by its angles."""
    pushed, apart = scale * math.cos(own + margin), scale * math.cos(other)
    return math.log(math.exp(pushed) + math.exp(apart)) - pushed


@pytest.mark.parametrize("angle", [0.1, 0.8, 1.4])
def test_the_own_angle_is_enlarged_by_the_margin(angle: float) -> None:
    loss = AngularMargin(np.eye(2, 3, dtype=np.float32) * 5, scale=8.0, margin=0.5)
    embedding = torch.tensor([[3 * math.cos(angle), 3 * math.sin(angle), 0.0]])
    found = loss(embedding, torch.tensor([0])).item()
    assert found == pytest.approx(expected(angle, math.pi / 2 - angle, 8.0, 0.5), rel=1e-5)


def test_the_loss_grows_with_the_angle_up_to_the_end() -> None:
    loss = AngularMargin(np.eye(2, 3, dtype=np.float32), scale=8.0, margin=0.5)
    angles = torch.linspace(0.01, math.pi - 0.01, 60)
    away = torch.stack([torch.cos(angles), torch.zeros(60), torch.sin(angles)], dim=1)
    losses = torch.stack([loss(one[None], torch.tensor([0])) for one in away])
    assert bool((losses.diff() > 0).all())


def test_centres_and_embeddings_learn_to_tell_people_apart() -> None:
    generator = torch.Generator().manual_seed(3)
    people = torch.arange(60) % 3
    faces = torch.randn(3, 12, generator=generator)[people] + 0.5 * torch.randn(
        60, 12, generator=generator
    )
    network = torch.nn.Linear(12, 4)
    torch.nn.init.orthogonal_(network.weight, generator=generator)
    loss = AngularMargin(np.eye(3, 4, dtype=np.float32), scale=16.0, margin=0.3)
    optimiser = torch.optim.Adam([*network.parameters(), *loss.parameters()], lr=0.05)
    found = []
    for _ in range(60):
        value = loss(network(faces), people)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        found.append(value.item())
    assert found[-1] < 0.2 * found[0]
    units = torch.nn.functional.normalize(network(faces).detach())
    centres = torch.nn.functional.normalize(loss.centres.detach())
    assert bool(((units @ centres.T).argmax(dim=1) == people).float().mean() > 0.95)


class Interrupt(Exception):  # noqa: N818
    pass


def test_an_interrupted_training_by_the_margin_continues_to_the_same_result(
    pictures: Pictures, tiny_teacher: RgbEmbedder, tmp_path: Path
) -> None:
    config = DistilConfig(
        steps=4, batch_size=8, ridge_pictures=16, distil_weight=0.5, arcface_weight=0.1
    )
    people, checkpoint = np.arange(len(pictures)) // 4, tmp_path / "half.npz"
    whole = distil(pictures, tiny_teacher, PLAIN, config, people=people)

    def stop(report: Report) -> None:
        if report.step == 2:
            raise Interrupt

    with pytest.raises(Interrupt):
        distil(
            pictures,
            tiny_teacher,
            PLAIN,
            config,
            people=people,
            checkpoint=checkpoint,
            on_progress=stop,
        )
    again = distil(pictures, tiny_teacher, PLAIN, config, people=people, checkpoint=checkpoint)
    plain = distil(pictures, tiny_teacher, PLAIN, replace(config, arcface_weight=0.0))
    name = "face.embed.weight"
    wanted = whole.network.state_dict()[name]
    torch.testing.assert_close(again.network.state_dict()[name], wanted, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(plain.network.state_dict()[name], wanted, rtol=1e-3, atol=1e-6)


def test_a_margin_needs_people_and_a_training_needs_a_goal(
    pictures: Pictures, tiny_teacher: RgbEmbedder
) -> None:
    config = DistilConfig(steps=2, batch_size=8, ridge_pictures=32, arcface_weight=1.0)
    with pytest.raises(DataError, match="who is on each picture"):
        distil(pictures, tiny_teacher, PLAIN, config)
    with pytest.raises(DataError, match="no weight"):
        DistilConfig(distil_weight=0.0)
