"""Do recognisable secrets turn up where they have no business, in any common encoding?"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from protocol.parties import CLIENT, PARTIES, Party
from protocol.views import Array, Trial, View
from reports.audit.rules import KNOWN_TO, Rules, Secret
from reports.audit.verdicts import Verdict, verdict

__all__ = ["Canary", "canaries", "canary_scan", "find"]

WINDOW: Final = 8
PATTERN_BYTES: Final = 16
LEAST_DISTINCT: Final = 4
LEAST_IN_WINDOW: Final = 3
LEAST_IN_WORD: Final = 2
LONG_BYTES: Final = 64
NUMBERS_PRINTED: Final = 8
SEARCHED_BYTES: Final = 1 << 14
TABLE_BITS: Final = 22

Octets = npt.NDArray[np.uint8]


class Canary(NamedTuple):
    """A secret's bytes in one encoding, and who may see them."""

    what: str
    encoding: str
    pattern: bytes
    known_to: Collection[Party]


def canary_scan(trials: Sequence[Trial], rules: Rules) -> Verdict:
    """Search every other party's view, and every text a run left behind, for secrets."""
    found: list[str] = []
    counted = scanned = views = files = 0
    for trial in trials:
        marks = canaries(trial)
        counted += len(marks)
        for place, owner, data in _places(trial, rules):
            scanned += data.nbytes
            views += owner is not None
            files += owner is None
            foreign = [mark for mark in marks if owner is None or owner not in mark.known_to]
            found += [f"{m.what} as {m.encoding} in {place}" for m in find(foreign, data)]
    places = f"{scanned:,} bytes of {views:,} views and {files:,} other places"
    good = f"{counted:,} patterns not found in {places}"
    return verdict("canaries", "run", list(dict.fromkeys(found)), good)


def canaries(trial: Trial) -> list[Canary]:
    """Return the secrets of a run as byte patterns: rows, probes, pictures, seeds and draws."""
    found: list[Canary] = []
    names: tuple[Secret, ...] = ("rows", "probes")
    for name in names:
        owners = KNOWN_TO[name]
        for number, row in enumerate(trial.secrets.get(name, ())):
            found += _encodings(f"{name} {number}", row, owners)
            signed = row.view(f"<i{row.itemsize}") if row.dtype.kind == "u" else row
            found += _numbers(f"{name} {number}", signed, owners)
    for view in trial.views.values():
        found += _owned(view)
    return [mark for mark in found if _recognisable(mark.pattern)]


