"""The declared messages are exactly those that CrypTen sends."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from crypten_ranks import Session, together

from protocol.search.crypten import correlations, costs
from protocol.search.crypten.correlations import Level, SearchShape
from protocol.search.crypten.library import load_crypten
from protocol.search.crypten.ranks import Provider
from protocol.search.crypten.search import Known

SHAPES = [(1, 1, 1), (1, 4, 3), (7, 1, 5), (5, 8, 2), (40, 3, 4)]


@pytest.mark.parametrize("provider", ["TFP", "TTP"])
@pytest.mark.parametrize("level", ["any", "count", "bitmap", "identity"])
@pytest.mark.parametrize(("rows", "probes", "dimension"), SHAPES)
def test_messages_are_the_declared_ones_in_order(
    provider: Provider, level: Level, rows: int, probes: int, dimension: int
) -> None:
    shape = SearchShape(rows, probes, dimension, level)
    session = Session.open(provider)
    sent = session.links.take_sent()
    assert sent == {rank: costs.setup(rank, provider) for rank in range(3)}
    prepared = session.prepare(shape)
    sent = session.links.take_sent()
    assert sent == {rank: costs.offline(rank, provider, shape) for rank in range(3)}
    gallery, probe = (dimension, rows), (probes, dimension)
    session.search(
        prepared,
        (Known(1, gallery), Known(1, gallery, np.ones(gallery, int))),
        (Known(0, probe, np.ones(probe, int)), Known(0, probe)),
        dimension,
    )
    sent = session.links.take_sent()
    assert sent == {rank: costs.online(rank, shape) for rank in range(3)}
    assert len(sent[0]) == costs.online_rounds(shape)


@pytest.mark.parametrize(("rows", "probes", "dimension"), [*SHAPES, (100_000, 1, 512)])
def test_a_bitmap_costs_what_its_closed_form_says(rows: int, probes: int, dimension: int) -> None:
    shape = SearchShape(rows, probes, dimension)
    online = sum(sent.payload_bytes for sent in costs.online(0, shape))
    assert online == 8 * dimension * (rows + probes) + 216 * probes * rows
    assert costs.online_rounds(shape) == 9
    answers = [sent.payload_bytes for sent in costs.offline(2, "TTP", shape)][1::2]
    assert sum(answers) == 120 * probes * rows


def test_all_pairs_of_many_rows_are_counted() -> None:
    # Only a gallery of millions leaves this many rows to the last step, so it is run alone.
    session = Session.open("TFP")
    session.links.take_sent()
    entries = torch.ones((1, 129), dtype=torch.int64)
    crypten = load_crypten()

    def all_pairs() -> None:
        scores = crypten.mpc.MPCTensor(entries, src=0, precision=0)
        crypten.common.functions.maximum._argmax_helper_pairwise(scores, 1)

    ends = [session.links.end(rank) for rank in range(2)]
    together(*(p._run(end, all_pairs) for p, end in zip(session.parties, ends, strict=True)))
    declared = [8 * item.opened for item in correlations._all_pairs(1, 129)]
    assert [sent.payload_bytes for sent in session.links.sent[0]] == declared
