"""Are shares, masked values and masks uniform, per limb and per bit, and is every value reached?

Every stream of a party's view that the policy calls `share`, `masked` or `output` is tested as it
arrived, minus its predecessor, minus the secret it hides, and as the sum of both halves of an
opening. So a mask that is absent, constant, reused or too small shows, whatever it hides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from protocol.parties import Party
from protocol.views import Array, Trial
from reports.audit.rules import Rules
from reports.audit.statistics import (
    LEAST_EXPECTED,
    binomial_p,
    chi_square_p,
    detectable_bias,
    holm,
    unreached_p,
)
from reports.audit.streams import Sighting, randomness, residuals, sightings
from reports.audit.verdicts import Verdict, verdict

__all__ = ["reachable", "uniformity"]

TESTED_BYTES: Final = 6 << 20
LEAST_BITS: Final = 64
VALUES: Final = 1 << 16
WORD_BYTES: Final = 8
_BITS_OF_BYTE: Final = np.unpackbits(
    np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little"
).astype(np.int64)

Streams = Mapping[str, Array]


class _Test(NamedTuple):
    """One hypothesis: what was tested, its p-value, and a sentence for when it is rejected."""

    what: str
    p: float
    finding: str


def uniformity(trials: Sequence[Trial], party: Party, rules: Rules, alpha: float) -> Verdict:
    """Test every stream a party sees, per byte and per bit (Holm over all of its tests).

    Args:
        trials: runs whose randomness is independent.
        party: whose view is tested.
        rules: the policy.
        alpha: probability that an honest protocol is blamed.
    """
    streams = _streams(trials, party, rules)
    tests = [test for name, array in streams.items() for test in _tests(name, array)]
    rejected = holm([test.p for test in tests], alpha)
    found = [f"{tests[i].what}: {tests[i].finding} (p = {tests[i].p:.1e})" for i in rejected]
    good = f"{len(streams)} streams, {len(tests):,} tests per byte and bit"
    if tests:
        samples = sorted(array.shape[0] for array in streams.values())
        bias = detectable_bias(samples[len(samples) // 2], alpha / len(tests))
        good += f"; median stream of {samples[len(samples) // 2]:,} shows a bit bias of {bias:.3f}"
    return verdict("uniformity", party, found, good, tests=len(tests), alpha=alpha)


def reachable(trials: Sequence[Trial], party: Party, rules: Rules, alpha: float) -> Verdict:
    """Require that every 16-bit value is reached, where there are enough samples to demand it.

    The bound 2^16 (1 - 2^-16)^n is exact up to the union over values; streams whose bound is
    above their share of alpha are left out and counted. Elements of more bits are tested by limbs.
    """
    streams = {
        name: values
        for name, array in _streams(trials, party, rules).items()
        for name, values in _halves(name, array)
    }
    level = alpha / max(1, len(streams))
    tested = {name: v for name, v in streams.items() if unreached_p(VALUES, v.size) <= level}
    found = []
    for name, values in tested.items():
        missing = np.flatnonzero(np.bincount(values, minlength=VALUES) == 0)
        if missing.size:
            found.append(f"{name}: {missing.size:,} of {VALUES:,} values never occur")
    good = f"{len(tested)} of {len(streams)} streams large enough; all values occur"
    used = alpha if tested else 0.0
    return verdict("reachable values", party, found, good, tests=len(tested), alpha=used)


def _streams(trials: Sequence[Trial], party: Party, rules: Rules) -> dict[str, Array]:
    """Pool arrays by stream, each as rows of bytes [n, bytes per element]."""
    parts: dict[str, list[Array]] = {}
    sizes: dict[str, int] = {}
    for trial in trials:
        for seen in _tested(trial, party, rules):
            name = f"{seen.stream}{' words' if _in_words(seen.array) else ''}"
            if sizes.get(name, 0) < TESTED_BYTES and seen.array.size:
                parts.setdefault(name, []).append(_bytes(seen))
                sizes[name] = sizes.get(name, 0) + seen.array.nbytes
    return {name: _whole(np.concatenate(arrays)) for name, arrays in sorted(parts.items())}


def _tested(trial: Trial, party: Party, rules: Rules) -> Iterator[Sighting]:
    if party not in trial.views:
        return
    for seen in sightings(trial, party, rules):
        answer = seen.form == "output" and seen.way == "opened"
        if seen.form in {"share", "masked", "output"} and not answer:
            yield seen
    yield from (s for s in residuals(trial, party, rules) if s.form in {"share", "masked"})
    yield from randomness(trial.views[party])


def _bytes(seen: Sighting) -> Array:
    """Return an array as bytes per element; the padded last byte of packed answers is left out.

    Booleans stay what they are.
    """
    flat = np.ascontiguousarray(seen.array).reshape(-1)
    if flat.dtype == np.bool_:
        return flat
    if _in_words(seen.array):
        return flat.reshape(-1, WORD_BYTES)
    if seen.form == "output" and flat.itemsize == 1:
        flat = flat[:-1]
    return flat.view(np.uint8).reshape(-1, seen.array.itemsize)


def _in_words(array: Array) -> bool:
    """Say whether bytes [n, 8] are words that were XORed."""
    return array.dtype == np.uint8 and array.ndim == 2 and array.shape[1] == WORD_BYTES


def _whole(pooled: Array) -> Array:
    """Return a stream of booleans as one column of bytes; others stay what they are."""
    if pooled.dtype != np.bool_:
        return pooled
    return np.packbits(pooled[: pooled.size // 8 * 8])[:, None]


def _tests(name: str, array: Array) -> Iterator[_Test]:
    samples, width = array.shape
    if samples * 8 < LEAST_BITS:
        return
    for place in range(width):
        frequencies = np.bincount(array[:, place], minlength=256)
        if samples >= 256 * LEAST_EXPECTED:
            p = chi_square_p(frequencies)
            yield _Test(f"{name} byte {place}", p, "values are not equally frequent")
        for bit, count in enumerate((frequencies @ _BITS_OF_BYTE).tolist()):
            share = count / samples
            what = f"{name} bit {8 * place + bit}"
            yield _Test(what, binomial_p(count, samples), f"set in {share:.1%} of {samples:,}")


def _halves(name: str, array: Array) -> Iterator[tuple[str, Array]]:
    """Yield the 16-bit limbs of elements; those of 64-bit words together."""
    width = array.shape[1]
    if width not in {2, 4, WORD_BYTES}:
        return
    limbs = np.ascontiguousarray(array).view("<u2")
    if width == WORD_BYTES:
        yield f"{name} limbs", limbs.reshape(-1)
        return
    for place in range(width // 2):
        yield f"{name} limb {place}", limbs[:, place]
