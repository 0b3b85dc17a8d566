"""Attack A1 against every mechanism, budget by budget: is the person still recognised?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from orchestration.benchmarks.inputs.judges import FMR, AttackFaces, Recognised
from orchestration.benchmarks.inputs.mechanisms import Attempt, Mechanism, luminance
from parties.adversary.face_inversion import FaceAttack
from parties.adversary.face_prior import fit_face_prior
from parties.adversary.linear_inversion import LinearAttack, SmoothAttack
from scenarios.datasets import DataSet

__all__ = [
    "AttackPoint",
    "Campaign",
    "attack_point",
    "attack_points",
    "correlation",
    "hidden",
    "linear_attack",
]

CHANCE = 0.05
"""How unlikely as many matches have to be among strangers to be called recognition."""
LOADED = 256


class AttackPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One mechanism at one budget.

    Attributes:
        mechanism: its name.
        attack: which prior the linear attack had, `face` or `smooth`.
        uploads: of each picture whose mean was attacked.
        epsilon: of the picture, for each upload; None for no noise.
        element_epsilon: the same for one of the numbers the noise is drawn for.
        correlation: mean correlation of recovered and true luminance.
        judged: what each network says of the recovered faces.
        faces: how many were attacked.
    """

    mechanism: str
    attack: str
    uploads: int
    epsilon: float | None
    element_epsilon: float | None
    correlation: float
    judged: tuple[Recognised, ...]
    faces: int


class Campaign(NamedTuple):
    """What all points of a table share.

    Attributes:
        faces: what is attacked, and who judges.
        attack: the adversary.
        seed: of the noise.
    """

    faces: AttackFaces
    attack: LinearAttack
    seed: int

    def described(self) -> tuple[bytes, ...]:
        """Return bytes that differ wherever figures may: pictures, judges, prior and seed."""
        judges = (
            f"{j.name} {j.network.digest} {j.threshold} {len(j.strangers)}".encode()
            for j in self.faces.judges
        )
        seed = str(self.seed).encode()
        return (self.faces.pictures.tobytes(), *judges, self.attack.described(), seed)


def linear_attack(dataset: DataSet, people: int, prior: str = "face") -> LinearAttack:
    """Return the adversary with what it knows of pictures.

    Args:
        dataset: the first picture of each training person is known to it.
        people: of how many of them, at most.
        prior: `face`, or `smooth`, which needs no pictures.

    Raises:
        DataError: there are fewer than eight.
    """
    if prior == "smooth":
        return SmoothAttack()
    names = dataset.training_identities()[:people]
    ids = [dataset.pictures_of(name)[0] for name in names]
    starts = range(0, len(ids), LOADED)
    planes = [luminance(dataset.load(ids[start : start + LOADED])) for start in starts]
    nothing = np.zeros((0, 112, 112), np.float32)
    return FaceAttack(fit_face_prior(np.concatenate([nothing, *planes])))


def attack_points(
    found: Sequence[Mechanism],
    epsilons: Sequence[float | None],
    attacked: Callable[[Mechanism, float | None, int], AttackPoint],
    uploads: Sequence[int] = (),
) -> Iterator[AttackPoint]:
    """Attack every mechanism, budget by budget from large to small, until nobody is recognised.

    Where one upload no longer tells who it is, the mean of several of the same picture is attacked:
    of `uploads` each time, as far as the mechanism's uploads have a mean.

    Args:
        found: the mechanisms.
        epsilons: budgets of the picture, None for no noise.
        attacked: attacks a mechanism at a budget, with the mean of so many uploads.
        uploads: how many.
    """
    for mechanism in found:
        for epsilon in filter(mechanism.can_spend, epsilons):
            point = attacked(mechanism, epsilon, 1)
            yield point
            if hidden(point):
                several = uploads if mechanism.averages and epsilon is not None else ()
                for number in several:
                    yield attacked(mechanism, epsilon, number)
                break


def attack_point(
    mechanism: Mechanism, epsilon: float | None, campaign: Campaign, uploads: int = 1
) -> AttackPoint:
    """Attack one mechanism at one budget."""
    pictures = campaign.faces.pictures
    attempt = Attempt(campaign.attack, np.random.default_rng(campaign.seed), uploads)
    planes = mechanism.recovered(pictures, epsilon, attempt)
    return AttackPoint(
        mechanism=mechanism.name,
        attack=campaign.attack.name,
        uploads=uploads,
        epsilon=epsilon,
        element_epsilon=None if epsilon is None else epsilon / mechanism.elements,
        correlation=correlation(planes, luminance(pictures)),
        judged=campaign.faces.recognised(planes),
        faces=len(pictures),
    )


def hidden(point: AttackPoint) -> bool:
    """Return whether no judge matches recovered faces with their people more than with strangers.

    A few matches are there by chance. As many, or more, must have had a chance of over 5 % at the
    rate at which the recovered faces match strangers, or at FMR 1 % where that is more.
    """
    return all(
        _by_chance(count, each.faces, max(FMR, (each.false_matches or 0) / each.comparisons))
        for each in point.judged
        for count in (each.same_picture, each.other_picture)
    )


def _by_chance(count: int, faces: int, rate: float) -> bool:
    fewer = sum(math.comb(faces, k) * rate**k * (1 - rate) ** (faces - k) for k in range(count))
    return 1 - fewer > CHANCE


def correlation(found: NDArray[np.float32], true: NDArray[np.float32]) -> float:
    """Return the mean correlation of planes [B,112,112] with their true ones."""
    pairs = zip(found.reshape(len(found), -1), true.reshape(len(true), -1), strict=True)
    return float(np.mean([np.corrcoef(one, two)[0, 1] for one, two in pairs]))
