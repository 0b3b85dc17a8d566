from __future__ import annotations

import numpy as np

from orchestration.benchmarks.inputs.measure import attack_faces, attack_points
from orchestration.benchmarks.inputs.mechanisms import PixelNoise
from parties.model_provider import RgbEmbedder
from parties.model_provider.mobilefacenet import Architecture, MobileFaceNet, initialise
from parties.model_provider.published import RgbScaling
from reports.input_rates import input_lines
from scenarios.datasets.synthetic import SyntheticFaces


def test_a_recovered_face_is_recognised_until_noise_drowns_it() -> None:
    network = initialise(MobileFaceNet(Architecture(dimension=16, width=0.125)), seed=5)
    embedder = RgbEmbedder(network, RgbScaling(0, 1 / 128))
    faces = SyntheticFaces(3, training_people=0, test_people=12, pictures=2)
    attacked = attack_faces(faces, embedder, 12)
    assert attacked.pictures.shape == (12, 112, 112, 3)
    assert attacked.threshold <= attacked.strict
    mechanism = PixelNoise("pixels, Laplace", 1, gaussian=False)
    clear, noisy = attack_points([mechanism], (None, 10.0), attacked, embedder, 7)
    assert (clear.faces, clear.epsilon, clear.element_epsilon) == (12, None, None)
    assert noisy.element_epsilon == 10.0 / 112**2
    assert clear.correlation > 0.99 > noisy.correlation
    lines = input_lines([clear, noisy])
    assert "none" in lines[1]
    assert "10" in lines[2]
    assert np.isfinite(attacked.same).all()
