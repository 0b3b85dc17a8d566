"""Leaks in the making of masks: absent, constant, reused, short or biased ones.

Seeds are expanded the wrong way at every party alike, so answers stay right and only an audit can
notice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from orchestration.audit.leaks.plant import Leak, Plant
from protocol.sharing.prg import SEED_BYTES, Seed, expand_seed
from protocol.views import Array

__all__ = ["MASK_LEAKS", "Reused", "blanked", "broadcast"]

CONSTANT: Final = 0x1234
STATE_BYTES: Final = 2


class Changed(Plant):
    """Changes every array that is expanded under labels of one name."""

    def __init__(self, name: str, change: Callable[[Array], Array]) -> None:
        super().__init__()
        self._name = name
        self._change = change

    def expand(self, seed: Seed, label: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Expand, then change."""
        array = expand_seed(seed, label, shape, dtype)
        return self._change(array) if self._name in {label, label.partition("/")[2]} else array


class Reused(Plant):
    """Expands the first search's seed and label again in every later search."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._first: dict[bytes, tuple[Seed, str]] = {}

    def begin(self, run: str) -> None:
        """Forget the run before."""
        super().begin(run)
        self._first = {}

    def expand(self, seed: Seed, label: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Expand what the same two parties expanded first."""
        session, _, name = label.partition("/")
        if name == self._name and session.startswith("search-"):
            seed, label = self._first.setdefault(seed.lineage, (seed, label))
        return expand_seed(seed, label, shape, dtype)


class FewStates(Plant):
    """A generator whose whole state is 16 bits."""

    def expand(self, seed: Seed, label: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Expand from two bytes of the key."""
        state = seed.derive(label)[:STATE_BYTES] + bytes(SEED_BYTES - STATE_BYTES)
        return expand_seed(Seed(state), "", shape, dtype)


def _blank(array: Array) -> Array:
    return np.zeros_like(array)


def _constant(array: Array) -> Array:
    return np.full_like(array, CONSTANT)


def _short(array: Array) -> Array:
    kept: Array = array & array.dtype.type(0xFFFF)
    return kept


def _even(array: Array) -> Array:
    kept: Array = array & ~array.dtype.type(1)
    return kept


def _never_top(array: Array) -> Array:
    """Map the top ring value to zero, as `randint(0, 2**k - 1)` does."""
    top = array.dtype.type(np.iinfo(array.dtype).max)
    return np.where(array == top, array.dtype.type(0), array)


def _one_row(array: Array) -> Array:
    return np.ascontiguousarray(np.broadcast_to(array[:1], array.shape))


def _changed(name: str, change: Callable[[Array], Array]) -> Callable[[], Plant]:
    return partial(Changed, name, change)


def blanked(name: str) -> Callable[[], Plant]:
    """Return what plants a mask that is absent."""
    return _changed(name, _blank)


def broadcast(name: str) -> Callable[[], Plant]:
    """Return what plants one mask for all rows of an array."""
    return _changed(name, _one_row)


MASK_LEAKS: Final[tuple[Leak, ...]] = (
    Leak(
        "reused-query-mask", "every search hides its probe under the first search's mask",
        "uniformity", partial(Reused, "probe-masks"),
    ),
    Leak(
        "probe-in-clear", "the probe reaches the gallery holder without a mask",
        "uniformity", blanked("probe-masks"),
    ),
    Leak(
        "one-mask-per-batch", "all probes of a batch share one mask: their differences are open",
        "coalition algebra", broadcast("probe-masks"),
    ),
    Leak(
        "even-query-mask", "the mask is always even: the lowest bit of the probe is open",
        "uniformity", _changed("probe-masks", _even),
    ),
    Leak(
        "query-mask-never-top", "the sampler never draws the top ring value",
        "reachable values", _changed("probe-masks", _never_top),
    ),
    Leak(
        "short-query-mask", "a 16-bit mask over a 32-bit ring: the upper limb of the probe is open",
        "uniformity", _changed("probe-masks", _short), ring_bits=32,
    ),
    Leak(
        "generator-of-16-bits", "masks come from a generator with 65,536 states",
        "single use", FewStates,
    ),
    Leak(
        "unmasked-score", "the servers open the score itself",
        "uniformity", blanked("threshold/mask"),
    ),
    Leak(
        "constant-score-mask", "the servers open the score under a constant",
        "uniformity", _changed("threshold/mask", _constant),
    ),
    Leak(
        "reused-and-masks", "the comparison tree opens its operands under the same masks again",
        "uniformity", partial(Reused, "threshold/and-masks"),
    ),
    Leak(
        "blank-and-masks", "the comparison tree opens its operands without masks",
        "uniformity", blanked("threshold/and-masks"),
    ),
    Leak(
        "correction-not-masked", "the dealer ships the bits of the score mask in clear",
        "uniformity", blanked("threshold/bits"),
    ),
    Leak(
        "triple-not-masked", "the dealer ships the products of AND masks in clear",
        "uniformity", blanked("threshold/and-products"),
    ),
    Leak(
        "row-in-clear", "the share sent to the gallery holder is the row itself",
        "canaries", blanked("gallery-rows"),
    ),
    Leak(
        "one-mask-for-all-rows", "all gallery rows share one mask: their differences are open",
        "coalition algebra", broadcast("gallery-mask"),
    ),
)  # fmt: skip
