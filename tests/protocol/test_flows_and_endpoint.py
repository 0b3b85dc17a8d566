"""Only declared flows travel; endpoints refuse replays, strangers and misaddressed frames."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from protocol.channel import At, Endpoint
from protocol.errors import PeerMisbehaviourError, PolicyViolationError
from protocol.flows import COALITIONS, FLOWS, LEARNS, OPENINGS, flow_for
from protocol.messages import (
    MESSAGE_KINDS,
    MaskedProbes,
    ScoreShares,
    decode_frame,
    encode_frame,
)
from protocol.parties import PARTIES, PHASES
from protocol.tensors import Tensor

ONLINE = At("search-0000", "online", 1)
NOTHING = frozenset[str]()


def probe_message() -> MaskedProbes:
    """Return a small masked probe."""
    return MaskedProbes(values=Tensor.of(np.zeros((1, 4), np.uint16)))


def test_every_undeclared_combination_is_refused() -> None:
    declared = {(flow.kind, flow.sender, flow.receiver, flow.phase) for flow in FLOWS}
    refused = 0
    for label in product(MESSAGE_KINDS, PARTIES, PARTIES, PHASES):
        if label not in declared:
            with pytest.raises(PolicyViolationError, match="not in the flow policy"):
                flow_for(*label, NOTHING)
            refused += 1
    assert refused == len(MESSAGE_KINDS) * 16 * 5 - len(declared)


def test_every_kind_and_party_is_covered_by_the_policy() -> None:
    assert {flow.kind for flow in FLOWS} == set(MESSAGE_KINDS)
    assert set(LEARNS) == set(PARTIES)
    assert {kind for opening in OPENINGS for kind in opening.kinds} <= set(MESSAGE_KINDS)
    assert all(flow.sender != flow.receiver for flow in FLOWS)
    assert {c.members for c in COALITIONS if c.excluded_by_trust_model} == {
        ("model_provider", "gallery_holder"),
        ("model_provider", "dealer"),
        ("gallery_holder", "dealer"),
    }


def test_scores_travel_only_when_the_scenario_says_so() -> None:
    opened = frozenset({"open_scores"})
    with pytest.raises(PolicyViolationError, match="open_scores"):
        flow_for("ScoreShares", "gallery_holder", "client", "evaluation", NOTHING)
    flow = flow_for("ScoreShares", "gallery_holder", "client", "evaluation", opened)
    assert flow.kind == "ScoreShares"


def test_no_flow_leaves_the_client_in_plain_form() -> None:
    sent = [flow for flow in FLOWS if flow.sender == "client"]
    assert {flow.form for flow in sent} <= {"protected", "share"}


def test_the_sender_refuses_to_send_an_undeclared_message() -> None:
    endpoint = Endpoint("gallery_holder", "run", NOTHING)
    message = ScoreShares(values=Tensor.of(np.zeros((1, 1), np.uint16)))
    with pytest.raises(PolicyViolationError):
        endpoint.outbound("model_provider", message, ONLINE)


def test_frames_arrive_once_at_the_right_party_in_the_right_run() -> None:
    sender = Endpoint("model_provider", "run", NOTHING)
    wire = sender.outbound("gallery_holder", probe_message(), ONLINE).wire
    receiver = Endpoint("gallery_holder", "run", NOTHING)
    assert receiver.inbound(wire).label.kind == "MaskedProbes"
    for endpoint in (
        receiver,
        Endpoint("client", "run", NOTHING),
        Endpoint("gallery_holder", "another", NOTHING),
    ):
        with pytest.raises(PeerMisbehaviourError, match="the run is aborted"):
            endpoint.inbound(wire)


@pytest.mark.parametrize(
    ("field", "value"), [("phase", "offline"), ("step", "decision"), ("sender", "client")]
)
def test_the_receiver_refuses_forged_labels(field: str, value: str) -> None:
    import msgspec

    sender = Endpoint("model_provider", "run", NOTHING)
    frame = decode_frame(sender.outbound("gallery_holder", probe_message(), ONLINE).wire)
    forged = msgspec.structs.replace(
        frame, envelope=msgspec.structs.replace(frame.envelope, **{field: value})
    )
    with pytest.raises(PeerMisbehaviourError):
        Endpoint("gallery_holder", "run", NOTHING).inbound(encode_frame(forged))


def test_sequence_numbers_count_per_link() -> None:
    endpoint = Endpoint("model_provider", "run", NOTHING)
    frames = [endpoint.outbound("gallery_holder", probe_message(), ONLINE).frame for _ in range(3)]
    assert [frame.envelope.sequence for frame in frames] == [0, 1, 2]
