from __future__ import annotations

import numpy as np
import pytest

from orchestration.benchmarks.inputs.judges import attack_faces
from orchestration.benchmarks.inputs.measure import Campaign, linear_attack
from orchestration.benchmarks.inputs.mixing import MixedChannels, eavesdrop, rounding_cost
from parties.model_provider import DistilConfig, RgbEmbedder, distil
from parties.model_provider.mobilefacenet import Architecture, MobileFaceNet, initialise
from parties.model_provider.published import RgbScaling
from protocol.features import FeatureSpec
from reports.input_rates import mixing_lines
from scenarios.datasets.synthetic import SyntheticFaces

FACES = SyntheticFaces(3, training_people=10, test_people=8, pictures=2)


@pytest.fixture(scope="module")
def network() -> RgbEmbedder:
    network = initialise(MobileFaceNet(Architecture(dimension=16, width=0.125)), seed=5)
    return RgbEmbedder(network, RgbScaling(0, 1 / 128))


@pytest.fixture(scope="module")
def attacked(network: RgbEmbedder) -> Campaign:
    return Campaign(attack_faces(FACES, {"tiny": network}, 4), linear_attack(FACES, 10), 7)


def training() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    names = FACES.training_identities()
    return FACES.load([picture for name in names for picture in FACES.pictures_of(name)])


def test_an_eavesdropper_who_knows_the_mixing_reads_everything(
    attacked: Campaign,
) -> None:
    deployment = MixedChannels.drawn(training(), np.random.default_rng(2))
    ignored, known, estimated = eavesdrop(deployment, training()[:1], attacked)
    assert (ignored.uploads, known.uploads, estimated.uploads) == (0, None, 1)
    assert known.correlation > 0.95
    assert known.correlation > max(ignored.correlation, estimated.correlation)
    lines = mixing_lines([ignored, known, estimated], 0.99)
    assert len(lines) == 5
    assert "mixing known" in lines[2]
    assert "0.9900" in lines[-1]


def test_a_network_that_undoes_the_mixing_pays_for_rounding_only(network: RgbEmbedder) -> None:
    pictures = training()
    config = DistilConfig(steps=0, batch_size=4, ridge_pictures=8)
    student = distil(pictures, network, FeatureSpec(), config)
    deployment = MixedChannels.drawn(pictures, np.random.default_rng(2))
    assert 0.95 < rounding_cost(deployment, student, pictures, pictures[:4]) < 1.0
