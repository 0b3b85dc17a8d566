from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from parties.adversary.learned_recovery import (
    RecoveryBatch,
    RecoveryConfig,
    RecoveryReport,
    TrainedRecovery,
    recover,
    train_recovery,
)

EDGE = 32
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
    estimate = torch.from_numpy(np.float32(0.5) * true)
    inputs = torch.from_numpy(noisy.astype(np.float32))
    return RecoveryBatch(inputs, estimate, torch.from_numpy(true))


def painted(trained: TrainedRecovery, given: RecoveryBatch) -> NDArray[np.float32]:
    return recover(trained.network, given.inputs, given.estimate.numpy())


HELD = [batch(2000)]


def test_an_adversary_learns_to_sum_differences_of_pictures_it_never_saw() -> None:
    reports: list[RecoveryReport] = []
    trained = train_recovery(batch, HELD, CONFIG, reports.append)
    assert [report.step for report in reports] == list(range(1, 61))
    assert reports[-1].loss < 0.75 * reports[0].loss
    unseen = batch(1000)
    true = unseen.luminance.numpy()
    found = painted(trained, unseen)
    assert found.shape == true.shape
    assert found.dtype == np.float32
    estimate = np.abs(unseen.estimate.numpy() - true).mean()
    assert np.abs(found - true).mean() < 0.8 * estimate
    assert trained.error < 0.8 * trained.start_error


def test_a_training_is_a_function_of_its_seed_and_leaves_other_randomness_alone() -> None:
    short = RecoveryConfig(steps=2, every=1, seed=3)
    unseen = batch(1000)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = painted(train_recovery(batch, HELD, short), unseen)
    assert torch.equal(torch.rand(3), expected)
    again = painted(train_recovery(batch, HELD, short), unseen)
    other = painted(train_recovery(batch, HELD, RecoveryConfig(steps=2, every=1, seed=4)), unseen)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_what_preparing_a_batch_raises_reaches_the_caller() -> None:
    def broken(_: int) -> RecoveryBatch:
        raise ValueError("no such picture")

    with pytest.raises(ValueError, match="no such picture"):
        train_recovery(broken, HELD, CONFIG)


def test_convolutions_in_half_precision_learn_as_well() -> None:
    half = RecoveryConfig(steps=3, every=1, seed=3, half=True)
    trained = train_recovery(batch, HELD, half)
    assert {parameter.dtype for parameter in trained.network.parameters()} == {torch.float32}
    whole = train_recovery(batch, HELD, RecoveryConfig(steps=3, every=1, seed=3))
    unseen = batch(1000)
    difference = painted(trained, unseen) - painted(whole, unseen)
    assert np.abs(difference).mean() < 1.0


def test_an_attack_that_learns_nothing_is_the_linear_one_and_says_that_it_ended() -> None:
    still = RecoveryConfig(steps=100, learning_rate=0.0, every=1, patience=2)
    trained = train_recovery(batch, HELD, still)
    unseen = batch(1000)
    assert np.array_equal(painted(trained, unseen), unseen.estimate.numpy())
    assert trained.converged
    assert trained.steps < 10
    assert trained.error == trained.start_error


def test_what_makes_people_held_out_worse_is_not_kept() -> None:
    """Of batches whose truth is the estimate's opposite a network learns the wrong thing."""

    def reversed_batch(step: int) -> RecoveryBatch:
        given = batch(step)
        return given._replace(luminance=-given.luminance)

    trained = train_recovery(reversed_batch, HELD, RecoveryConfig(steps=12, every=2, seed=3))
    assert trained.error <= trained.start_error


def test_training_that_runs_out_of_steps_has_not_converged() -> None:
    assert not train_recovery(batch, HELD, RecoveryConfig(steps=2, every=1)).converged
