"""Does a coalition's view determine a secret, by linear algebra over Z_2^k?

The unknown map is learned, not declared: over many runs with random secrets, elimination decides
exactly whether a fixed Z_2^k-linear map of the pooled view (messages, expanded seeds, draws)
gives a secret coordinate. Score and row coordinates are looked for in the ring, match bits over
the field of two elements. Allowed coalitions must determine nothing; for the ones that the trust
model excludes the test must succeed, which shows that it can.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from protocol.errors import DataError
from protocol.parties import Party
from protocol.views import Array, Trial, View
from reports.audit.ring_algebra import Solved, determined
from reports.audit.rules import Rules, Secret
from reports.audit.verdicts import Note, Verdict, verdict

__all__ = ["HELD_OUT", "Pool", "alike_in_size", "coalition"]

HELD_OUT: Final = 40
RING_SECRETS: Final[tuple[Secret, ...]] = ("rows", "probes", "scores")
CHECK: Final = "coalition algebra"
WORD_BYTES: Final = 8
# Of 64-bit words: the bit that additive and XOR shares have in common, the sign, the carry into it.
WORD_PLANES: Final = (0, 62, 63)

Bits = npt.NDArray[np.uint8]


def alike_in_size(trials: Sequence[Trial]) -> bool:
    """Say whether all runs have views of equal sizes, as the algebra needs."""
    sizes = {
        tuple(
            a.shape for view in t.views.values() for m in view.messages for a in m.arrays.values()
        )
        for t in trials
    }
    return len(sizes) == 1


class Pool:
    """The views of all runs as matrices, party by party, ready to be put together.

    Args:
        trials: runs with equal sizes and independent random secrets.
        rules: the policy.
    """

    def __init__(self, trials: Sequence[Trial], rules: Rules) -> None:
        self.rules = rules
        self.runs = len(trials)
        self.secrets = {
            name: np.stack([_coordinates(trial.secrets[name]) for trial in trials])
            for name in RING_SECRETS
        }
        self.answers = np.concatenate([_answers(trial) for trial in trials])[:, None]
        dtype = self.secrets["rows"].dtype
        parties = trials[0].views
        self.elements = {
            party: np.stack([_elements(trial.views[party], rules, dtype) for trial in trials])
            for party in parties
        }
        self.bits = {
            party: np.concatenate([_aligned(trial, party, rules) for trial in trials])
            for party in parties
        }


def coalition(pool: Pool, members: Sequence[Party], *, must_learn: bool = False) -> Verdict:
    """Judge one coalition.

    Args:
        pool: the runs.
        members: who pools their views.
        must_learn: whether the trust model names exactly this coalition as one that breaks it.

    Raises:
        DataError: there are too few runs for the number of unknowns.
    """
    subject = "+".join(members)
    names = list(_found(pool, members))
    if pool.rules.excluded(members):
        learned = ", ".join(names) or "nothing"
        silent = must_learn and not names and pool.rules.lacks(members)
        wrong = ["the policy excludes this coalition, yet nothing was determined"]
        good = f"excluded by the trust model; determines {learned}"
        breaks: Note = "breaks, as declared" if names else ""
        return verdict(CHECK, subject, wrong if silent else [], good, note=breaks)
    found = [f"determines {', '.join(names)}"] if names else []
    return verdict(CHECK, subject, found, f"determines nothing, over {pool.runs} runs")


def _found(pool: Pool, members: Sequence[Party]) -> Iterator[str]:
    """Yield what is determined that no member holds by its role."""
    asked = [name for name in RING_SECRETS if not pool.rules.may_know(members, name)]
    wholly = {name for name in RING_SECRETS if name not in asked}
    for name, solved in _in_ring(pool, members, asked):
        if solved.determined.any():
            count = int(solved.determined.sum())
            text = f"{count} of {solved.determined.size} coordinates of {name}"
            yield f"{text} (rank {solved.rank}, held out {solved.held_out} runs)"
        if solved.determined.all():
            wholly.add(name)
    if {"rows", "probes"} <= wholly and "rows" in asked and "scores" not in wholly:
        yield "hence every score, the product of a row and a probe, and every decision"
    if not pool.rules.may_know(members, "decisions"):
        answers = _solved(pool.bits, members, pool.answers, 1)
        if answers.determined.any():
            yield f"match bits (rank {answers.rank}, held out {answers.held_out})"


def _in_ring(
    pool: Pool, members: Sequence[Party], asked: Sequence[Secret]
) -> Iterator[tuple[Secret, Solved]]:
    """Yield which coordinates of each secret a ring-affine map gives; one elimination for all."""
    if not asked:
        return
    wanted = np.concatenate([pool.secrets[name] for name in asked], axis=1)
    solved = _solved(pool.elements, members, wanted, 8 * wanted.dtype.itemsize)
    ends = np.cumsum([pool.secrets[name].shape[1] for name in asked])
    for name, part in zip(asked, np.split(solved.determined, ends[:-1]), strict=True):
        yield name, solved._replace(determined=part)


def _solved(
    views: Mapping[Party, Array], members: Sequence[Party], wanted: Array, bits: int
) -> Solved:
    """Solve on as many samples as unknowns need, and hold out `HELD_OUT` more."""
    known = _distinct(np.concatenate([views[member] for member in members], axis=1))
    samples = known.shape[1] + 1 + HELD_OUT
    if len(known) < samples:
        text = f"{len(known)} samples cannot settle {known.shape[1]} unknowns of a coalition"
        raise DataError(text, hint="give the audit more or larger runs")
    return determined(known[:samples], wanted[:samples], bits)


def _distinct(matrix: Array) -> Array:
    """Leave out constant columns, and repeated ones: one sent what another received."""
    columns = np.ascontiguousarray(matrix[:, (matrix != matrix[:1]).any(axis=0)].T)
    first = {column.tobytes(): index for index, column in reversed(list(enumerate(columns)))}
    distinct: Array = columns[sorted(first.values())].T
    return distinct


def _elements(view: View, rules: Rules, dtype: np.dtype[Any]) -> Array:
    """Return all ring elements of a view, flat."""
    parts = [array.reshape(-1) for array in _hidden(view, rules) if array.dtype == dtype]
    return np.concatenate([*parts, np.zeros(0, dtype)])


def _hidden(view: View, rules: Rules) -> Iterator[Array]:
    """Yield every array of a view but those that are declared to be open.

    What is sent plainly or protected is announced by the policy; it is no finding of this check.
    """
    for seen in view.messages:
        if rules.form(seen) not in {"plain", "protected"}:
            yield from (rules.shown(seen, array) for array in seen.arrays.values())
    for expansion in sorted(view.expansions, key=lambda e: e.label):
        yield expansion.array
    yield from view.draws


def _coordinates(secret: Array) -> Array:
    """Return what may not be determined: elements, and their differences from row to row."""
    return np.concatenate([secret.reshape(-1), (secret[1:] - secret[:-1]).reshape(-1)])


def _answers(trial: Trial) -> Bits:
    """Return the match bits of a run, in the order of its sessions."""
    bits: Bits = trial.secrets["decisions"].reshape(-1).astype(np.uint8)
    return bits


def _aligned(trial: Trial, party: Party, rules: Rules) -> Bits:
    """Return the bits of packed arrays and scores at the place of each entry, [entries, columns].

    One map serves all entries of a search, so entries are samples as well as runs.
    """
    rows = trial.secrets["decisions"].shape[1]
    blocks = []
    for session, (_, count) in trial.batches.items():
        view = trial.views[party]
        mine = view._replace(
            messages=[m for m in view.messages if m.session == session],
            expansions=[e for e in view.expansions if e.label.partition("/")[0] == session],
            draws=[],
        )
        entries = count * rows
        ring = trial.secrets["rows"].dtype
        columns = [column for a in _hidden(mine, rules) for column in _planes(a, entries, ring)]
        blocks.append(np.stack(columns, axis=1) if columns else np.zeros((entries, 0), np.uint8))
    return np.concatenate(blocks)


def _planes(array: Array, entries: int, ring: np.dtype[Any]) -> Iterator[Bits]:
    """Yield one bit per entry, from an array of whatever layout has one.

    Booleans; planes of packed words or bytes; some bits of words of one entry each, `WORD_PLANES`;
    bits of one ring element per entry.
    """
    if array.dtype == np.bool_ and array.size % entries == 0:
        yield from array.reshape(-1, entries).astype(np.uint8)
    elif array.dtype == np.uint8 and array.shape[1:] == (WORD_BYTES,) and len(array) % entries == 0:
        words = np.ascontiguousarray(array).view("<u8").reshape(-1, entries)
        yield from (_bit(row, place) for row in words for place in WORD_PLANES)
    elif array.dtype == np.uint8 or (array.dtype == np.dtype("<u8") and array.dtype != ring):
        octets = np.ascontiguousarray(array).view(np.uint8).reshape(-1, _row_bytes(array))
        if octets.shape[1] * 8 >= entries:
            yield from np.unpackbits(octets, axis=1, count=entries, bitorder="little")
    elif array.size == entries and array.dtype.kind == "u":
        wide = array.itemsize == WORD_BYTES
        places = WORD_PLANES if wide else range(8 * array.itemsize)
        yield from (_bit(array.reshape(-1), place) for place in places)


def _bit(words: Array, place: int) -> Bits:
    bit: Bits = ((words >> words.dtype.type(place)) & words.dtype.type(1)).astype(np.uint8)
    return bit


def _row_bytes(array: Array) -> int:
    return int(array.shape[-1] * array.itemsize) if array.ndim else array.itemsize
