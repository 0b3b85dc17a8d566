"""Numbers and names as people read them: KiB, ms, per cent, party names.

Every function takes None (and NaN or infinity) and answers with `NOT_MEASURED`, so that no
`None` reaches a reader.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, TypeGuard

from protocol.parties import Party

__all__ = [
    "NOT_MEASURED",
    "PARTY_NAMES",
    "changed",
    "count",
    "counted",
    "decimal",
    "duration",
    "listed",
    "party_name",
    "party_names",
    "percent",
    "size",
]

NOT_MEASURED: Final = "not measured"
PARTY_NAMES: Final[dict[Party, str]] = {
    "client": "Client",
    "model_provider": "Model provider",
    "gallery_holder": "Gallery holder",
    "auxiliary_server": "Auxiliary server",
    "dealer": "Dealer",
}
_CHANGES: Final = {
    "update": "updated", "delete": "deleted", "enrol": "enrolled", "refresh": "refreshed",
}  # fmt: skip
_SIZES: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_DURATIONS: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def size(amount_bytes: float | None) -> str:
    """Return bytes in binary units with three significant digits: `97.7 KiB`."""
    if not _finite(amount_bytes):
        return NOT_MEASURED
    amount = float(amount_bytes)
    for unit in _SIZES:
        if abs(amount) < 1023.5 or unit == _SIZES[-1]:
            break
        amount /= 1024
    whole = unit == "B" and amount.is_integer()
    return f"{int(amount):,} B" if whole else f"{_significant(amount)} {unit}"


def changed(rows: Mapping[str, int]) -> str:
    """Return what happened to rows of a gallery: `20 updated, 5 deleted`."""
    return ", ".join(f"{rows[kind]:,} {word}" for kind, word in _CHANGES.items() if kind in rows)


def duration(seconds: float | None) -> str:
    """Return seconds in the unit that suits them: `12.3 ms`, `4.7 s`, `2 min 05 s`."""
    if not _finite(seconds):
        return NOT_MEASURED
    value = float(seconds)
    if value == 0:
        return "0 s"
    if abs(value) >= 120:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes:,} min {rest:02d} s"
    for unit, name in _DURATIONS:
        if abs(value) >= unit or name == "µs":
            break
    return f"{_significant(value / unit)} {name}"


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share of one as per cent, with a space that does not break: `97.8 %`."""
    return f"{100 * share:.{digits}f}\u00a0%" if _finite(share) else NOT_MEASURED


def count(number: float | None) -> str:
    """Return a whole number with thousands separated: `1,680`."""
    return f"{round(number):,}" if _finite(number) else NOT_MEASURED


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 message`, `63 messages`, `2 searches`."""
    plural = f"{noun}es" if noun.endswith(("ch", "sh", "s", "x")) else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def decimal(value: float | None, digits: int = 3) -> str:
    """Return a number with a fixed count of decimals: `0.300`."""
    return f"{value:.{digits}f}" if _finite(value) else NOT_MEASURED


def party_name(party: str) -> str:
    """Return the name of a party for people; what is no party stays as it is."""
    return next((name for key, name in PARTY_NAMES.items() if key == party), party)


def party_names(parties: Iterable[str]) -> str:
    """Return parties as a list people read: `Client, Model provider and Dealer`."""
    return listed([party_name(party) for party in parties])


def listed(words: tuple[str, ...] | list[str]) -> str:
    """Return words as an enumeration: `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _finite(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _significant(value: float) -> str:
    """Return about three significant digits without an exponent."""
    magnitude = abs(value)
    digits = 0 if magnitude >= 99.95 else 1 if magnitude >= 9.995 else 2
    return f"{value:,.{digits}f}"
