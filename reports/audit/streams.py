"""Cuts views into streams: arrays of the same meaning, across sessions and runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

import numpy as np

from protocol.flows import Form
from protocol.parties import Party
from protocol.views import Array, Seen, Trial, View
from reports.audit.rules import Rules

__all__ = ["Sighting", "randomness", "residuals", "sightings", "slices"]

Way = Literal["received", "opened", "difference", "residual", "expansion", "draw"]


class Sighting(NamedTuple):
    """One array in one view; `stream` is what it is, `place` where in the run it was.

    `adds` says whether it holds ring elements; other arrays are XORed.
    """

    stream: str
    place: str
    form: Form | None
    way: Way
    session: str
    array: Array
    adds: bool = False


def sightings(trial: Trial, party: Party, rules: Rules) -> Iterator[Sighting]:
    """Yield what a party received, what it can open, and differences between sessions."""
    received = list(_received(trial.views[party], rules))
    yield from received
    yield from _opened(trial.views[party], rules)
    yield from _differences(received)


def residuals(trial: Trial, party: Party, rules: Rules) -> Iterator[Sighting]:
    """Yield every received and opened ring array minus a secret of the same shape.

    A value under a uniform, independent mask stays uniform when the secret is taken off.
    """
    view = trial.views[party]
    for seen in (*_received(view, rules), *_opened(view, rules)):
        for name, secret in slices(trial, seen.session).items():
            if secret.shape == seen.array.shape and secret.dtype == seen.array.dtype:
                stream = f"{seen.stream} minus {name}"
                rest = seen.array - secret
                yield seen._replace(stream=stream, way="residual", array=rest)


def randomness(view: View) -> Iterator[Sighting]:
    """Yield a party's draws and what it expanded from seeds."""
    for number, drawn in enumerate(view.draws):
        yield Sighting("draws", str(number), None, "draw", "", drawn)
    for expansion in view.expansions:
        session, _, name = expansion.label.partition("/")
        stream = f"expanded {name or session} {expansion.array.dtype}"
        yield Sighting(stream, expansion.label, None, "expansion", session, expansion.array)


def slices(trial: Trial, session: str) -> dict[str, Array]:
    """Return the secrets that one session works on."""
    if session in trial.enrolled:
        start, count = trial.enrolled[session]
        found = {"rows": trial.secrets.get("rows")}
    elif session in trial.batches:
        start, count = trial.batches[session]
        found = {name: trial.secrets.get(name) for name in ("probes", "scores", "decisions")}
    else:
        return {}
    return {name: a[start : start + count] for name, a in found.items() if a is not None}


def _received(view: View, rules: Rules) -> Iterator[Sighting]:
    received = [seen for seen in view.messages if seen.event == "received"]
    together = Counter((seen.kind, seen.session, seen.round) for seen in received)
    for seen in received:
        # An output that comes from one party alone is no share: it is the answer.
        whole = rules.form(seen) == "output" and together[seen.kind, seen.session, seen.round] == 1
        yield from _fields(seen, rules, "opened" if whole else "received", seen.arrays)


def _opened(view: View, rules: Rules) -> Iterator[Sighting]:
    """Yield the sums of both halves of an opening: sent and received under one label."""
    sent = {_half(m, m.receiver): m for m in view.messages if m.event == "sent"}
    for seen in view.messages:
        mine = sent.get(_half(seen, seen.sender)) if seen.event == "received" else None
        if mine is not None and rules.form(seen) in {"share", "masked"}:
            arrays = {
                name: _combined(array, mine.arrays[name], adds=rules.adds(seen, array))
                for name, array in seen.arrays.items()
                if _alike(array, mine.arrays.get(name))
            }
            yield from _fields(seen, rules, "opened", arrays)
    yield from _answers(view, rules)


def _answers(view: View, rules: Rules) -> Iterator[Sighting]:
    """Yield what the shares of an output that reached one party combine to."""
    groups: dict[tuple[object, ...], list[Seen]] = {}
    for seen in view.messages:
        if seen.event == "received" and rules.form(seen) == "output":
            groups.setdefault((seen.kind, seen.session, seen.round), []).append(seen)
    for first, *others in groups.values():
        for other in others:
            arrays = {
                name: _combined(array, other.arrays[name], adds=rules.adds(other, array))
                for name, array in first.arrays.items()
                if _alike(array, other.arrays.get(name))
            }
            yield from _fields(other, rules, "opened", arrays)


def _fields(seen: Seen, rules: Rules, way: Way, arrays: Mapping[str, Array]) -> Iterator[Sighting]:
    form = rules.form(seen)
    for name, array in arrays.items():
        ends = f"from {seen.sender}" if way == "received" else "opened"
        shown, adds = rules.shown(seen, array), rules.adds(seen, array)
        stream = f"{seen.kind}.{name} {shown.dtype} {ends}"
        place = f"{seen.session}/{seen.phase}/{seen.round}"
        yield Sighting(stream, place, form, way, seen.session, shown, adds)


def _differences(received: list[Sighting]) -> Iterator[Sighting]:
    """Yield the difference of each shared or masked array to the one before in its stream."""
    before: dict[tuple[str, object], Sighting] = {}
    for seen in received:
        if seen.form not in {"share", "masked"} or seen.array.dtype.kind not in "ub":
            continue
        key = (seen.stream, seen.place.rpartition("/")[2])
        last, before[key] = before.get(key), seen
        if last is not None and _alike(seen.array, last.array):
            change = _taken_off(seen.array, last.array, adds=seen.adds)
            stream = f"{seen.stream} minus the one before"
            yield seen._replace(stream=stream, way="difference", array=change)


def _half(seen: Seen, peer: Party) -> tuple[object, ...]:
    return (seen.kind, seen.session, seen.phase, seen.round, peer)


def _alike(one: Array, two: Array | None) -> bool:
    return two is not None and one.shape == two.shape and one.dtype == two.dtype


def _combined(one: Array, two: Array, *, adds: bool) -> Array:
    combined: Array = one + two if adds else np.bitwise_xor(one, two)
    return combined


def _taken_off(one: Array, two: Array, *, adds: bool) -> Array:
    rest: Array = one - two if adds else np.bitwise_xor(one, two)
    return rest
