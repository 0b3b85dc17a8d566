"""The people a mapping is judged on: gallery, probes, strangers and a public cohort of LFW."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestration.accuracy.sources import stored_embeddings
from protocol.errors import DataError

__all__ = ["MappingFaces", "load_faces"]

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
    names = ["ms1m", "casia"] if network == "both" else [network]
    stored = [stored_embeddings(f"stored:{name}", root, mirror=True) for name in names]
    pictures: dict[str, list[str]] = {}
    for picture in stored[0]:
        pictures.setdefault(picture.partition("/")[0], []).append(picture)
    units = {
        picture: _unit(np.concatenate([_unit(part[picture]) for part in stored]))
        for picture in stored[0]
    }
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


def _unit(values: NDArray[np.floating]) -> Floats:
    wide = np.asarray(values, dtype=np.float64)
    return np.asarray(wide / np.linalg.norm(wide))
