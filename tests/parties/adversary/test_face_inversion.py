"""The linear attack with a prior of faces, against dense algebra and against smoothness."""

from __future__ import annotations

import numpy as np
import pytest

from parties.adversary.face_inversion import FaceAttack
from parties.adversary.face_prior import FacePrior, cosines, fit_face_prior
from parties.adversary.linear_inversion import LinearAttack, SmoothAttack, recover
from parties.adversary.uploads import ChannelLaw, Law, MeanLaw
from protocol.errors import DataError
from protocol.features.block_dct import analysis_operators

EDGE = 112
RNG = np.random.default_rng


def ensemble(count: int, seed: int, *, rough: float = 2.0) -> np.ndarray:
    """Faces of a known kind: twelve patterns with sharp edges and a little noise, [N,112,112]."""
    patterns = np.kron(RNG(1).choice((-1.0, 1.0), (12, 28, 28)), np.ones((4, 4)))
    weights = RNG(seed).standard_normal((count, 12)) * np.linspace(20, 8, 12)
    noise = rough * RNG(seed + 1).standard_normal((count, EDGE, EDGE))
    return np.asarray(10 + np.tensordot(weights, patterns, 1) + noise, dtype=np.float32)


@pytest.fixture(scope="module")
def prior() -> FacePrior:
    return fit_face_prior(ensemble(200, 2), 20)


def dense_covariance(prior: FacePrior, rows: np.ndarray) -> np.ndarray:
    """Return C A^T of the prior's covariance C and rows of A, [112*112,rows]."""
    basis = cosines().astype(np.float64)
    planes = rows.reshape(-1, EDGE, EDGE)
    rest = basis.T @ (np.square(prior.spread) * (basis @ planes @ basis.T)) @ basis
    parts = prior.components.T.astype(np.float64) @ (prior.components @ rows.T)
    return np.asarray(parts + rest.reshape(len(rows), -1).T)


