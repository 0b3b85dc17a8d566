"""Who a recovered face is: networks that know no protection, with thresholds from strangers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from parties.model_provider import RgbEmbedder
from scenarios.datasets import DataSet

__all__ = ["FMR", "AttackFaces", "Judge", "Recognised", "attack_faces", "grey", "units_of"]

Pictures = NDArray[np.uint8]
Units = NDArray[np.float32]

FMR = 0.01
STRICT_FMR = 0.001
LOADED = 256
"""Pictures loaded at a time."""


class Recognised(msgspec.Struct, frozen=True, kw_only=True):
    """What one network says of recovered faces.

    Attributes:
        judge: name of the network.
        same_picture: faces that match the attacked picture at FMR 1 %.
        other_picture: faces that match another picture of the person; no protected network took
            part, so this is also what denoise-and-recognise achieves.
        other_picture_strict: the same at FMR 0.1 %.
        false_matches: comparisons of recovered faces with unprotected pictures of other people
            that match at FMR 1 %. Many would say that recovered faces look like anybody. None
            where this was not counted.
        false_matches_strict: the same at FMR 0.1 %.
        comparisons: with other people.
        faces: how many were attacked.
    """

    judge: str
    same_picture: int
    other_picture: int
    other_picture_strict: int
    false_matches: int | None
    false_matches_strict: int | None
    comparisons: int
    faces: int


class Judge(NamedTuple):
    """A network and what it thinks of the unprotected pictures.

    Attributes:
        name: of the network.
        network: an RGB network that saw no protected picture.
        same: unit embeddings of the attacked pictures [T,d].
        other: unit embeddings of another picture of each [T,d].
        strangers: unit embeddings of one picture of each test person [N,d].
        own: which of them is each attacked person, [T].
        threshold: cosine one in a hundred pairs of different test people exceeds.
        strict: cosine one in a thousand exceeds.
    """

    name: str
    network: RgbEmbedder
    same: Units
    other: Units
    strangers: Units
    own: NDArray[np.intp]
    threshold: float
    strict: float

    def recognised(self, pictures: Pictures) -> Recognised:
        """Judge recovered faces [T,112,112,3]."""
        units = units_of(self.network, pictures)
        same = np.einsum("td,td->t", units, self.same)
        other = np.einsum("td,td->t", units, self.other)
        strange = units @ self.strangers.T
        strange[np.arange(len(units)), self.own] = -np.inf
        return Recognised(
            judge=self.name,
            same_picture=int((same > self.threshold).sum()),
            other_picture=int((other > self.threshold).sum()),
            other_picture_strict=int((other > self.strict).sum()),
            false_matches=int((strange > self.threshold).sum()),
            false_matches_strict=int((strange > self.strict).sum()),
            comparisons=len(units) * (len(self.strangers) - 1),
            faces=len(units),
        )


class AttackFaces(NamedTuple):
    """Faces that are attacked, and who says whether they were recovered.

    Attributes:
        pictures: attacked pictures of test people, uint8 [T,112,112,3].
        judges: networks, the data set's usual one first.
    """

    pictures: Pictures
    judges: tuple[Judge, ...]

    def recognised(self, planes: NDArray[np.float32]) -> tuple[Recognised, ...]:
        """Return every judge's word on recovered luminance minus 128, [T,112,112]."""
        return tuple(judge.recognised(grey(planes)) for judge in self.judges)


def attack_faces(
    dataset: DataSet, networks: Mapping[str, RgbEmbedder], count: int, work: Path | None = None
) -> AttackFaces:
    """Take the first two pictures of test people, and thresholds from all test people.

    Args:
        dataset: its test people are attacked.
        networks: judges by name.
        count: how many people of two or more pictures are attacked, if there are so many.
        work: folder in which embeddings of test people are kept.
    """
    people = list(dataset.test_identities())
    several = [name for name in people if len(dataset.pictures_of(name)) > 1]
    chosen = several[:: max(1, len(several) // count)][:count]
    place = {name: number for number, name in enumerate(people)}
    own = np.array([place[name] for name in chosen], dtype=np.intp)
    first, second = (
        dataset.load([dataset.pictures_of(name)[number] for name in chosen]) for number in (0, 1)
    )
    judges = []
    for name, network in networks.items():
        strangers = _strangers(dataset, people, network, work)
        loose, strict = _thresholds(strangers)
        other = units_of(network, second)
        judges.append(Judge(name, network, strangers[own], other, strangers, own, loose, strict))
    return AttackFaces(first, tuple(judges))


def _strangers(
    dataset: DataSet, people: Sequence[str], network: RgbEmbedder, work: Path | None
) -> Units:
    """Return unit embeddings of the first picture of each person."""
    ids = [dataset.pictures_of(name)[0] for name in people]
    parts, digest = [], blake2b(network.digest.encode(), digest_size=12)
    for start in range(0, len(ids), LOADED):
        pictures = dataset.load(ids[start : start + LOADED])
        digest.update(pictures.tobytes())
        parts.append(pictures)
    kept = None if work is None else work / f"people-{digest.hexdigest()}.npy"
    if kept is not None and kept.is_file():
        return np.asarray(np.load(kept, allow_pickle=False), dtype=np.float32)
    units = np.concatenate([units_of(network, pictures) for pictures in parts])
    if kept is not None:
        np.save(kept, units)
    return units


def _thresholds(strangers: Units) -> tuple[float, float]:
    """Return the cosines that 1 % and 0.1 % of pairs of different people exceed."""
    pairs = (strangers @ strangers.T)[np.triu_indices(len(strangers), 1)]
    loose, strict = np.quantile(pairs, (1 - FMR, 1 - STRICT_FMR))
    return float(loose), float(strict)


def grey(planes: NDArray[np.float32]) -> Pictures:
    """Return recovered luminance as pictures the RGB network reads."""
    shades = np.clip(planes + 128, 0, 255).astype(np.uint8)
    return np.repeat(shades[..., None], 3, axis=3)


def units_of(network: RgbEmbedder, pictures: Pictures) -> Units:
    """Return unit embeddings [B,d] of pictures."""
    values = network.embed_pictures(pictures)
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True))
