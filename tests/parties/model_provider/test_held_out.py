"""Early stopping on held-out people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from parties.model_provider import DistilConfig, Report, RgbEmbedder, distil
from parties.model_provider.batches import Source, Visits
from parties.model_provider.held_out import HeldOut, set_apart
from protocol.errors import DataError
from protocol.features import FeatureSpec, calibrate

Pictures = NDArray[np.uint8]
PLAIN = FeatureSpec(fusion="plane", colour="none")
CONFIG = DistilConfig(steps=12, batch_size=8, ridge_pictures=16, patience=2, check_steps=2)


def test_whole_people_are_set_apart() -> None:
    people = np.repeat(np.arange(40), 3)
    rows, held = set_apart(people, 120)
    assert set(people[rows]) | set(people[held]) == set(range(40))
    assert set(people[held]) == {38, 39}
    rows, held = set_apart(None, 100)
    assert held.tolist() == [95, 96, 97, 98, 99]
    assert len(rows) == 95


def test_the_best_network_is_kept_and_patience_ends(
    pictures: Pictures, tiny_teacher: RgbEmbedder
) -> None:
    source = Source(pictures, tiny_teacher, PLAIN, calibrate([pictures], "plane"), Visits(8, 7))
    network = distil(pictures, tiny_teacher, PLAIN, replace(CONFIG, patience=None)).network
    shares = torch.nn.Linear(2, 2)
    both = torch.nn.ModuleDict({"network": network, "shares": shares})
    watch = HeldOut(pictures[:8], CONFIG, source, network, both)
    watch.check(None)
    best = {name: values.clone() for name, values in both.state_dict().items()}
    first = watch.last
    with torch.no_grad():
        network.face.embed.weight.neg_()  # looks exactly the other way
        shares.weight.neg_()
    for lost in (False, True):
        watch.check(None)
        assert watch.lost is lost
    assert first is not None
    assert watch.last == pytest.approx(2 - first, abs=0.5)
    watch.restore_best()
    assert all(torch.equal(best[name], values) for name, values in both.state_dict().items())


def test_a_training_reports_what_it_holds_out(
    pictures: Pictures, tiny_teacher: RgbEmbedder
) -> None:
    seen: list[Report] = []
    student = distil(pictures, tiny_teacher, PLAIN, CONFIG, on_progress=seen.append)
    assert seen[0].held_out is None
    assert seen[-1].held_out is not None
    checks = [report.held_out for report in seen if report.held_out is not None]
    assert student.record["held_out"] <= min(checks)
    few = replace(CONFIG, batch_size=len(pictures))
    with pytest.raises(DataError, match="left to train on"):
        distil(pictures, tiny_teacher, PLAIN, few)
