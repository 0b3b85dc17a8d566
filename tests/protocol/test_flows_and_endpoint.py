"""Only declared flows travel; endpoints refuse replays, strangers and misaddressed frames."""

from __future__ import annotations

from itertools import product

import msgspec
import numpy as np
import pytest

from protocol.channel import MAX_AHEAD, MAX_CLOCK_STEP, At, Endpoint
from protocol.errors import PeerMisbehaviourError, PolicyViolationError
from protocol.messages import (
    MAX_CLOCK,
    MaskedProbes,
    ScoreShares,
    SearchReady,
    decode_frame,
    encode_frame,
    message_kinds,
)
from protocol.parties import PARTIES, PHASES
from protocol.search.policies import policy_named, policy_names
from protocol.tensors import Tensor

ONLINE = At("search-0000", "online", 1)
NOTHING = frozenset[str]()
DEALER = policy_named("dealer")


def probe_message() -> MaskedProbes:
    """Return a small masked probe."""
    return MaskedProbes(values=Tensor.of(np.zeros((1, 4), np.uint16)))


@pytest.mark.parametrize("name", policy_names())
def test_every_undeclared_combination_is_refused(name: str) -> None:
    policy = policy_named(name)
    declared = {(flow.kind, flow.sender, flow.receiver, flow.phase) for flow in policy.flows}
    refused = 0
    kinds = message_kinds()
    for label in product(kinds, PARTIES, PARTIES, PHASES):
        if label not in declared:
            with pytest.raises(PolicyViolationError, match="not in the flow policy"):
                policy.flow_for(*label, NOTHING)
            refused += 1
    assert refused == len(kinds) * len(PARTIES) ** 2 * len(PHASES) - len(declared)
    assert len(declared) == len(policy.flows)


@pytest.mark.parametrize("name", policy_names())
def test_a_policy_speaks_of_its_own_parties_and_of_kinds_that_exist(name: str) -> None:
    policy = policy_named(name)
    ends = {end for flow in policy.flows for end in (flow.sender, flow.receiver)}
    assert ends == set(policy.parties) == set(policy.learns)
    assert all(flow.sender != flow.receiver for flow in policy.flows)
    kinds = {flow.kind for flow in policy.flows}
    assert kinds <= set(message_kinds())
    assert {kind for opening in policy.openings for kind in opening.kinds} <= kinds
    assert {party for c in policy.coalitions for party in c.members} <= set(policy.parties)


def test_every_kind_is_in_some_policy() -> None:
    spoken = {flow.kind for name in policy_names() for flow in policy_named(name).flows}
    ours = {n for n, kind in message_kinds().items() if kind.__module__.startswith("protocol.")}
    assert spoken == ours


@pytest.mark.parametrize(
    ("name", "third"), [("dealer", "dealer"), ("replicated", "auxiliary_server")]
)
def test_no_two_computing_parties_may_collude_and_each_may_with_the_client(
    name: str, third: str
) -> None:
    coalitions = policy_named(name).coalitions
    computing = ("model_provider", "gallery_holder", third)
    assert {c.members for c in coalitions if c.excluded_by_trust_model} == {
        ("model_provider", "gallery_holder"), ("model_provider", third), ("gallery_holder", third)
    }  # fmt: skip
    assert {frozenset(c.members) for c in coalitions if not c.excluded_by_trust_model} == {
        frozenset({"client", party}) for party in computing
    }


def test_the_replicated_protocol_needs_no_insecure_entry() -> None:
    assert policy_named("replicated").shortcuts == ()
    assert "dealer" not in policy_named("replicated").parties


def test_scores_travel_only_when_the_scenario_says_so() -> None:
    opened = frozenset({"open_scores"})
    with pytest.raises(PolicyViolationError, match="open_scores"):
        DEALER.flow_for("ScoreShares", "gallery_holder", "client", "evaluation", NOTHING)
    flow = DEALER.flow_for("ScoreShares", "gallery_holder", "client", "evaluation", opened)
    assert flow.kind == "ScoreShares"


@pytest.mark.parametrize("name", policy_names())
def test_no_flow_leaves_the_client_in_plain_form(name: str) -> None:
    sent = [flow for flow in policy_named(name).flows if flow.sender == "client"]
    assert {flow.form for flow in sent} <= {"protected", "share", "control"}


