from __future__ import annotations

import numpy as np

from orchestration.benchmarks.inputs.measure import attack_faces, attack_points
from orchestration.benchmarks.inputs.mechanisms import Sent, mechanisms, narrowed
from parties.model_provider import RgbEmbedder
from parties.model_provider.mobilefacenet import Architecture, MobileFaceNet, initialise
from parties.model_provider.published import RgbScaling
from protocol.features import FeatureSpec, calibrate
from reports.input_rates import input_lines
from scenarios.datasets.synthetic import SyntheticFaces

PLANE = FeatureSpec(fusion="plane", colour="none")


def test_a_recovered_face_is_recognised_until_noise_drowns_it() -> None:
    network = initialise(MobileFaceNet(Architecture(dimension=16, width=0.125)), seed=5)
    embedder = RgbEmbedder(network, RgbScaling(0, 1 / 128))
    faces = SyntheticFaces(3, training_people=0, test_people=12, pictures=2)
    attacked = attack_faces(faces, embedder, 12)
    assert attacked.pictures.shape == (12, 112, 112, 3)
    assert attacked.threshold <= attacked.strict
    mechanism = Sent("pixels, Laplace", PLANE, calibrate([attacked.pictures], "plane"))
    clear, noisy = attack_points([mechanism], (None, 10.0), attacked, embedder, 7)
    assert (clear.faces, clear.epsilon, clear.element_epsilon) == (12, None, None)
    assert noisy.element_epsilon == 10.0 / 112**2
    assert clear.correlation > 0.99 > noisy.correlation
    lines = input_lines([clear, noisy])
    assert "none" in lines[1]
    assert "10" in lines[2]
    assert np.isfinite(attacked.same).all()


def test_budgets_beyond_the_sampler_are_left_out() -> None:
    rng = np.random.default_rng(6)
    training = rng.integers(0, 256, (104, 112, 112, 3), dtype=np.uint8)
    means = next(found for found in mechanisms([training]) if found.name.startswith("4x4"))
    assert means.can_spend(None)
    assert means.can_spend(784 * 1024.0)
    assert not means.can_spend(784 * 1025.0)


def test_narrowed_bounds_keep_their_centre() -> None:
    rng = np.random.default_rng(6)
    bounds = calibrate([rng.integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)], "maxabs")
    found = narrowed(bounds, 0.25)
    np.testing.assert_allclose(found.sensitivity, bounds.sensitivity / 4, rtol=1e-4)
    np.testing.assert_allclose(
        found.lower + found.upper, bounds.lower + bounds.upper, atol=1e-2, rtol=1e-4
    )
