"""The threshold: which pictures it is calibrated on, and what their impostor pairs say.

Everyone gives one picture before anyone gives a second, up to `CALIBRATION_PICTURES` in all. That
bounds time (each is embedded once) and memory (a score for every ordered pair); a data set of few
people uses all their pictures. Pairs of one person's own pictures never count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from protocol.errors import ScenarioError
from protocol.mapping import KeyRing, RowForm
from protocol.sharing.prg import RandomBytes
from scenarios.datasets import DataSet
from scenarios.specs import Scenario

__all__ = [
    "CALIBRATION_PICTURES", "Impostors", "PublicPictures", "calibrated_threshold",
    "impostor_scores", "pair_far", "public_pictures", "threshold_above",
]  # fmt: skip

CALIBRATION_PICTURES: Final = 1500
MINIMUM_PEOPLE: Final = 100
"""Fewer than so many people are shared by mapping and threshold, and named in a note."""
LEAST_EXPECTED: Final = 0.1
"""Impostor pairs that must be expected beyond the threshold; below, it is anybody's guess."""

KEPT_SCORES: Final = 4096
"""At least so many of the highest impostor scores are kept, for other rates to be read off."""

Pair = tuple[str, str]


class Impostors(NamedTuple):
    """What a threshold needs of impostor pairs, and nothing else about anybody.

    Attributes:
        highest: the highest integer scores, highest first.
        pairs: how many ordered pairs there are in all.
    """

    highest: npt.NDArray[np.int64]
    pairs: int

    @classmethod
    def of(cls, scores: npt.NDArray[np.int64], far: float) -> Impostors:
        """Keep what thresholds at this rate of pairs, and some other ones, need."""
        kept = min(scores.size, max(KEPT_SCORES, int(far * scores.size) + 1))
        highest = np.sort(np.partition(scores, scores.size - kept)[scores.size - kept :])[::-1]
        return cls(highest, int(scores.size))

    def reach(self, far: float) -> bool:
        """Return whether enough scores were kept for a rate of pairs."""
        return int(far * self.pairs) < len(self.highest)


class PublicPictures(NamedTuple):
    """Pictures of training people as (identity, picture).

    Attributes:
        mapping: one of each person a mapping is centred on.
        threshold: those a threshold is calibrated on; empty where the scenario gives one.
    """

    mapping: tuple[Pair, ...]
    threshold: tuple[Pair, ...]


def public_pictures(scenario: Scenario, dataset: DataSet) -> PublicPictures:
    """Choose the pictures of training people that a mapping and a threshold need.

    The threshold's people are not the mapping's, unless fewer than a hundred would be left.

    Raises:
        ScenarioError: too few pairs of different people for the false-alarm rate that is asked.
    """
    if scenario.network.kind == "identity":
        return PublicPictures((), ())
    people = dataset.training_identities()
    wanted = 0 if scenario.mapping.kind == "none" else scenario.mapping.cohort
    mapping = tuple((person, dataset.pictures_of(person)[0]) for person in people[:wanted])
    if scenario.search.threshold is not None:
        return PublicPictures(mapping, ())
    left = people[wanted:]
    chosen = left if len(left) >= MINIMUM_PEOPLE else people
    threshold = tuple(islice(_in_turn(dataset, chosen), CALIBRATION_PICTURES))
    _refuse_too_few(scenario, threshold)
    return PublicPictures(mapping, threshold)


def pair_far(scenario: Scenario) -> float:
    """Return the rate of false matches of one pair that gives the scenario's false alarms.

    A gallery of N rows answers an unknown probe wrongly with probability 1 - (1 - FAR)^N, so
    the pairwise FAR for the wanted FPIR is 1 - (1 - FPIR)^(1/N). A verification is one pair.
    """
    compared = 1 if scenario.search.task == "verify" else scenario.data.entries
    return float(-np.expm1(np.log1p(-scenario.search.fpir) / compared))


