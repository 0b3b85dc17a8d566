"""64-bit words are read as their policy row says: ring elements, words of bits, single bits."""

from __future__ import annotations

import numpy as np
import pytest

from protocol.search.policies import policy_named
from protocol.views import Array, Seen, Trial, View
from reports.audit.rules import Rules
from reports.audit.single_use import single_use
from reports.audit.uniformity import uniformity

RULES = Rules(policy_named("crypten_ttp"))
WORDS = np.random.default_rng(3).integers(0, 2**64, 2000, dtype=np.uint64)
ONE = np.uint64(1)


def half(kind: str, values: Array, event: str = "received") -> Seen:
    ends = ("model_provider", "gallery_holder")
    sender, receiver = ends if event == "received" else ends[::-1]
    return Seen(
        event=event,  # type: ignore[arg-type]
        session="search-0000", phase="online", round=1, sender=sender,  # type: ignore[arg-type]
        receiver=receiver, kind=kind, arrays={"values.0": values}, numbers={},  # type: ignore[arg-type]
    )  # fmt: skip


def trial(*messages: Seen) -> Trial:
    view = View("gallery_holder", list(messages), [], [], [], {})
    return Trial("run", {"gallery_holder": view}, {}, {}, {}, {})


def found(*messages: Seen) -> str:
    told = uniformity([trial(*messages)], "gallery_holder", RULES, 1e-6)
    return "" if told.passed else told.detail


@pytest.mark.parametrize(
    ("kind", "dtype", "shape"),
    [("CryptenOperands", "<u8", (2000,)), ("CryptenWords", "|u1", (2000, 8))],
)
def test_the_policy_row_says_how_words_are_read(
    kind: str, dtype: str, shape: tuple[int, ...]
) -> None:
    shown = RULES.shown(half(kind, WORDS), WORDS)
    assert (shown.dtype.str, shown.shape) == (dtype, shape)
    assert shown.tobytes() == WORDS.tobytes()


def test_words_of_one_bit_are_read_as_booleans_unless_they_hold_more() -> None:
    bits = WORDS & ONE
    assert RULES.shown(half("CryptenBits", bits), bits).dtype == np.bool_
    assert RULES.shown(half("CryptenBits", WORDS), WORDS).shape == (2000, 8)


def test_uniform_bits_pass_and_biased_ones_do_not() -> None:
    bits = WORDS & ONE
    assert found(half("CryptenBits", bits)) == ""
    assert "CryptenBits" in found(half("CryptenBits", bits & (WORDS >> ONE)))


def test_a_secret_above_the_declared_bit_shows() -> None:
    secret = np.arange(2000, dtype=np.uint64) << ONE
    assert "CryptenBits" in found(half("CryptenBits", WORDS & ONE | secret))


def test_halves_of_additive_words_are_added() -> None:
    secret, mask = np.arange(2000, dtype=np.uint64), WORDS
    halves = half("CryptenFactors", secret - mask), half("CryptenFactors", mask, "sent")
    assert "CryptenFactors.values.0 uint64 opened" in found(*halves)
    assert found(halves[0]) == ""


def test_upper_bits_that_agree_in_both_halves_are_no_reuse() -> None:
    upper = WORDS & ~ONE
    bits = np.random.default_rng(4).integers(0, 2, (2, 2000), dtype=np.uint64)
    mine, theirs = (half("CryptenBits", upper | each, "sent") for each in bits)
    one, two = trial(mine), trial(theirs)._replace(run="other")
    assert single_use([one, two], RULES).passed
    assert not single_use([one, trial(mine)._replace(run="other")], RULES).passed
