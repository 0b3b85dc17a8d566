"""What training people settle for a run: the form of rows, and the threshold.

The costly part, embedding some 1,500 pictures, does not depend on the run, so a later run takes
its outcome over (module `remembered`). What is kept of real people is only what a threshold needs:
the highest scores of pairs of different people, without names. A mapping needs the embeddings
themselves, so those are kept of generated people alone. Features with noise are measured anew in
every run: the noise is drawn afresh per picture, and a threshold from one draw, used for ever,
would tie runs together that are meant to be independent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from orchestration.assembly import build_embedder, build_protector, row_form
from orchestration.calibration import (
    Impostors,
    PublicPictures,
    impostor_scores,
    pair_far,
    threshold_above,
)
from orchestration.networks import Networks
from orchestration.progress import OnProgress, Progress
from orchestration.remembered import Memory, file_digest, pictures_digest
from protocol.mapping import RowForm
from protocol.sharing.prg import RandomBytes
from scenarios.datasets import DataSet
from scenarios.specs import Scenario

__all__ = ["LOAD_BATCH", "Cohort", "Settled", "embed_people"]

LOAD_BATCH: Final = 64

Array = npt.NDArray[Any]
Units = npt.NDArray[np.float64]


class Settled(NamedTuple):
    """What training people settle.

    Attributes:
        form: the integer form of rows and probes.
        threshold: in ring units.
        mapped: public unit embeddings [c,d] behind a mapping, where there is one.
        notes: what a reader should know.
    """

    form: RowForm
    threshold: int
    mapped: Units | None
    notes: tuple[str, ...]


class Cohort:
    """Training people of a scenario, embedded through its own input when that is needed.

    Args:
        scenario: the scenario.
        dataset: where the pictures are.
        networks: what embeds them.
        public: which pictures a mapping and a threshold need.
        memory: what earlier runs worked out.
        random_bytes: a new source of noise and keys at every call.
        on_progress: is told how far embedding is.
    """

    def __init__(
        self,
        scenario: Scenario,
        dataset: DataSet,
        networks: Networks,
        public: PublicPictures,
        memory: Memory,
        random_bytes: Callable[[], RandomBytes],
        on_progress: OnProgress,
    ) -> None:
        self._scenario, self._dataset, self._networks = scenario, dataset, networks
        self._public, self._memory = public, memory
        self._random_bytes, self._on_progress = random_bytes, on_progress
        self._ids = [picture for _, picture in (*public.mapping, *public.threshold)]
        self._people = [person for person, _ in public.threshold]
        self._mapped = scenario.mapping.kind != "none"
        self._embedded: Units | None = None

    def settle(self) -> Settled:
        """Return the row form and the threshold: the scenario's cosine, or a calibrated one."""
        scenario = self._scenario
        mapped = self._behind_mapping() if self._mapped else None
        form = row_form(scenario, mapped)
        threshold, notes = self._threshold(form)
        if self._ids:
            self._on_progress(Progress("calibrate", len(self._ids), len(self._ids)))
        return Settled(form, threshold, mapped, notes)

    def _threshold(self, form: RowForm) -> tuple[int, tuple[str, ...]]:
        scenario = self._scenario
        if scenario.search.threshold is not None:
            return form.ring_threshold(scenario.search.threshold), ()
        # Keys of a mapping are drawn afresh in every run, and the scores with them.
        depends = None if self._mapped else self._kept(self._impostors_depend)
        entry = self._memory.recall(
            "impostors", depends, lambda: self._impostors(form), self._enough
        )
        return threshold_above(scenario, Impostors(entry[1:], int(entry[0])), self._people)

    def _impostors(self, form: RowForm) -> npt.NDArray[np.int64]:
        """Return the number of pairs and the highest scores, as one array to be kept."""
        units = self._units()[len(self._public.mapping) :]
        scores = impostor_scores(self._scenario, form, units, self._people, self._random_bytes())
        found = Impostors.of(scores, pair_far(self._scenario))
        return np.concatenate([[found.pairs], found.highest]).astype(np.int64)

    def _enough(self, entry: Array) -> bool:
        if entry.ndim != 1 or entry.dtype != np.int64 or len(entry) < 2:
            return False
        return Impostors(entry[1:], int(entry[0])).reach(pair_far(self._scenario))

    def _behind_mapping(self) -> Units:
        """Return the unit vectors [c,d] a mapping is centred on; templates have no people."""
        scenario = self._scenario
        if scenario.network.kind != "identity":
            return self._units()[: len(self._public.mapping)]
        size = (scenario.mapping.cohort, scenario.dimension)
        drawn = np.random.default_rng(0).standard_normal(size)
        unit = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return np.asarray(unit.astype(np.float32).astype(np.float64))

    def _units(self) -> Units:
        """Return public unit embeddings [n,d] of all pictures."""
        if self._embedded is None:
            shape = (len(self._ids), self._scenario.dimension)
            keep = self._mapped and self._dataset.synthetic
            depends = self._kept(self._depends) if keep else None
            found = self._memory.recall(
                "cohort", depends, self._embed, lambda known: known.shape == shape
            )
            self._embedded = found.astype(np.float64)
        return self._embedded

    def _embed(self) -> npt.NDArray[np.float32]:
        scenario, source = self._scenario, (self._dataset, self._ids)
        return embed_people(
            scenario, source, self._networks, self._random_bytes(), self._on_progress
        )

    def _kept(
        self, depends: Callable[[], Mapping[str, Any]]
    ) -> Callable[[], Mapping[str, Any]] | None:
        """Return `depends` where something may be kept at all."""
        known = self._networks.student_path is not None
        return depends if known and not self._scenario.features.noisy else None

    def _depends(self) -> Mapping[str, Any]:
        return {
            "network": file_digest(Path(self._networks.student_path or "")),
            "pictures": pictures_digest(self._dataset, self._ids),
            "features": self._scenario.features,
        }

    def _impostors_depend(self) -> Mapping[str, Any]:
        search = self._scenario.search
        return {**self._depends(), "ring_bits": search.ring_bits, "scale": search.ring_scale}


def embed_people(
    scenario: Scenario,
    source: tuple[DataSet, Sequence[str]],
    networks: Networks,
    random_bytes: RandomBytes,
    on_progress: OnProgress,
) -> npt.NDArray[np.float32]:
    """Return unit embeddings [n,d] of a data set's pictures, through the scenario's own input."""
    dataset, ids = source
    if not ids:
        return np.zeros((0, scenario.dimension), np.float32)
    protector = build_protector(scenario, networks.calibration, random_bytes)
    embedder = build_embedder(scenario, networks.student_path)
    found = []
    for start in range(0, len(ids), LOAD_BATCH):
        on_progress(Progress("calibrate", start, len(ids)))
        pictures = dataset.load(ids[start : start + LOAD_BATCH])
        found.append(embedder.embed(protector.protect(pictures)))
    embeddings = np.concatenate(found).astype(np.float64)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.asarray(unit, np.float32)
