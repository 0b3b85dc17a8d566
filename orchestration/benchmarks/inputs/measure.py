"""Attack A1 against every mechanism, budget by budget: is the person still recognised?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from orchestration.benchmarks.inputs.mechanisms import Mechanism, luminance
from parties.model_provider import RgbEmbedder
from scenarios.datasets import DataSet

__all__ = [
    "AttackFaces",
    "AttackPoint",
    "attack_faces",
    "attack_points",
    "correlation",
    "grey",
    "units_of",
]

Pictures = NDArray[np.uint8]
Units = NDArray[np.float32]

FMR = 0.01
STRICT_FMR = 0.001


class AttackFaces(NamedTuple):
    """Faces that are attacked, and what recovered faces are compared with.

    Attributes:
        pictures: attacked pictures of test people, uint8 [T,112,112,3].
        same: unit embeddings of those pictures, unprotected.
        other: unit embeddings of another picture of each.
        threshold: cosine one in a hundred pairs of different test people exceeds.
        strict: cosine one in a thousand exceeds.
    """

    pictures: Pictures
    same: Units
    other: Units
    threshold: float
    strict: float


class AttackPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One mechanism at one budget.

    Attributes:
        mechanism: its name.
        epsilon: of the picture; None for no noise.
        element_epsilon: the same for one of the numbers the noise is drawn for.
        correlation: mean correlation of recovered and true luminance.
        same_picture: recovered faces that match the attacked picture at FMR 1 %.
        other_picture: recovered faces that match another picture of the person; no protected
            network took part, so this is also what denoise-and-recognise achieves.
        other_picture_strict: the same at FMR 0.1 %.
        faces: how many were attacked.
    """

    mechanism: str
    epsilon: float | None
    element_epsilon: float | None
    correlation: float
    same_picture: int
    other_picture: int
    other_picture_strict: int
    faces: int


def attack_faces(dataset: DataSet, network: RgbEmbedder, count: int) -> AttackFaces:
    """Take the first two pictures of test people, and a threshold from their first ones."""
    people = [name for name in dataset.test_identities() if len(dataset.pictures_of(name)) > 1]
    chosen = people[:: max(1, len(people) // count)][:count]
    first = dataset.load([dataset.pictures_of(name)[0] for name in chosen])
    second = dataset.load([dataset.pictures_of(name)[1] for name in chosen])
    same, other = units_of(network, first), units_of(network, second)
    pairs = same @ other.T
    impostors = pairs[~np.eye(len(chosen), dtype=np.bool_)]
    loose, strict = (float(np.quantile(impostors, 1 - rate)) for rate in (FMR, STRICT_FMR))
    return AttackFaces(first, same, other, loose, strict)


def attack_points(
    found: Sequence[Mechanism],
    epsilons: Sequence[float | None],
    faces: AttackFaces,
    network: RgbEmbedder,
    seed: int,
) -> Iterator[AttackPoint]:
    """Attack every mechanism, budget by budget from large to small, until nobody is recognised."""
    for mechanism in found:
        for epsilon in filter(mechanism.can_spend, epsilons):
            planes = mechanism.recovered(faces.pictures, epsilon, np.random.default_rng(seed))
            units = units_of(network, grey(planes))
            same = np.einsum("td,td->t", units, faces.same) > faces.threshold
            other = np.einsum("td,td->t", units, faces.other)
            point = AttackPoint(
                mechanism=mechanism.name,
                epsilon=epsilon,
                element_epsilon=None if epsilon is None else epsilon / mechanism.elements,
                correlation=correlation(planes, luminance(faces.pictures)),
                same_picture=int(same.sum()),
                other_picture=int((other > faces.threshold).sum()),
                other_picture_strict=int((other > faces.strict).sum()),
                faces=len(same),
            )
            yield point
            if point.same_picture == point.other_picture == 0:
                break


def grey(planes: NDArray[np.float32]) -> Pictures:
    """Return recovered luminance as pictures the RGB network reads."""
    shades = np.clip(planes + 128, 0, 255).astype(np.uint8)
    return np.repeat(shades[..., None], 3, axis=3)


def correlation(found: NDArray[np.float32], true: NDArray[np.float32]) -> float:
    """Return the mean correlation of planes [B,112,112] with their true ones."""
    pairs = zip(found.reshape(len(found), -1), true.reshape(len(true), -1), strict=True)
    return float(np.mean([np.corrcoef(one, two)[0, 1] for one, two in pairs]))


def units_of(network: RgbEmbedder, pictures: Pictures) -> Units:
    """Return unit embeddings [B,d] of pictures."""
    values = network.embed_pictures(pictures)
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True))
