"""The people a mapping is judged on: gallery, probes, strangers and a public cohort of LFW."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestration.accuracy.sources import stored_embeddings
from protocol.errors import DataError

__all__ = ["KnownPeople", "MappingFaces", "load_faces", "load_people"]

Floats = NDArray[np.float64]

STRANGERS = 1500


class MappingFaces(NamedTuple):
    """Unit embeddings [., n], plain and mirrored summed; no person is in two parts.

    Attributes:
        gallery: first picture of everybody with several, or the mean of several of their pictures.
        mated: another picture of each, in the same order.
        strangers: people with one picture, not enrolled.
        cohort: the other people with one picture: public, known to everybody.
    """

    gallery: Floats
    mated: Floats
    strangers: Floats
    cohort: Floats

    @property
    def probes(self) -> Floats:
        """Mated probes, then strangers."""
        return np.concatenate([self.mated, self.strangers])


def load_faces(network: str, root: Path | None, *, seed: int, enrolled: int = 1) -> MappingFaces:
    """Load the stored embeddings of `ms1m`, `casia`, or `both` joined to 256 numbers.

    Args:
        network: whose embeddings.
        root: the BAUTA_DATA folder.
        seed: which people are strangers and which are the cohort.
        enrolled: pictures averaged into a template; people with fewer than one more are left out.

    Raises:
        DataError: files are missing.
    """
    pictures, units = _stored(network, root)
    several = [found for found in pictures.values() if len(found) > enrolled]
    single = [found[0] for found in pictures.values() if len(found) == 1]
    if len(single) <= STRANGERS or not several:
        raise DataError("too few people with one picture", where=network)
    order = np.random.default_rng(seed).permutation(len(single))
    # The second picture is the probe throughout, so that galleries of any kind share probes.
    templates = [[found[0], *found[2 : enrolled + 1]] for found in several]
    return MappingFaces(
        np.stack([_unit(np.sum([units[name] for name in group], axis=0)) for group in templates]),
        np.stack([units[found[1]] for found in several]),
        np.stack([units[single[row]] for row in order[:STRANGERS]]),
        np.stack([units[single[row]] for row in order[STRANGERS:]]),
    )


class KnownPeople(NamedTuple):
    """People to attack, and everybody else.

    Attributes:
        targets: embeddings of each person's pictures in order, [several, n] each.
        others: the same of all other people, in a drawn order.
    """

    targets: list[Floats]
    others: list[Floats]


def load_people(
    network: str, root: Path | None, *, count: int, pictures: int, seed: int
) -> KnownPeople:
    """Draw people with so many pictures or more to attack; all others of LFW may be known.

    Raises:
        DataError: files are missing, or too few people have so many pictures.
    """
    names, units = _stored(network, root)
    people = [np.stack([units[name] for name in found]) for found in names.values()]
    rng = np.random.default_rng([seed, 9])
    able = [place for place, found in enumerate(people) if len(found) >= pictures]
    if len(able) < count:
        text = f"{len(able)} people have {pictures} pictures or more, fewer than {count}"
        raise DataError(text, where=network, hint="attack fewer with --targets")
    chosen = rng.permutation(able)[:count].tolist()
    rest = rng.permutation(sorted(set(range(len(people))) - set(chosen))).tolist()
    return KnownPeople([people[place] for place in chosen], [people[place] for place in rest])


def _stored(network: str, root: Path | None) -> tuple[dict[str, list[str]], dict[str, Floats]]:
    """Return each person's pictures and each picture's unit embedding."""
    names = ["ms1m", "casia"] if network == "both" else [network]
    stored = [stored_embeddings(f"stored:{name}", root, mirror=True) for name in names]
    pictures: dict[str, list[str]] = {}
    for picture in stored[0]:
        pictures.setdefault(picture.partition("/")[0], []).append(picture)
    units = {
        picture: _unit(np.concatenate([_unit(part[picture]) for part in stored]))
        for picture in stored[0]
    }
    return pictures, units


def _unit(values: NDArray[np.floating]) -> Floats:
    wide = np.asarray(values, dtype=np.float64)
    return np.asarray(wide / np.linalg.norm(wide))