def dense_mean(
    prior: FacePrior, rows: np.ndarray, variance: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """Return the mean of faces given values = rows @ x + noise, in closed form."""
    crossed = dense_covariance(prior, rows)
    mean = prior.mean.ravel().astype(np.float64)
    gain = np.linalg.solve(rows @ crossed + np.diag(variance), values - rows @ mean)
    return np.asarray((mean + crossed @ gain).reshape(EDGE, EDGE))


def attacked(attack: LinearAttack, law: Law, values: np.ndarray) -> np.ndarray:
    return attack.against(law).recover(law.gather(values.astype(np.float32)))


def test_means_are_inverted_as_dense_algebra_does(prior: FacePrior) -> None:
    square = np.repeat(np.eye(14), 8, axis=1) / 8
    rows = np.kron(square, square)
    variance = RNG(3).uniform(1, 90, (14, 14))
    values = (square @ ensemble(1, 4)[0] @ square.T) + np.sqrt(variance)
    found = attacked(FaceAttack(prior), MeanLaw(variance, 8), values[None])[0]
    exact = dense_mean(prior, rows, variance.ravel(), values.ravel())
    assert np.abs(found - exact).max() < 0.02 * np.abs(exact).max()


def test_coefficients_are_inverted_as_dense_algebra_does(prior: FacePrior) -> None:
    """Of two channels a few rows of the picture are sent, each value with its own noise."""
    operators, channels = analysis_operators(), np.array([0, 8])  # (0, 1) and (1, 1)
    variance = np.full((2, EDGE, EDGE), np.inf)
    variance[:, 50:52] = RNG(5).uniform(5, 500, (2, 2, EDGE))
    rows = np.concatenate([np.kron(operators[u][50:52], operators[v]) for u, v in ((0, 1), (1, 1))])
    noise = np.where(np.isfinite(variance), variance, 0)
    picture = ensemble(1, 6)[0]
    exact_values = np.stack([operators[u] @ picture @ operators[v].T for u, v in ((0, 1), (1, 1))])
    values = exact_values + np.sqrt(noise)
    found = attacked(FaceAttack(prior), ChannelLaw(channels, variance), values[None])[0]
    sent = np.isfinite(variance)
    exact = dense_mean(prior, rows, variance[sent], values[sent])
    assert np.abs(found - exact).max() < 0.02 * np.abs(exact).max()


def test_what_faces_have_in_common_is_worth_more_than_smoothness(prior: FacePrior) -> None:
    true, law = ensemble(6, 8), MeanLaw(80.0**2)
    values = true + 80 * RNG(9).standard_normal(true.shape)
    errors = [
        np.square(attacked(attack, law, values) - true).mean()
        for attack in (FaceAttack(prior), SmoothAttack())
    ]
    # Twelve numbers of every face are to be found in 12,544 values: hardly anything is left over.
    assert errors[0] < 2.0**2 * 1.5 + 12 * 80.0**2 / EDGE**2 * 2
    assert errors[0] < errors[1] / 20


def test_without_noise_what_no_component_holds_is_recovered_as_well(prior: FacePrior) -> None:
    strange = np.zeros((1, EDGE, EDGE), np.float32)
    strange[:, 30:60, 40:80] = 90
    found = attacked(FaceAttack(prior), MeanLaw(1 / 12), strange)
    assert np.abs(found - strange).max() < 10
    assert np.abs(found - strange).mean() < 1


def test_more_uploads_of_one_picture_are_less_noise(prior: FacePrior) -> None:
    true, rng = ensemble(4, 10), RNG(11)
    errors = []
    for uploads in (1, 16):
        noise = 400 * rng.standard_normal((uploads, *true.shape)).mean(axis=0)
        found = attacked(FaceAttack(prior), MeanLaw(400.0**2 / uploads), true + noise)
        errors.append(np.square(found - true).mean())
    assert errors[1] < errors[0] / 4


def test_the_kind_of_an_upload_is_found_by_its_evidence(prior: FacePrior) -> None:
    """Three values a place of three out of nine channels, and nobody says which."""
    operators, true = analysis_operators(), ensemble(3, 12)
    groups = [np.array([0, 8, 17]), np.array([1, 9, 10]), np.array([2, 7, 15])]
    truth = np.array([2, 0, 1])
    values = np.stack(
        [
            [
                operators[(c + 1) // 8] @ picture @ operators[(c + 1) % 8].T
                for c in groups[which].tolist()
            ]
            for picture, which in zip(true, truth, strict=True)
        ]
    )
    values = (values + 30 * RNG(13).standard_normal(values.shape)).astype(np.float32)
    laws = [ChannelLaw(group, np.full((3, 1, 1), 900.0)) for group in groups]
    gathered = [law.gather(values) for law in laws]
    solvers = [FaceAttack(prior).against(law) for law in laws]
    likely = [solver.plausibility(g) for solver, g in zip(solvers, gathered, strict=True)]
    assert np.argmax(likely, axis=0).tolist() == truth.tolist()
    found = recover(solvers, gathered)
    for one, picture in zip(found, true, strict=True):
        assert np.corrcoef(one.ravel(), picture.ravel())[0, 1] > 0.95


def test_the_prior_measures_variances_on_people_it_was_not_fitted_to() -> None:
    """Of noise alone, components of few pictures hold no more than any other direction."""
    noise = 5 * RNG(14).standard_normal((100, EDGE, EDGE)).astype(np.float32)
    found = fit_face_prior(noise, 30)
    assert found.components.shape == (30, EDGE**2)
    norms = np.linalg.norm(found.components, axis=1)
    assert norms.mean() == pytest.approx(5, rel=0.1)  # the fitted pictures alone would say 60
    assert found.spread.mean() == pytest.approx(5, rel=0.1)


def test_a_prior_needs_a_few_pictures() -> None:
    with pytest.raises(DataError, match="7 pictures, at least 8"):
        fit_face_prior(ensemble(7, 15))
    assert len(fit_face_prior(ensemble(8, 15)).components) == 5