def calibrated_threshold(
    scenario: Scenario,
    form: RowForm,
    units: npt.NDArray[np.float64],
    people: Sequence[str],
    random_bytes: RandomBytes,
) -> tuple[int, tuple[str, ...]]:
    """Return the ring threshold that the wanted share of impostor pairs lies above, and notes.

    Args:
        scenario: what is asked.
        form: how rows and probes become integers.
        units: unit embeddings [n,d] of the pictures a threshold is calibrated on.
        people: who is on each of them.
        random_bytes: where the mapping keys of their rows come from.
    """
    scores = impostor_scores(scenario, form, units, people, random_bytes)
    return threshold_above(scenario, Impostors.of(scores, pair_far(scenario)), people)


def threshold_above(
    scenario: Scenario, impostors: Impostors, people: Sequence[str]
) -> tuple[int, tuple[str, ...]]:
    """Return the ring threshold that the wanted share of impostor pairs lies above, and notes."""
    allowed = int(pair_far(scenario) * impostors.pairs)
    threshold = int(impostors.highest[allowed]) + 1
    return threshold, tuple(_notes(people, impostors.pairs, above_all=not allowed))


def _in_turn(dataset: DataSet, people: Sequence[str]) -> Iterator[Pair]:
    """Yield everyone's first picture, then everyone's second, and so on."""
    for round_ in zip_longest(*(dataset.pictures_of(person) for person in people)):
        for person, picture in zip(people, round_, strict=True):
            if picture is not None:
                yield person, picture


def _refuse_too_few(scenario: Scenario, chosen: Sequence[Pair]) -> None:
    people = [person for person, _ in chosen]
    pairs, far = _pairs(people), pair_far(scenario)
    if pairs * far >= LEAST_EXPECTED:
        return
    what = f"{len(chosen)} pictures of {len(set(people))} training people"
    asked = f"search.fpir {scenario.search.fpir:g}"
    if scenario.search.task == "identify":
        asked += f" over {scenario.data.entries:,} entries"
    needed = int(np.ceil(LEAST_EXPECTED / far))
    message = (
        f"{what} give {pairs:,} impostor pairs to calibrate a threshold on; "
        f"{asked} needs {needed:,} at least"
    )
    hint = "give search.threshold as a cosine, raise search.fpir, or add people or pictures"
    raise ScenarioError(message, where="search.threshold", hint=hint)


def _pairs(people: Sequence[str]) -> int:
    """Return unordered pairs of pictures of different people."""
    counts = np.unique(np.array(people, dtype=np.str_), return_counts=True)[1].astype(np.int64)
    return int((counts.sum() ** 2 - (counts**2).sum()) // 2)


def impostor_scores(
    scenario: Scenario,
    form: RowForm,
    units: npt.NDArray[np.float64],
    people: Sequence[str],
    random_bytes: RandomBytes,
) -> npt.NDArray[np.int64]:
    """Return integer scores of all ordered pairs of pictures of different people.

    Every row has a key of its own where rows are mapped, as in a gallery.
    """
    keys = None
    if scenario.mapping.kind != "none":
        keys = KeyRing(scenario.mapping, random_bytes)
    issued = [None if keys is None else keys.issue(f"cohort-{i}") for i in range(len(units))]
    rows = form.map_rows(units, issued)
    scores = form.map_probe(units).astype(np.float64) @ rows.T.astype(np.float64)
    _, number = np.unique(np.array(people, dtype=np.str_), return_inverse=True)
    different = number[:, None] != number[None, :]
    impostors: npt.NDArray[np.int64] = scores[different].astype(np.int64)
    return impostors


def _notes(people: Sequence[str], size: int, *, above_all: bool) -> Iterator[str]:
    if above_all:
        yield f"threshold lies above all {size} impostor pairs of the training people"
    number = len(set(people))
    if number < MINIMUM_PEOPLE:
        yield (
            f"the threshold rests on {number} training people ({number * (number - 1) // 2} pairs "
            f"of people, {len(people)} pictures): false alarms may be far from search.fpir"
        )
