"""Builds a party's program from its brief, inside whatever process hosts the party.

A brief is bytes: the public plan, the scenario, and only what this one party needs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from orchestration.budget import Metered
from orchestration.capture import FileRecording, Recorded, Recording, drawing
from parties.auxiliary_server import AuxiliaryServer
from parties.client import Client, Protector
from parties.dealer import Dealer
from parties.gallery_holder import GalleryHolder
from protocol.errors import LocalProtocolError
from protocol.features import Calibration, FeatureExtractor, ProtectedBatch
from protocol.mapping import KeyRing, RowForm, open_form
from protocol.parties import Party
from protocol.plan import RunPlan
from protocol.roles import RoleProgram
from protocol.sharing.prg import RandomBytes, keyed_random_bytes
from protocol.tensors import Tensor
from scenarios.datasets import RandomTemplates, open_scenario_data
from scenarios.specs import Scenario

__all__ = [
    "PartyBrief",
    "brief_with",
    "build_embedder",
    "build_program",
    "build_protector",
    "build_recorded",
    "row_form",
]


class PartyBrief(msgspec.Struct, frozen=True, kw_only=True):
    """All one party is told before the run.

    Attributes:
        party: which role to play.
        plan: the public plan.
        scenario: the resolved scenario.
        data_root: folder of data and weights on this machine, for the client and the provider.
        network: student file, for the provider.
        calibration: public feature calibration as npz bytes, for the client.
        cohort: public unit embeddings [n,d] behind a mapping, for client and provider.
        gallery: picture ids to enrol, for the client.
        probes: picture ids to ask about, for the client.
        test_key: key of reproducible randomness; only with `insecure: [test_randomness]`.
        views: folder of recorded views; only with `capture: payloads`.
        spent: probes of the query budget that earlier runs asked; only with `ledger`.
    """

    party: Party
    plan: RunPlan
    scenario: Scenario
    data_root: str | None = None
    network: str | None = None
    calibration: bytes | None = None
    cohort: Tensor | None = None
    gallery: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()
    test_key: bytes | None = None
    views: str | None = None
    spent: int = 0

    def to_bytes(self) -> bytes:
        """Return the brief as bytes."""
        return msgspec.msgpack.encode(self)


def brief_with(brief: bytes, **changes: Any) -> bytes:  # noqa: ANN401 - fields of a brief
    """Return a brief with some fields changed."""
    told = msgspec.msgpack.decode(brief, type=PartyBrief)
    return msgspec.structs.replace(told, **changes).to_bytes()


def build_program(brief: bytes) -> RoleProgram:
    """Return the role program a brief describes; loads the party's own pictures and weights.

    Its view is recorded where the brief names a folder.

    Raises:
        DataError: a data set or weight file is missing on this machine.
    """
    told = msgspec.msgpack.decode(brief, type=PartyBrief)
    if told.views is None:
        return _metered(told)
    recording = FileRecording(Path(told.views) / told.party)
    return Recorded(_metered(told, recording), told.party, recording)


def build_recorded(brief: bytes, recording: Recording) -> RoleProgram:
    """Return the role program a brief describes, whose inputs and draws are recorded."""
    return _metered(msgspec.msgpack.decode(brief, type=PartyBrief), recording)


def _metered(told: PartyBrief, recording: Recording | None = None) -> RoleProgram:
    """Return a party's program, which holds the budgets where there are some."""
    program, scenario = _program(told, recording), told.scenario
    if scenario.budget is None and scenario.enrolment_budget is None:
        return program
    most = scenario.enrolment_budget
    return Metered(program, told.party, told.plan, scenario.budget, told.spent, most)


def _program(told: PartyBrief, recording: Recording | None = None) -> RoleProgram:
    if told.party == "client":
        return _client(told, recording)
    if told.party == "model_provider":
        return _provider(told, recording)
    servers: dict[Party, Callable[[RunPlan, RandomBytes], RoleProgram]] = {
        "gallery_holder": GalleryHolder, "auxiliary_server": AuxiliaryServer, "dealer": Dealer,
    }  # fmt: skip
    return servers[told.party](told.plan, _randomness(told, recording))


def build_protector(
    scenario: Scenario, calibration: Calibration | None, random_bytes: RandomBytes
) -> Protector:
    """Return the client's picture-to-protected-input step of a scenario."""
    if scenario.network.kind == "identity":
        return _PassThrough()
    if calibration is None:
        raise LocalProtocolError("the client was not given a feature calibration")
    return FeatureExtractor(scenario.features, calibration, random_bytes)


