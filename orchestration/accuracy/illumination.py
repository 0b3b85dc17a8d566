"""Embeddings of people under other light: galleries as taken, probes under each condition.

The gallery holds the first picture of everybody with several. Their second pictures are mated
probes; people who are not enrolled are strangers, one picture each. Some strangers, as taken, set
the threshold and are never probes: that is how a deployment is calibrated, and the others then
tell what becomes of its false alarms in the dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np

from orchestration.accuracy.sources import Embedder, Embeddings, Source, embed_all
from orchestration.accuracy.trials import knows, unit
from orchestration.progress import OnProgress, Progress
from orchestration.training import make_folder
from protocol.errors import DataError, ScenarioError
from protocol.features.luminance import median_luminance
from scenarios.datasets import DataSet
from scenarios.datasets.base import Pictures
from scenarios.datasets.stress_light import CONDITIONS, Condition, under_light

__all__ = ["LitPeople", "LitUnits", "choose_people", "embed_under_light", "luminance_medians"]

LEAST_STRANGERS = 100
CALIBRATION = 600
ENOUGH_STRANGERS = 50
LEAST_MATED = 10
_JUDGED = 100


class LitPeople(NamedTuple):
    """Picture ids of a trial: enrolled and mated in one order of people.

    Attributes:
        gallery: first picture of each enrolled person.
        mated: their second.
        strangers: one picture each of people who are not enrolled.
        calibration: of others who are not enrolled, who set the threshold.
    """

    gallery: list[str]
    mated: list[str]
    strangers: list[str]
    calibration: list[str]

    @property
    def probes(self) -> list[str]:
        """Mated probes, then strangers."""
        return self.mated + self.strangers


class LitUnits(NamedTuple):
    """Unit embeddings of one network, float32.

    Attributes:
        gallery: [N, d].
        calibration: [C, d].
        probes: by condition, [M + S, d].
    """

    gallery: Embeddings
    calibration: Embeddings
    probes: dict[str, Embeddings]


def choose_people(
    dataset: DataSet,
    sources: Sequence[Source],
    root: Path | None,
    *,
    enrolled: int | None = None,
    strangers: int,
    seed: int,
) -> tuple[LitPeople, list[str]]:
    """Choose from the test people those no network was adapted on; return what is to be said.

    At most `enrolled` and `strangers` of each are taken, in an order that the seed draws.
    Where few people have a single picture, every second one with several is a stranger instead.

    Raises:
        ScenarioError: too few people are left.
    """
    known = [knows(source, dataset, root) for source in sources]
    met = frozenset[str]().union(*(found.met for found in known))
    pool = [name for name in dataset.test_identities() if name not in met]
    generator = np.random.default_rng(seed)
    pool = [pool[row] for row in generator.permutation(len(pool))]
    several = [name for name in pool if len(dataset.pictures_of(name)) > 1]
    alone = [name for name in pool if len(dataset.pictures_of(name)) == 1]
    if len(alone) < LEAST_STRANGERS + min(strangers, ENOUGH_STRANGERS):
        alone, several = alone + several[::2], several[1::2]
    half = max(LEAST_STRANGERS, min(CALIBRATION, len(alone) - strangers))
    if len(alone) - half < 1 or len(several) < LEAST_MATED:
        raise ScenarioError(
            f"{len(several)} people with two pictures and {len(alone)} others are left to test on",
            where=dataset.name,
            hint=f"{LEAST_MATED} and {LEAST_STRANGERS + 1} are needed whom no network saw",
        )
    several = sorted(several[:enrolled])
    first = {name: dataset.pictures_of(name)[0] for name in (*several, *alone)}
    people = LitPeople(
        gallery=[first[name] for name in several],
        mated=[dataset.pictures_of(name)[1] for name in several],
        strangers=[first[name] for name in alone[half : half + strangers]],
        calibration=[first[name] for name in alone[:half]],
    )
    notes = [f"{source.name}: {source.says}." for source in sources]
    notes += [note for found in known if not found.known for note in found.notes(len(pool))]
    return people, notes


def embed_under_light(
    source: Source,
    dataset: DataSet,
    people: LitPeople,
    seed: int,
    on_progress: OnProgress,
    *,
    work: Path | None = None,
) -> LitUnits:
    """Embed gallery and calibration as taken, and the probes under every condition.

    What is found in the folder `work` is not embedded again.

    Raises:
        ScenarioError: only stored embeddings of pictures as they are.
        DataError: `work` cannot be made, or a file in it cannot be read.
    """
    if source.embed is None:
        hint = f"name {source.name.partition(':')[2]} instead"
        raise ScenarioError("stored embeddings know no other light", where=source.name, hint=hint)
    folder = None if work is None else make_folder(work, "--work")
    shelf = _Shelf(source, source.embed, dataset, seed, folder, on_progress)
    plain = shelf.units(people.gallery + people.calibration, CONDITIONS[0])
    return LitUnits(
        plain[: len(people.gallery)],
        plain[len(people.gallery) :],
        {condition.name: shelf.units(people.probes, condition) for condition in CONDITIONS},
    )


class _Shelf:
    """Embeddings of one network, made once where there is a folder to keep them in."""

    def __init__(
        self,
        source: Source,
        embed: Embedder,
        dataset: DataSet,
        seed: int,
        folder: Path | None,
        on_progress: OnProgress,
    ) -> None:
        self._name, self._embed, self._dataset, self._seed = source.name, embed, dataset, seed
        self._folder, self._on_progress = folder, on_progress
        path = Path(source.path) if source.path else None
        self._network = path.read_bytes() if path else source.name.encode()

    def units(self, ids: list[str], condition: Condition) -> Embeddings:
        """Return unit embeddings float32 [n, d] of pictures under a condition."""
        if self._folder is None:
            return self._made(ids, condition)
        path = self._folder / f"light-{self._key(ids, condition)}.npy"
        if path.is_file():
            return _read(path)
        found = self._made(ids, condition)
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.save(file, found, allow_pickle=False)
        part.replace(path)
        return found

    def _made(self, ids: list[str], condition: Condition) -> Embeddings:
        def load(start: int, stop: int) -> Pictures:
            names = ids[start:stop]
            return under_light(self._dataset.load(names), names, condition, self._seed)

        def report(progress: Progress) -> None:
            self._on_progress(progress._replace(note=f"{self._name}, {condition.name}"))

        return unit(embed_all(self._embed, load, len(ids), report, mirror=False))

    def _key(self, ids: list[str], condition: Condition) -> str:
        digest = blake2b(self._network, digest_size=8)
        digest.update(repr((self._seed, condition.name, condition.stops, ids)).encode())
        return digest.hexdigest()


def _read(path: Path) -> Embeddings:
    try:
        found: Embeddings = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError("not a file of embeddings", where=str(path), hint="delete it") from error
    return found


def luminance_medians(dataset: DataSet, people: LitPeople, seed: int) -> dict[str, float]:
    """Return the median over a hundred probes of each picture's median luminance, of 0 to 255."""
    ids = people.probes[:: max(1, len(people.probes) // _JUDGED)]
    pictures = dataset.load(ids)
    return {
        condition.name: float(
            np.median(median_luminance(under_light(pictures, ids, condition, seed)))
        )
        for condition in CONDITIONS
    }
