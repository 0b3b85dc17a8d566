"""A protocol the tool never heard of: its own classes, its own policy rows, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import get_args

import numpy as np
import pytest

from orchestration.audit.experiment import Sizes, play_all
from protocol.channel import At, Channel
from protocol.costs import DeclaredMessage, InputSize, embedding, probing
from protocol.flows import FEATURE_FLOWS, Coalition, Fact, Flow, Knowledge, Policy, register_policy
from protocol.messages import DecisionShares, GallerySeed, GalleryShares, MaskedProbes, MaskedScores
from protocol.parties import CLIENT, GALLERY_HOLDER, MODEL_PROVIDER, Party
from protocol.plan import RunPlan, Step
from protocol.search.protocols import SearchProtocol, register_protocol
from protocol.search.shape import SearchShape, search_shape
from protocol.search.sides import Answers
from protocol.sharing.additive import expand_share, split
from protocol.sharing.prg import RandomBytes, Seed
from protocol.sharing.ring import Ring, RingArray
from protocol.tensors import Tensor
from reports.audit import Experiment, Rules, Worlds, judge
from scenarios.schema import parse_scenario

SCENARIO = parse_scenario(
    """
    name: toy
    data: {kind: templates}
    network: {kind: identity}
    search: {threshold: 0.5}
    insecure: [trusted_dealer]
    """
)


SEED_TO_PROVIDER = Flow(
    "GallerySeed", CLIENT, MODEL_PROVIDER, "enrol", "sharing", "share", "-", "said to be harmless"
)


# Embeddings of enrolments are sent in the clear, and a policy has to say what follows from them.
LEARNS: dict[Party, tuple[Knowledge, ...]] = {
    party: (Knowledge("everything", "it is in the clear", reveals=get_args(Fact)),)
    for party in (CLIENT, MODEL_PROVIDER)
}


def policy(name: str, *further: Flow) -> Policy:
    """The holder searches a gallery it sees, for a probe it sees: all of it announced."""
    return register_policy(
        Policy(
            name=name,
            title="search in the clear",
            trust_model="the holder may see everything",
            parties=("client", "model_provider", "gallery_holder"),
            flows=(
                *further,
                *FEATURE_FLOWS,
                Flow("GallerySeed", CLIENT, GALLERY_HOLDER, "enrol", "sharing", "share", "-", "-"),
                Flow(
                    "GalleryShares", CLIENT, MODEL_PROVIDER, "enrol", "sharing", "share", "-", "-"
                ),
                Flow(
                    "MaskedProbes", MODEL_PROVIDER, GALLERY_HOLDER, "online", "scores", "plain",
                    "-", "-",
                ),
                Flow(
                    "MaskedScores", MODEL_PROVIDER, GALLERY_HOLDER, "enrol", "rows", "plain",
                    "share 1", "the holder may see the gallery",
                ),
                Flow(
                    "DecisionShares", GALLERY_HOLDER, CLIENT, "online", "decision", "output",
                    "-", "-",
                ),
            ),
            openings=(),
            learns=LEARNS,
            coalitions=(
                Coalition(("gallery_holder", "model_provider"), "the gallery", True),
            ),
        )
    )  # fmt: skip


class ToyClient:
    def __init__(self, plan: RunPlan, random_bytes: RandomBytes) -> None:
        self._plan = plan
        self._random_bytes = random_bytes

    async def share_rows(self, channel: Channel, step: Step, rows: RingArray) -> None:
        at = At(step.session, "enrol")
        seed, share = split(rows, "toy-rows", self._random_bytes)
        told = Tensor.of(np.frombuffer(seed.reveal(), dtype=np.uint8))
        await self._granted(channel, GallerySeed(seed=told, rows=step.size), at)
        await channel.send(MODEL_PROVIDER, GalleryShares(values=Tensor.of(self._made(share))), at)

    async def _granted(self, channel: Channel, grant: GallerySeed, at: At) -> None:
        await channel.send(GALLERY_HOLDER, grant, at)

    async def delete_rows(self, channel: Channel, step: Step) -> None:
        raise NotImplementedError

    async def ready(self, channel: Channel, step: Step) -> None:
        del channel, step

    async def answers(self, channel: Channel, step: Step) -> Answers:
        at = At(step.session, "online", 2)
        message = await channel.receive(GALLERY_HOLDER, DecisionShares, at)
        bits = np.unpackbits(message.bits.array(), count=step.size * self._plan.rows)
        return {"match": bits.astype(np.bool_).reshape(step.size, self._plan.rows)}

    def _made(self, share: RingArray) -> RingArray:
        return share


class CarelessClient(ToyClient):
    """Sends a share whose lowest bit is always clear, so that it still hides nearly all."""

    def _made(self, share: RingArray) -> RingArray:
        return share & share.dtype.type(0xFFFE)


class TellingClient(ToyClient):
    """Sends the provider, which has one share, the seed of the other: its policy allows it."""

    async def _granted(self, channel: Channel, grant: GallerySeed, at: At) -> None:
        await super()._granted(channel, grant, at)
        await channel.send(MODEL_PROVIDER, grant, at)


class ToyServer:
    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._ring = Ring(plan.ring_bits)
        self._rows: RingArray

    async def setup(self, channel: Channel) -> None:
        del channel

    async def prepare(self, channel: Channel, upcoming: Sequence[Step]) -> None:
        del channel, upcoming

    def observed(self) -> Answers:
        return {}


class ToyProvider(ToyServer):
    async def change(self, channel: Channel, step: Step) -> None:
        at = At(step.session, "enrol")
        share = await channel.receive(CLIENT, GalleryShares, at)
        await channel.send(GALLERY_HOLDER, MaskedScores(values=share.values), at)

    async def search(self, channel: Channel, step: Step, probes: RingArray | None) -> None:
        assert probes is not None
        message = MaskedProbes(values=Tensor.of(probes))
        await channel.send(GALLERY_HOLDER, message, At(step.session, "online", 1))


class CuriousProvider(ToyProvider):
    """Follows the protocol and expands the seed it was given."""

    async def change(self, channel: Channel, step: Step) -> None:
        granted = await channel.receive(CLIENT, GallerySeed, At(step.session, "enrol"))
        seed = Seed(granted.seed.array().tobytes())
        expand_share(seed, "toy-rows", (step.size, self._plan.dimension), self._ring)
        await super().change(channel, step)


class ToyHolder(ToyServer):
    async def change(self, channel: Channel, step: Step) -> None:
        at = At(step.session, "enrol")
        granted = await channel.receive(CLIENT, GallerySeed, at)
        seed = Seed(granted.seed.array().tobytes())
        own = expand_share(seed, "toy-rows", (step.size, self._plan.dimension), self._ring)
        other = await channel.receive(MODEL_PROVIDER, MaskedScores, at)
        self._rows = own + other.values.array()

    async def search(self, channel: Channel, step: Step, probes: RingArray | None) -> None:
        del probes
        at = At(step.session, "online", 1)
        message = await channel.receive(MODEL_PROVIDER, MaskedProbes, at)
        scores = self._ring.decode(message.values.array() @ self._rows.T)
        bits = Tensor.of(np.packbits(scores >= self._plan.threshold))
        await channel.send(CLIENT, DecisionShares(bits=bits), at._replace(round=2))


def declared(plan: RunPlan, size: InputSize) -> Iterator[DeclaredMessage]:
    row_bytes = plan.dimension * plan.ring_bits // 8
    for step in plan.steps:
        name, payload = step.session, step.size * row_bytes
        if step.kind == "enrol":
            yield from embedding(step, size)
            yield DeclaredMessage(name, "GallerySeed", CLIENT, GALLERY_HOLDER, 0, 32)
            yield DeclaredMessage(name, "GalleryShares", CLIENT, MODEL_PROVIDER, 0, payload)
            yield DeclaredMessage(name, "MaskedScores", MODEL_PROVIDER, GALLERY_HOLDER, 0, payload)
            continue
        shape = search_shape(plan, step, plan.rows)
        yield from probing(shape, size)
        yield DeclaredMessage(name, "MaskedProbes", MODEL_PROVIDER, GALLERY_HOLDER, 1, payload)
        bits = -(-shape.entries // 8)
        yield DeclaredMessage(name, "DecisionShares", GALLERY_HOLDER, CLIENT, 2, bits)


def declared_and_told(plan: RunPlan, size: InputSize) -> Iterator[DeclaredMessage]:
    yield from declared(plan, size)
    for step in plan.steps:
        if step.kind == "enrol":
            yield DeclaredMessage(step.session, "GallerySeed", CLIENT, MODEL_PROVIDER, 0, 32)


def answer_round(shape: SearchShape) -> int:
    del shape
    return 2


def registered(name: str, client: type[ToyClient], *further: Flow) -> str:
    """Register the protocol as one package of its own would."""
    provider = CuriousProvider if further else ToyProvider
    servers = {
        MODEL_PROVIDER: lambda p, _: provider(p),
        GALLERY_HOLDER: lambda p, _: ToyHolder(p),
    }
    told = declared_and_told if further else declared
    register_protocol(SearchProtocol(policy(name, *further), told, answer_round, client, servers))  # type: ignore[arg-type]
    return name


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what a test registers."""
    from protocol import flows
    from protocol.search import protocols

    monkeypatch.setattr(flows, "_POLICIES", dict(flows._POLICIES))
    monkeypatch.setattr(protocols, "_PROTOCOLS", dict(protocols._PROTOCOLS))


