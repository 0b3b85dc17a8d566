"""Two worlds with different secrets: can a party tell from its view which one it is in?

All coordinates of a view that should not depend on the secrets are compared: bit by bit (exact
Fisher test), value by value (Kolmogorov–Smirnov), and by a predictor that is trained on one half
of the runs and judged on the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from protocol.parties import CLIENT, Party
from protocol.views import Array, Trial
from reports.audit.predictor import held_out_hits
from reports.audit.rules import Rules
from reports.audit.statistics import binomial_p, fisher_p, holm, kolmogorov_p
from reports.audit.streams import Sighting, sightings
from reports.audit.verdicts import Verdict, Worlds, verdict

__all__ = ["indistinguishable"]

ELEMENTS: Final = 64
Columns = dict[str, Array]


def indistinguishable(pair: Worlds, party: Party, rules: Rules, alpha: float) -> Verdict:
    """Compare a party's view between two worlds (alpha is shared by the three kinds of test)."""
    check = f"two worlds: {pair.name}"
    one, two = (_columns(trials, pair, party, rules) for trials in (pair.one, pair.two))
    if one.keys() != two.keys() or any(one[n].shape[1] != two[n].shape[1] for n in one):
        found = [f"{name}: only in one world" for name in sorted(one.keys() ^ two.keys())]
        return verdict(check, party, found or ["arrays differ in size between worlds"], "")
    if not one:
        return verdict(check, party, [], "nothing is received that must not depend on secrets")
    found, tests = _compare(one, two, alpha / 3)
    predicted = _predicted(one, two, alpha / 3)
    good = f"{len(one)} arrays x {len(pair.one)}+{len(pair.two)} runs, {tests:,} tests, predictor"
    found += predicted
    return verdict(check, party, found, good, tests=tests + 2, alpha=alpha)


def _columns(
    trials: Sequence[Trial], pair: Worlds, party: Party, rules: Rules
) -> dict[str, npt.NDArray[np.uint64]]:
    """Return, per array of the view, its first elements over all runs, [runs, elements]."""
    found: dict[str, list[Array]] = {}
    for trial in trials:
        counts: dict[str, int] = {}
        for seen in sightings(trial, party, rules):
            if _hides(seen, trial, pair, party):
                place = f"{seen.stream} in {seen.place}"
                counts[place] = counts.get(place, 0) + 1
                name = f"{place} #{counts[place]}"
                found.setdefault(name, []).append(_words(seen.array))
    return {n: np.stack(arrays) for n, arrays in found.items() if _complete(arrays, len(trials))}


def _complete(arrays: list[Array], trials: int) -> bool:
    return len(arrays) == trials and arrays[0].size > 0 and len({a.shape for a in arrays}) == 1


def _hides(seen: Sighting, trial: Trial, pair: Worlds, party: Party) -> bool:
    """Say whether an array must look alike in both worlds."""
    if seen.form in {"plain", "protected"}:
        carried = "rows" if seen.session in trial.enrolled else "probes"
        return carried not in pair.differ
    if seen.form == "output" and seen.way == "opened":
        return "answers" not in pair.differ
    if party == CLIENT and seen.way == "opened":
        return "answers" not in pair.differ
    return True


def _words(array: Array) -> npt.NDArray[np.uint64]:
    """Return the first elements as unsigned integers, whatever they are."""
    flat = np.ascontiguousarray(array).reshape(-1)[:ELEMENTS]
    return flat.view(f"<u{array.itemsize}").astype(np.uint64)


def _compare(one: Columns, two: Columns, alpha: float) -> tuple[list[str], int]:
    names, bit_p, value_p = [], [], []
    for name in one:
        bits = [_bits(columns[name]) for columns in (one, two)]
        runs = min(len(bits[0]), len(bits[1]))
        ones = [b[:runs].sum(axis=0) for b in bits]
        bit_p.append(fisher_p(ones[0], ones[1], runs))
        value_p.append(kolmogorov_p(one[name], two[name]))
        names.append(name)
    found = _rejected(names, bit_p, alpha, "a bit") + _rejected(names, value_p, alpha, "a value")
    tests = sum(p.size for p in (*bit_p, *value_p))
    return found, tests


def _rejected(
    names: Sequence[str], p_values: Sequence[npt.NDArray[np.float64]], alpha: float, what: str
) -> list[str]:
    """Return one finding per array that has a rejected coordinate."""
    owners = np.repeat(np.arange(len(names)), [p.size for p in p_values])
    pooled = np.concatenate(p_values)
    guilty: dict[int, float] = {}
    for index in holm(pooled, alpha):
        owner = int(owners[index])
        guilty[owner] = min(guilty.get(owner, 1.0), float(pooled[index]))
    return [f"{names[i]}: {what} depends on the secrets (p = {p:.1e})" for i, p in guilty.items()]


def _bits(columns: Array) -> npt.NDArray[np.uint8]:
    """Return [runs, elements x 64] bits, without the columns that are never set."""
    octets = np.ascontiguousarray(columns).view(np.uint8)
    return np.unpackbits(octets, axis=1, bitorder="little")


def _predicted(one: Columns, two: Columns, alpha: float) -> list[str]:
    """Train on half of the runs, predict the world of the other half, and the other way round."""
    pooled = [np.concatenate([_bits(c[name]) for name in one], axis=1) for c in (one, two)]
    return list(_lucky(pooled[0], pooled[1], alpha))


def _lucky(one: npt.NDArray[np.uint8], two: npt.NDArray[np.uint8], alpha: float) -> Iterator[str]:
    for fold in range(2):
        hits, total = held_out_hits(one, two, fold)
        p = binomial_p(hits, total)
        if p <= alpha / 2:
            yield f"a predictor tells the worlds apart: {hits} of {total} runs (p = {p:.1e})"
