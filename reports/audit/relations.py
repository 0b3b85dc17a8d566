"""Within one run: is a secret, element by element, a fixed combination of what a coalition saw?

Arrays of a secret's shape are the unknowns, their elements the samples. So a single run decides
exactly, over Z_2^k, for the map that all elements share: M + A = G, e + b = q, x - r = z.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from protocol.parties import Party
from protocol.views import Array, Trial
from reports.audit.ring_algebra import determined
from reports.audit.rules import SECRETS, Rules, Secret
from reports.audit.streams import slices
from reports.audit.verdicts import Note, Verdict, verdict

__all__ = ["relations"]

CHECK: Final = "coalition relations"
HELD_OUT: Final = 40


def relations(trial: Trial, rules: Rules) -> Iterator[Verdict]:
    """Yield one verdict per coalition, over the first session of every kind."""
    sessions = [next(iter(places), "") for places in (trial.enrolled, trial.batches)]
    arrays = {
        session: {party: _seen(trial, party, session, rules) for party in rules.parties}
        for session in sessions
    }
    named = rules.minimal_excluded()
    for members in rules.coalitions():
        found = [
            text
            for session in sessions
            for text in _found(trial, members, session, rules, arrays[session])
        ]
        yield _judged(members, found, rules, must=frozenset(members) in named)


def _judged(members: Sequence[Party], found: list[str], rules: Rules, *, must: bool) -> Verdict:
    subject = "+".join(members)
    if rules.excluded(members):
        wrong = ["the policy excludes this coalition, yet nothing was determined"]
        silent = must and not found and rules.lacks(members)
        good = f"excluded by the trust model; determines {', '.join(found) or 'nothing'}"
        breaks: Note = "breaks, as declared" if found else ""
        return verdict(CHECK, subject, wrong if silent else [], good, note=breaks)
    wrong = [f"determines {', '.join(found)}"] if found else []
    return verdict(CHECK, subject, wrong, "no element is a combination of what was seen")


def _found(
    trial: Trial,
    members: Sequence[Party],
    session: str,
    rules: Rules,
    arrays: dict[Party, list[Array]],
) -> Iterator[str]:
    for name, secret in _secrets(trial, session).items():
        if not _asked(name, members, rules) or secret.dtype.kind != "u":
            continue
        known = _columns([array for m in members for array in arrays[m]], secret)
        samples = min(secret.size, known.shape[1] + 1 + HELD_OUT)
        if samples <= known.shape[1] + HELD_OUT:
            continue
        wanted = secret.reshape(-1)[:samples, None]
        solved = determined(known[:samples], wanted, 8 * secret.dtype.itemsize)
        if solved.determined.any():
            yield f"every element of {name} of {session}"


def _secrets(trial: Trial, session: str) -> dict[str, Array]:
    """Return what a session works on; a search that opens the gallery does so column by column."""
    found = slices(trial, session)
    return found if session in trial.enrolled else {**found, "rows": trial.secrets["rows"].T}


def _asked(name: str, members: Sequence[Party], rules: Rules) -> bool:
    secret: Secret | None = next((known for known in SECRETS if known == name), None)
    return secret is not None and not rules.may_know(members, secret)


def _seen(trial: Trial, party: Party, session: str, rules: Rules) -> list[Array]:
    view = trial.views[party]
    hidden = [m for m in view.messages if rules.form(m) not in {"plain", "protected"}]
    mine = [m for m in hidden if m.session == session]
    arrays = [rules.shown(m, array) for m in mine for array in m.arrays.values()]
    labels = {session, "gallery-rows"}
    return arrays + [e.array for e in view.expansions if e.label.partition("/")[0] in labels]


def _columns(arrays: Sequence[Array], secret: Array) -> Array:
    """Return the arrays with as many elements as the secret, as columns, none twice."""
    fitting = {
        array.tobytes(): array.reshape(-1)
        for array in arrays
        if array.size == secret.size and array.dtype == secret.dtype
    }
    empty = np.zeros((secret.size, 0), dtype=secret.dtype)
    return np.stack(list(fitting.values()), axis=1) if fitting else empty