def find(marks: Sequence[Canary], data: Octets) -> Iterator[Canary]:
    """Yield the patterns that occur in some bytes, at any alignment.

    Windows of eight bytes are looked up in a table of hashes; hits are compared in full.
    """
    if not marks or data.size < WINDOW:
        return
    index: dict[int, list[Canary]] = {}
    for mark in marks:
        index.setdefault(int.from_bytes(mark.pattern[:WINDOW], "little"), []).append(mark)
    table = np.zeros(1 << TABLE_BITS, dtype=np.bool_)
    table[_hash(np.fromiter(index, dtype=np.uint64))] = True
    raw = data.tobytes()
    told: set[tuple[str, str]] = set()
    for start in range(min(WINDOW, data.size - WINDOW + 1)):
        words = np.frombuffer(raw, dtype="<u8", offset=start, count=(data.size - start) // WINDOW)
        for place in np.flatnonzero(table[_hash(words)]).tolist():
            at = start + WINDOW * place
            for mark in index.get(int(words[place]), ()):
                if raw.startswith(mark.pattern, at) and (mark.what, mark.encoding) not in told:
                    told.add((mark.what, mark.encoding))
                    yield mark


def _hash(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    mixed = words * np.uint64(0x9E3779B97F4A7C15)
    return mixed >> np.uint64(64 - TABLE_BITS)


def _owned(view: View) -> Iterator[Canary]:
    """Yield a party's private inputs, and its draws, which others see only as sent seeds."""
    for number, loaded in enumerate(view.inputs):
        for row, picture in enumerate(loaded.array):
            yield from _encodings(f"{loaded.name} picture {number}.{row}", picture, {CLIENT})
    for number, drawn in enumerate(view.draws):
        # Draws travel as seeds between parties by design; they must not turn up in texts.
        what, everybody = f"draw {number} of {view.party}", frozenset(PARTIES)
        yield from _encodings(what, drawn, everybody)
        yield from _numbers(what, drawn, everybody)
        shown = repr(drawn.tobytes()[:PATTERN_BYTES])[2:-1].encode()
        yield Canary(what, "text as Python shows bytes", shown, everybody)


def _encodings(what: str, array: Array, known_to: Collection[Party]) -> Iterator[Canary]:
    raw = np.ascontiguousarray(array).tobytes()
    words = array.dtype.kind in "iu" and array.itemsize == WINDOW
    size = LONG_BYTES if words else PATTERN_BYTES
    head = _varied(raw, array.itemsize, size)
    yield Canary(what, f"raw {array.dtype}", head, known_to)
    yield Canary(what, "hex", head.hex().encode(), known_to)
    # Three bytes are four letters, wherever in the array they stand.
    yield Canary(what, "base64", base64.b64encode(_varied(raw, 3, size - size % 3)), known_to)


def _numbers(what: str, row: npt.NDArray[Any], known_to: Collection[Party]) -> Iterator[Canary]:
    """Yield a row of numbers in the other types it may be held in, and as texts of printing it."""
    flat = row.reshape(-1)
    for kind in (np.int8, np.int32, np.float32, np.float64):
        held = flat.astype(kind)
        if held.dtype != flat.dtype and np.array_equal(held, flat):
            head = _varied(held.tobytes(), held.itemsize, PATTERN_BYTES)
            yield Canary(what, f"raw {held.dtype}", head, known_to)
    numbers = flat[:NUMBERS_PRINTED].tolist()
    for joiner in (", ", ",", " "):
        text = joiner.join(str(number) for number in numbers)
        yield Canary(what, f"decimal text with {joiner!r}", text.encode(), known_to)


def _varied(raw: bytes, step: int, size: int) -> bytes:
    """Return the first stretch that can be told from others: a black edge of a picture cannot."""
    starts = range(0, min(len(raw) - size, SEARCHED_BYTES) + 1, step)
    stretches = (raw[start : start + size] for start in starts)
    return next(filter(_recognisable, stretches), raw[:size])


def _recognisable(pattern: bytes) -> bool:
    """Refuse patterns that occur by chance: short ones and those of few different bytes.

    A 64-bit word of a small number has two; a long pattern holds several such words.
    """
    least = LEAST_IN_WINDOW if len(pattern) < LONG_BYTES else LEAST_IN_WORD
    varied = len(set(pattern)) >= LEAST_DISTINCT and len(set(pattern[:WINDOW])) >= least
    return len(pattern) >= PATTERN_BYTES - 4 and varied


def _places(trial: Trial, rules: Rules) -> Iterator[tuple[str, Party | None, Octets]]:
    """Yield where secrets are searched: received messages by party, and texts by name."""
    for view in trial.views.values():
        arrays = [
            np.ascontiguousarray(array).reshape(-1).view(np.uint8)
            for seen in view.messages
            if seen.event == "received" and rules.form(seen) not in {"plain", "protected"}
            for array in seen.arrays.values()
        ]
        yield f"the view of {view.party}", view.party, _joined(arrays)
    yield from _written(trial.texts)


def _written(texts: Mapping[str, bytes]) -> Iterator[tuple[str, None, Octets]]:
    for name, text in texts.items():
        yield name, None, np.frombuffer(text, dtype=np.uint8)


def _joined(arrays: Iterable[Octets]) -> Octets:
    """Join arrays with a gap, so that no pattern spans two of them."""
    gap = np.zeros(1, dtype=np.uint8)
    parts = [part for array in arrays for part in (array, gap)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint8)
