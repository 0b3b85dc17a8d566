from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from parties.model_provider import Report, RgbEmbedder, load_student
from parties.model_provider.mobilefacenet import ConvNorm
from parties.model_provider.published import write_arrays
from parties.model_provider.shipped import (
    SHIPPED_RGB,
    SHIPPED_STUDENT,
    load_shipped_rgb,
    save_rgb,
    shipped_record,
)
from parties.model_provider.supervised import (
    SCALING,
    FactorBatch,
    SmallConfig,
    separate_people,
    train_small,
)
from protocol.errors import DataError
from protocol.features import FeatureExtractor, FeatureSpec

Pictures = NDArray[np.uint8]
TINY = SmallConfig(steps=12, learning_rate=5e-3, width=0.125, dimension=8)


def brightness(pictures: Pictures) -> NDArray[np.float32]:
    """Directions that can be read off a picture: mean colour of its four quarters."""
    parts = pictures.reshape(len(pictures), 2, 56, 2, 56, 3).mean((2, 4))
    return np.asarray(parts.reshape(len(pictures), -1)[:, :8] / 64 - 2, np.float32)


def test_training_learns_what_can_be_seen(pictures: Pictures) -> None:
    reports: list[Report] = []

    def batch(step: int) -> FactorBatch:
        chosen = pictures[8 * (step % 5) :][:8]
        return chosen, brightness(chosen)

    network = train_small(batch, TINY, reports.append)
    assert [report.step for report in reports] == list(range(1, 13))
    assert reports[-1].loss < reports[0].loss
    assert reports[-1].remaining_s == 0
    assert network.embed_pictures(pictures[:3]).shape == (3, 8)


def test_the_loss_is_one_less_the_cosine_to_what_is_wanted(pictures: Pictures) -> None:
    reports: list[Report] = []
    wanted = brightness(pictures[:8])
    standing = replace(TINY, steps=1, learning_rate=0.0)
    network = train_small(lambda _: (pictures[:8], wanted), standing, reports.append).network
    inputs = RgbEmbedder(network, SCALING).inputs(pictures[:8])
    with torch.no_grad():
        found = network.train()(inputs)
    assert reports[0].loss == pytest.approx(1 - _mean_cosine(found.numpy(), wanted), abs=1e-4)