def build_embedder(scenario: Scenario, network: str | None) -> Any:  # noqa: ANN401 - see return
    """Return the provider's `Embedder`; the networks are only imported where one is needed."""
    if scenario.network.kind == "identity":
        return _PassThrough(scenario.dimension)
    from parties.model_provider import load_student

    if network is None:
        raise LocalProtocolError("the provider was not given a network file")
    return load_student(Path(network), scenario.features)


def row_form(scenario: Scenario, cohort: npt.NDArray[np.float64] | None) -> RowForm:
    """Return the integer row form of a scenario: plain templates or mapped ones."""
    search = scenario.search
    return open_form(
        scenario.mapping, scenario.dimension, search.ring_bits, search.ring_scale, cohort
    )


class _PassThrough:
    """Template scenarios: what is sent is the template itself, and the network returns it."""

    def __init__(self, dimension: int = 0) -> None:
        self.dimension = dimension

    def protect(self, pictures: npt.NDArray[Any]) -> ProtectedBatch:
        empty = np.zeros((len(pictures), 0), dtype=np.uint8)
        return ProtectedBatch(frequency=pictures, colour=empty)

    def complaint(self, batch: ProtectedBatch) -> str | None:
        values, maps = batch.frequency, batch.colour
        if values.shape != (len(values), self.dimension) or values.dtype != np.float32:
            return f"templates {values.shape} {values.dtype}, not of {self.dimension} float32"
        if maps.shape != (len(values), 0) or maps.dtype != np.uint8:
            return f"colour maps {maps.shape} with templates, which have none"
        return None if np.isfinite(values).all() else "templates that are not finite"

    def embed(self, batch: ProtectedBatch) -> npt.NDArray[Any]:
        return batch.frequency


class _Pictures:
    """The client's pictures of a data set, loaded batch by batch."""

    def __init__(
        self, told: PartyBrief, name: str, ids: tuple[str, ...], recording: Recording | None
    ) -> None:
        root = None if told.data_root is None else Path(told.data_root)
        self._dataset = open_scenario_data(told.scenario, root)
        self._name = name
        self._ids = ids
        self._recording = recording

    def load(self, start: int, count: int) -> npt.NDArray[Any]:
        pictures = self._load(self._ids[start : start + count])
        if self._recording is not None:
            self._recording.keep("inputs", {"name": self._name}, {"array": pictures})
        return pictures

    def _load(self, ids: tuple[str, ...]) -> npt.NDArray[Any]:
        if isinstance(self._dataset, RandomTemplates):
            return self._dataset.load_templates(ids)
        return self._dataset.load(ids)


def _client(told: PartyBrief, recording: Recording | None) -> Client:
    random_bytes = _randomness(told, recording)
    calibration = None if told.calibration is None else _calibration(told.calibration)
    mapped = told.scenario.mapping.kind != "none"
    return Client(
        told.plan,
        build_protector(told.scenario, calibration, random_bytes),
        row_form(told.scenario, _cohort(told)),
        _Pictures(told, "gallery", told.gallery, recording),
        _Pictures(told, "probes", told.probes, recording),
        random_bytes,
        KeyRing(told.scenario.mapping, random_bytes) if mapped else None,
    )


def _provider(told: PartyBrief, recording: Recording | None) -> RoleProgram:
    from parties.model_provider.program import ModelProvider

    embedder = build_embedder(told.scenario, told.network)
    form = row_form(told.scenario, _cohort(told))
    return ModelProvider(told.plan, embedder, form, _randomness(told, recording))


def _calibration(npz: bytes) -> Calibration:
    with np.load(BytesIO(npz), allow_pickle=False) as arrays:
        return Calibration.from_arrays(arrays)


def _cohort(told: PartyBrief) -> npt.NDArray[np.float64] | None:
    return None if told.cohort is None else told.cohort.array().astype(np.float64)


def _randomness(told: PartyBrief, recording: Recording | None) -> RandomBytes:
    """Return the operating system's generator, or the keyed one tests ask for."""
    key = told.test_key
    source = os.urandom if key is None else keyed_random_bytes(key, told.party)
    return source if recording is None else drawing(source, recording)
