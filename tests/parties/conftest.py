"""A small cast of parties over templates, for tests of whole searches."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from orchestration.runtime.memory import run_in_memory
from orchestration.runtime.outcome import PartyOutcome
from parties.auxiliary_server import AuxiliaryServer
from parties.client import Client
from parties.dealer import Dealer
from parties.gallery_holder import GalleryHolder
from parties.model_provider.program import ModelProvider
from protocol.features import ProtectedBatch
from protocol.flows import policy_named
from protocol.parties import Party
from protocol.plan import RunPlan, steps
from protocol.roles import RoleProgram
from protocol.sharing.prg import RandomBytes

Rows = np.ndarray[Any, np.dtype[np.int32]]


class IntegerForm:
    """Rows and probes that are already integers: tests choose every score exactly."""

    score_unit = 1.0
    max_abs_score = 2**30

    def __init__(self, dimension: int) -> None:
        self.dimension = self.embedding_length = dimension

    def ring_threshold(self, cosine: float) -> int:
        return int(cosine)

    def map_probe(self, values: np.ndarray) -> Rows:
        return np.asarray(np.rint(values), dtype=np.int32)

    def map_row(self, unit: np.ndarray, key: object) -> Rows:
        return self.map_rows(unit, [key])

    def map_rows(self, units: np.ndarray, keys: object) -> Rows:
        del keys
        return np.asarray(np.rint(units), dtype=np.int32)


class Passing:
    """Protector and embedder in one: what is sent is what is embedded."""

    def __init__(self, dimension: int = 0) -> None:
        self.dimension = dimension

    def protect(self, values: np.ndarray) -> ProtectedBatch:
        return ProtectedBatch(values, np.zeros((len(values), 0), np.uint8))

    def complaint(self, batch: ProtectedBatch) -> str | None:
        values, maps = batch.frequency, batch.colour
        fits = values.shape == (len(values), self.dimension) and values.dtype == np.float32
        plain = maps.shape == (len(values), 0) and maps.dtype == np.uint8
        return None if fits and plain and np.isfinite(values).all() else "no templates"

    def embed(self, batch: ProtectedBatch) -> np.ndarray:
        return batch.frequency


class Table:
    """Pictures that are rows of an array."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def load(self, start: int, count: int) -> np.ndarray:
        return self._values[start : start + count]


class UnitFree(Client):
    """A client that enrols integer rows as they are, without normalising them."""

    def _map_rows(self, embeddings: np.ndarray, numbers: Sequence[int]) -> Rows:
        del numbers
        return self._form.map_rows(embeddings.astype(np.float64), [None])


class IntegerProvider(ModelProvider):
    """A provider that searches for integer probes as they are."""

    async def _probe(self, channel: Any, batch: Any) -> Any:
        from protocol.channel import At

        probes = np.rint(await self._embed(channel, At(batch.session, "online"), batch.size))
        self._probes.append(probes.astype(np.int32))
        self._embeddings.append(probes.astype(np.float32))
        return self._ring.encode(probes.astype(np.int32))


class Played(NamedTuple):
    """A finished run."""

    plan: RunPlan
    outcomes: Mapping[Party, PartyOutcome]
    programs: Mapping[Party, RoleProgram]


def cast(
    plan: RunPlan,
    rows: np.ndarray,
    probes: np.ndarray,
    random_bytes: Callable[[Party], RandomBytes],
) -> dict[Party, RoleProgram]:
    """Return the four parties for integer rows and probes."""
    form = IntegerForm(plan.dimension)
    passing = Passing(plan.dimension)
    makers: dict[Party, Callable[[], RoleProgram]] = {
        "client": lambda: UnitFree(
            plan, passing, form, Table(rows), Table(probes), random_bytes("client")
        ),
        "model_provider": lambda: IntegerProvider(
            plan, passing, form, random_bytes("model_provider")
        ),
        "gallery_holder": lambda: GalleryHolder(plan, random_bytes("gallery_holder")),
        "auxiliary_server": lambda: AuxiliaryServer(plan, random_bytes("auxiliary_server")),
        "dealer": lambda: Dealer(plan, random_bytes("dealer")),
    }
    parties = policy_named(plan.protocol).parties
    return {party: makers[party]() for party in parties}


@pytest.fixture(scope="session")
def play() -> Callable[..., Played]:
    """Run a search of integer probes over integer rows on the memory runtime.

    `steps` replaces the usual plan of enrolments and searches; `rows` then holds every enrolled
    or updated row in order, and `random_bytes` each party's source of randomness. Other options
    are fields of the plan or arguments of the runtime.
    """

    def run(
        rows: np.ndarray,
        probes: np.ndarray,
        *,
        threshold: int,
        batch: int = 4,
        seed: int = 1,
        tamper: Callable[[bytes], bytes] | None = None,
        claims: tuple[int, ...] = (),
        random_bytes: Callable[[Party], RandomBytes] = lambda _: os.urandom,
        **options: Any,
    ) -> Played:
        usual = (*steps("enrol", len(rows), 3), *steps("search", len(probes), batch, claims))
        fields = {
            "ring_bits": 16, "radix": 2, "open_scores": True, "pool": 2, "steps": usual, **options,
        }  # fmt: skip
        plan = RunPlan(run="test", dimension=rows.shape[1], threshold=threshold, **fields)
        opened = ("open_scores",) if plan.open_scores else ()
        insecure = frozenset({*policy_named(plan.protocol).shortcuts, *opened})
        programs = cast(plan, rows.astype(np.float32), probes.astype(np.float32), random_bytes)
        outcomes = run_in_memory(
            programs,
            run="test",
            insecure=insecure,
            protocol=plan.protocol,
            seed=seed,
            tamper=tamper,
            digest_key=bytes(32),  # digests of two runs can be compared
        )
        return Played(plan, outcomes, programs)

    return run
