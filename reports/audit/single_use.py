"""Is every mask, seed and masked payload used once, within a run and across runs?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from protocol.views import Array, Trial
from reports.audit.neighbours import Neighbour
from reports.audit.rules import Rules
from reports.audit.verdicts import Verdict, verdict

__all__ = ["single_use"]

PREFIX_BYTES: Final = 16


class _Use(NamedTuple):
    """One use of something that may be used once: what it is, and where."""

    what: str
    place: str
    content: bytes


def single_use(
    trials: Sequence[Trial], rules: Rules, others: Iterable[Neighbour] | None = None
) -> Verdict:
    """Find masks, seeds and masked payloads that begin alike, and labels expanded twice.

    The first 16 bytes are compared, so that a generator with few states shows although its
    arrays differ in length. Two honest arrays agree with probability 2^-128 per pair. Payloads are
    compared with payloads and masks with masks: a masked zero equals its mask.

    Args:
        trials: the runs that are judged.
        rules: the policy.
        others: runs that share their folder, compared with the trials only; None for none.
    """
    seen: dict[bytes, _Use] = {}
    found, count = [], 0
    for trial in trials:
        for use in _uses(trial, rules):
            count += 1
            first = seen.setdefault(use.content, use)
            if (first.what, first.place) != (use.what, use.place):
                found.append(f"{use.what} in {use.place} is that of {first.what} in {first.place}")
        found += list(_expanded_twice(trial))
    elsewhere, compared = ([], "") if others is None else _used_elsewhere(seen, others)
    good = f"{count:,} masks, seeds and masked payloads of {len(trials)} runs, no two alike"
    return verdict("single use", "run", found + elsewhere, good + compared)


def _used_elsewhere(
    seen: Mapping[bytes, _Use], others: Iterable[Neighbour]
) -> tuple[list[str], str]:
    """Return what other runs used too, and how many of them were compared, for a sentence."""
    found: list[str] = []
    compared = unreadable = 0
    for other in others:
        if other.trial is None or other.rules is None:
            unreadable += 1
            continue
        compared += 1
        for use in _uses(other.trial, other.rules):
            first = seen.get(use.content)
            if first is not None:
                run = f"another run, {other.path.name}"
                found.append(f"{first.what} in {first.place} is that of {use.what} in {run}")
    lost = f"; {unreadable:,} other runs cannot be read" if unreadable else ""
    return found, f", nor like one of {compared:,} other recorded runs beside it{lost}"


def _uses(trial: Trial, rules: Rules) -> Iterator[_Use]:
    for view in trial.views.values():
        for seen in view.messages:
            if seen.event == "sent" and rules.form(seen) in {"share", "masked"}:
                # A share may go to several holders of a replicated sharing: that is one use.
                place = f"{trial.run}/{seen.session}/{seen.round}/{seen.sender}"
                for name, array in seen.arrays.items():
                    hiding = rules.hiding(seen, array)
                    yield from _use("payload", f"{seen.kind}.{name}", place, hiding)
        for expansion in view.expansions:
            place = f"{trial.run}/{expansion.seed}"
            yield from _use("mask", expansion.label, place, expansion.array)


def _use(group: str, what: str, place: str, array: Array) -> Iterator[_Use]:
    flat = np.ascontiguousarray(array).reshape(-1)
    octets = np.packbits(flat) if flat.dtype == np.bool_ else flat.view(np.uint8)
    if flat.size and octets.size >= PREFIX_BYTES:
        head = octets[:PREFIX_BYTES]
        yield _Use(f"{group} {what}", place, group.encode() + head.tobytes())


def _expanded_twice(trial: Trial) -> Iterator[str]:
    for view in trial.views.values():
        labels = [(expansion.seed, expansion.label) for expansion in view.expansions]
        repeated = [use for use, count in Counter(labels).items() if count > 1]
        for _, label in sorted(repeated):
            yield f"{view.party} expanded {label} of one seed twice"
