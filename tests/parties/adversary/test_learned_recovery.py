from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from parties.adversary.learned_recovery import (
    RecoveryBatch,
    RecoveryConfig,
    RecoveryReport,
    recover,
    train_recovery,
)

EDGE = 32
NOTHING = np.zeros((EDGE, EDGE), np.float32)
CONFIG = RecoveryConfig(steps=60, learning_rate=4e-3, seed=3)


def planes(generator: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Smooth planes of a few waves each, around zero, float32 [count,32,32]."""
    place = np.arange(EDGE) / EDGE
    waves = [
        sum(
            generator.normal()
            * np.outer(
                np.cos(np.pi * u * place + generator.uniform(0, 6)), np.cos(np.pi * v * place)
            )
            for u in range(3)
            for v in range(3)
        )
        for _ in range(count)
    ]
    return np.asarray(25 * np.stack(waves), dtype=np.float32)


def batch(step: int) -> RecoveryBatch:
    """Differences along both axes under noise, and what they are differences of."""
    generator = np.random.default_rng((1, step))
    true = planes(generator, 8)
    clear = [np.gradient(true, axis=1), np.gradient(true, axis=2)]
    noisy = np.stack(clear, axis=1) + generator.normal(size=(8, 2, EDGE, EDGE))
    return RecoveryBatch(torch.from_numpy(noisy.astype(np.float32)), torch.from_numpy(true))


def test_an_adversary_learns_to_sum_differences_of_pictures_it_never_saw() -> None:
    reports: list[RecoveryReport] = []
    network = train_recovery(NOTHING, batch, CONFIG, reports.append)
    assert [report.step for report in reports] == list(range(1, 61))
    assert reports[-1].loss < 0.75 * reports[0].loss
    unseen = batch(1000)
    true = unseen.luminance.numpy()
    found = recover(network, unseen.inputs)
    assert found.shape == true.shape
    assert found.dtype == np.float32
    blank = np.abs(true).mean()
    assert np.abs(found - true).mean() < 0.6 * blank


def test_a_training_is_a_function_of_its_seed_and_leaves_other_randomness_alone() -> None:
    short = RecoveryConfig(steps=2, seed=3)
    unseen = batch(1000).inputs
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = recover(train_recovery(NOTHING, batch, short), unseen)
    assert torch.equal(torch.rand(3), expected)
    again = recover(train_recovery(NOTHING, batch, short), unseen)
    other = recover(train_recovery(NOTHING, batch, RecoveryConfig(steps=2, seed=4)), unseen)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_what_preparing_a_batch_raises_reaches_the_caller() -> None:
    def broken(_: int) -> RecoveryBatch:
        raise ValueError("no such picture")

    with pytest.raises(ValueError, match="no such picture"):
        train_recovery(NOTHING, broken, CONFIG)


def test_convolutions_in_half_precision_learn_as_well() -> None:
    half = RecoveryConfig(steps=3, seed=3, half=True)
    network = train_recovery(NOTHING, batch, half)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    whole = train_recovery(NOTHING, batch, RecoveryConfig(steps=3, seed=3))
    unseen = batch(1000).inputs
    difference = recover(network, unseen) - recover(whole, unseen)
    assert 0 < np.abs(difference).mean() < 1.0


def test_what_is_typical_is_painted_where_nothing_was_learned() -> None:
    typical = planes(np.random.default_rng(9), 1)[0]
    still = RecoveryConfig(steps=1, learning_rate=0.0)
    found = recover(train_recovery(typical, batch, still), batch(1000).inputs)
    assert np.array_equal(found, np.broadcast_to(typical, found.shape))