def _mean_cosine(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
    return float(np.mean((found * wanted).sum(1) / norms))


def test_training_is_a_function_of_seed_and_batches(pictures: Pictures) -> None:
    def batch(step: int) -> FactorBatch:
        return pictures[step : step + 8], brightness(pictures[step : step + 8])

    config = replace(TINY, steps=2)
    digests = [train_small(batch, replace(config, seed=seed)).digest for seed in (7, 7, 8)]
    assert digests[0] == digests[1] != digests[2]


def test_slopes_stay_where_they_start(pictures: Pictures) -> None:
    config = replace(TINY, steps=2)
    network = train_small(lambda _: (pictures[:8], brightness(pictures[:8])), config).network
    slopes = [module.weight for module in network.modules() if isinstance(module, torch.nn.PReLU)]
    assert slopes
    assert all(bool((slope == 0.25).all()) for slope in slopes)


def test_half_precision_learns_the_same(pictures: Pictures) -> None:
    def batch(step: int) -> FactorBatch:
        chosen = pictures[8 * (step % 5) :][:8]
        return chosen, brightness(chosen)

    losses: list[list[float]] = []
    short = replace(TINY, steps=3)
    for config in (short, replace(short, precision="bfloat16")):
        reports: list[Report] = []
        train_small(batch, config, reports.append)
        losses.append([report.loss for report in reports])
    assert np.abs(np.array(losses[0]) - np.array(losses[1])).max() < 0.05


def test_fixed_slopes_give_the_gradients_of_learned_ones() -> None:
    torch.manual_seed(1)
    layer, features = ConvNorm(3, 4, 3, padding=1), torch.randn(2, 3, 6, 6)
    wanted = torch.randn(2, 4, 6, 6)
    found = []
    for learned in (True, False):
        layer.activation.weight.requires_grad_(learned)
        layer.zero_grad()
        (layer.train()(features) * wanted).sum().backward()
        found.append([layer.conv.weight.grad, layer.norm.weight.grad, layer.norm.bias.grad])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_the_discriminant_brings_pictures_of_one_person_together(
    pictures: Pictures, tiny_teacher: RgbEmbedder
) -> None:
    rng = np.random.default_rng(1)
    albums = np.repeat(pictures[:20], 4, axis=0).astype(np.float32)
    albums += rng.normal(0, 12, (80, 1, 1, 3))  # another light in every picture
    shown = np.clip(albums, 0, 255).astype(np.uint8)
    before = _likeness(tiny_teacher.embed_pictures(shown))
    network = separate_people(copy.deepcopy(tiny_teacher), shown, each=4)
    assert network.digest != tiny_teacher.digest
    assert _likeness(network.embed_pictures(shown)) > before + 0.05


def _likeness(embeddings: NDArray[np.float32]) -> float:
    """Mean cosine within people above the mean cosine between them, after centring."""
    centred = embeddings - embeddings.mean(0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    cosine, person = unit @ unit.T, np.arange(len(unit)) // 4
    same = person[:, None] == person[None]
    return float(cosine[same & ~np.eye(len(unit), dtype=bool)].mean() - cosine[~same].mean())


def test_a_saved_network_embeds_the_same(pictures: Pictures, tmp_path: Path) -> None:
    def batch(step: int) -> FactorBatch:
        return pictures[step : step + 8], brightness(pictures[step : step + 8])

    network = train_small(batch, SmallConfig(steps=1, width=0.125, dimension=8))
    save_rgb(network, tmp_path / "rgb.npz", {"loss": 0.5})
    assert shipped_record(tmp_path / "rgb.npz") == {"loss": 0.5}
    loaded = load_shipped_rgb(tmp_path / "rgb.npz")
    expected = network.embed_pictures(pictures[:2])
    found = loaded.embed_pictures(pictures[:2])
    np.testing.assert_allclose(found, expected, rtol=2e-2, atol=2e-2 * np.abs(expected).max())


def test_a_student_is_not_an_rgb_network() -> None:
    with pytest.raises(DataError, match="synthetic_student"):
        load_shipped_rgb(SHIPPED_STUDENT)
    with pytest.raises(DataError, match="synthetic_rgb"):
        load_student(SHIPPED_RGB)


@pytest.mark.parametrize("meta", [b"", b"[]", b"{}", b'{"architecture": {"depth": 3}}', b"\xff"])
def test_a_file_that_does_not_say_what_it_is_is_refused(meta: bytes, tmp_path: Path) -> None:
    path = tmp_path / "rgb.npz"
    write_arrays({"meta": np.frombuffer(meta, np.uint8)}, path)
    with pytest.raises(DataError, match=r"rgb\.npz.*not a network of this package"):
        load_shipped_rgb(path)


def test_the_carried_networks_fit_together_and_are_small(pictures: Pictures) -> None:
    rgb, student = load_shipped_rgb(), load_student(SHIPPED_STUDENT, FeatureSpec())
    assert student.record["teacher"] == rgb.digest
    assert student.record["data"] == "synthetic"
    assert student.dimension == rgb.dimension == 128
    assert SHIPPED_RGB.stat().st_size < 1e6
    assert SHIPPED_STUDENT.stat().st_size < 1e6
    extractor = FeatureExtractor(student.spec, student.calibration, bytes)
    found = torch.from_numpy(student.embed(extractor.protect(pictures[:4])))
    wanted = torch.from_numpy(rgb.embed_pictures(pictures[:4]))
    assert found.shape == wanted.shape
    assert bool(torch.isfinite(found).all())