def test_the_sender_refuses_to_send_an_undeclared_message() -> None:
    endpoint = Endpoint("gallery_holder", "run", NOTHING, DEALER)
    message = ScoreShares(values=Tensor.of(np.zeros((1, 1), np.uint16)))
    with pytest.raises(PolicyViolationError):
        endpoint.outbound("model_provider", message, ONLINE)


def test_frames_arrive_once_at_the_right_party_in_the_right_run() -> None:
    sender = Endpoint("model_provider", "run", NOTHING, DEALER)
    wire = sender.outbound("gallery_holder", probe_message(), ONLINE).wire
    receiver = Endpoint("gallery_holder", "run", NOTHING, DEALER)
    assert receiver.inbound(wire).label.kind == "MaskedProbes"
    for endpoint in (
        receiver,
        Endpoint("client", "run", NOTHING, DEALER),
        Endpoint("gallery_holder", "another", NOTHING, DEALER),
    ):
        with pytest.raises(PeerMisbehaviourError, match="the run is aborted"):
            endpoint.inbound(wire)


@pytest.mark.parametrize(
    ("field", "value"), [("phase", "offline"), ("step", "decision"), ("sender", "client")]
)
def test_the_receiver_refuses_forged_labels(field: str, value: str) -> None:
    sender = Endpoint("model_provider", "run", NOTHING, DEALER)
    frame = decode_frame(sender.outbound("gallery_holder", probe_message(), ONLINE).wire)
    forged = msgspec.structs.replace(
        frame, envelope=msgspec.structs.replace(frame.envelope, **{field: value})
    )
    with pytest.raises(PeerMisbehaviourError):
        Endpoint("gallery_holder", "run", NOTHING, DEALER).inbound(encode_frame(forged))


def test_sequence_numbers_count_per_link() -> None:
    endpoint = Endpoint("model_provider", "run", NOTHING, DEALER)
    frames = [endpoint.outbound("gallery_holder", probe_message(), ONLINE).frame for _ in range(3)]
    assert [frame.envelope.sequence for frame in frames] == [0, 1, 2]


def frames_of(count: int) -> list[bytes]:
    """Return wire bytes of the first frames of one link."""
    sender = Endpoint("model_provider", "run", NOTHING, DEALER)
    return [sender.outbound("gallery_holder", probe_message(), ONLINE).wire for _ in range(count)]


def renumbered(wire: bytes, **fields: int) -> bytes:
    """Return a frame with another envelope."""
    frame = decode_frame(wire)
    envelope = msgspec.structs.replace(frame.envelope, **fields)
    return encode_frame(msgspec.structs.replace(frame, envelope=envelope))


def test_frames_may_overtake_each_other_and_each_arrives_once() -> None:
    receiver = Endpoint("gallery_holder", "run", NOTHING, DEALER)
    wires = frames_of(4)
    for number in (2, 0, 3):
        receiver.inbound(wires[number])
    with pytest.raises(PeerMisbehaviourError, match=r"model_provider -> gallery_holder: .*frame 1"):
        receiver.refuse_gaps()
    receiver.inbound(wires[1])
    receiver.refuse_gaps()
    for wire in wires:
        with pytest.raises(PeerMisbehaviourError, match="delivered before"):
            receiver.inbound(wire)


def test_a_number_far_beyond_the_missing_ones_is_refused() -> None:
    receiver = Endpoint("gallery_holder", "run", NOTHING, DEALER)
    with pytest.raises(PeerMisbehaviourError, match="skips"):
        receiver.inbound(renumbered(frames_of(1)[0], sequence=MAX_AHEAD + 1))


def test_no_peer_can_push_a_clock_beyond_what_travels() -> None:
    receiver = Endpoint("gallery_holder", "run", NOTHING, DEALER)
    with pytest.raises(PeerMisbehaviourError, match="impossible logical time"):
        receiver.inbound(renumbered(frames_of(1)[0], lamport=MAX_CLOCK))
    pushed = receiver.inbound(renumbered(frames_of(1)[0], lamport=MAX_CLOCK_STEP))
    receiver.consumed(pushed)
    answer = receiver.outbound("client", ready(), At("search-0000", "offline")).wire
    assert decode_frame(answer).envelope.lamport == MAX_CLOCK_STEP + 2


def ready() -> SearchReady:
    """Return a message that the gallery holder may send."""
    return SearchReady()