def failures(name: str) -> set[tuple[str, str]]:
    from protocol.flows import policy_named

    runs = play_all(SCENARIO, Sizes(runs=20, wide_elements=0), 1, protocol=name)
    worlds = [Worlds(*pair) for pair in runs.worlds]
    verdicts = judge(Experiment(worlds, runs.random, ()), Rules(policy_named(name)))
    return {(v.check, v.subject) for v in verdicts if not v.passed}


@pytest.mark.slow
@pytest.mark.usefixtures("forgotten")
def test_a_new_protocol_is_audited_by_its_policy_alone() -> None:
    assert failures(registered("toy-honest", ToyClient)) == set()


@pytest.mark.slow
@pytest.mark.usefixtures("forgotten")
def test_a_new_policy_that_does_not_say_what_follows_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(LEARNS, MODEL_PROVIDER, ())
    found = failures(registered("toy-silent", ToyClient))
    assert found == {("derived answers", "model_provider")}


@pytest.mark.slow
@pytest.mark.usefixtures("forgotten")
def test_a_leak_of_a_new_protocol_is_found() -> None:
    found = failures(registered("toy-careless", CarelessClient))
    assert ("uniformity", "model_provider") in found


@pytest.mark.slow
@pytest.mark.usefixtures("forgotten")
def test_what_a_new_policy_allows_is_judged_too() -> None:
    found = failures(registered("toy-telling", TellingClient, SEED_TO_PROVIDER))
    assert found == {("coalition algebra", "model_provider")}
