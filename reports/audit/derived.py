"""What follows from values that parties see, hold or compute in the clear?

The other checks leave out what is sent plainly or protected, because the policy announces it. This
one asks what such values amount to. Embeddings that a party sends, receives or computes, quantised
as anybody can, are rows and probes; their products are scores, and the public threshold makes
decisions of them. No message of the search is needed for that. Rows under identity-specific keys do
not follow so; but the plain cosine of the same embeddings estimates the decisions, and how well is
told by the area under its ROC curve.

What follows is compared with the truth, which the audit knows, and stated. Where no entry of the
policy announces it to one of the parties, the check fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from protocol.flows import Fact
from protocol.mapping.quantise import quantise_template
from protocol.parties import CLIENT, MODEL_PROVIDER, Party
from protocol.plan import Step, moments
from protocol.views import Array, Public, Trial, View
from reports.audit.rules import Rules
from reports.audit.verdicts import Verdict, not_judged, verdict

__all__ = ["area_under_curve", "derived_answers"]

CHECK: Final = "derived answers"
ROWS_AT_ONCE: Final = 8192
_OLD: Final = (
    "run.json does not name the sessions of this run, so nobody can tell which probe met which "
    "row: run the scenario again with this version"
)

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


class _Held(NamedTuple):
    """Vectors [n, length] somebody has, and which of them; the rest is zero."""

    values: Floats
    known: Mask


class _Count(NamedTuple):
    """How many of all were derived, and were right."""

    found: int = 0
    total: int = 0

    def plus(self, found: Any, total: int) -> _Count:  # noqa: ANN401 - any integer of numpy
        return _Count(self.found + int(found), self.total + total)

    def __str__(self) -> str:
        return f"{self.found:,} of {self.total:,}"


class _Found(NamedTuple):
    """What follows for some parties, over some runs; cosines beside decisions where both exist."""

    rows: _Count = _Count()
    probes: _Count = _Count()
    decisions: _Count = _Count()
    matches: _Count = _Count()
    cosines: tuple[Floats, ...] = ()
    decided: tuple[Mask, ...] = ()

    @property
    def counts(self) -> tuple[int, ...]:
        """How much of everything was derived."""
        pairs = sum(cosines.size for cosines in self.cosines)
        return (self.rows.found, self.probes.found, self.decisions.found, pairs)


def derived_answers(trials: Sequence[Trial], members: Sequence[Party], rules: Rules) -> Verdict:
    """Derive rows, probes, scores and decisions for some parties; state or blame what follows.

    Args:
        trials: runs of one protocol, all mapped alike.
        members: who pools what it sees.
        rules: the policy.
    """
    subject, public = "+".join(members), trials[0].public
    if public is None:
        return not_judged(CHECK, subject, _OLD)
    found = _over(trials, members, rules)
    text, facts = _text(found, public), _facts(found)
    unannounced = sorted(facts - rules.announced(members, public))
    if unannounced and not rules.excluded(members):
        who = _names(members)
        wrong = f"the policy does not announce to {who} that it learns {', '.join(unannounced)}"
        return verdict(CHECK, subject, [f"{wrong}: {text}"], "")
    for member in members if facts and len(members) > 1 else ():
        if _over(trials, [member], rules).counts == found.counts:
            return verdict(CHECK, subject, [], f"no more follows than for {_names([member])} alone")
    return verdict(CHECK, subject, [], text, note="stated" if facts else "")


def area_under_curve(scores: Floats, positive: Mask) -> float | None:
    """Return the probability that a positive scores above a negative; ties count one half.

    None where one of the two kinds is missing.
    """
    positives = int(positive.sum())
    negatives = positive.size - positives
    if not positives or not negatives:
        return None
    _, place, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(sizes)
    ranks = (ends - (sizes - 1) / 2)[place.reshape(-1)]
    above = float(ranks[positive].sum()) - positives * (positives + 1) / 2
    return above / (positives * negatives)


def _over(trials: Sequence[Trial], members: Sequence[Party], rules: Rules) -> _Found:
    found = _Found()
    for trial in trials:
        found = _derived(found, trial, members, rules)
    return found


def _names(members: Sequence[Party]) -> str:
    return " and ".join(member.replace("_", " ") for member in members)


def _derived(before: _Found, trial: Trial, members: Sequence[Party], rules: Rules) -> _Found:
    """Add what follows in one run."""
    public = trial.public
    if public is None or not trial.secrets:
        return before
    views = [trial.views[member] for member in members if member in trial.views]
    enrolled = [step for step in public.steps if step.kind in ("enrol", "update")]
    searched = [step for step in public.steps if step.kind == "search"]
    of_rows = _embeddings(views, rules, enrolled)
    of_probes = _computed(views, _embeddings(views, rules, searched))
    rows = _checked(_own(views, CLIENT, "rows", _quantised(of_rows, public)), trial, "rows")
    probes = _checked(
        _own(views, MODEL_PROVIDER, "probes", _quantised(of_probes, public)), trial, "probes"
    )
    found = before._replace(
        rows=before.rows.plus(rows.known.sum(), rows.known.size),
        probes=before.probes.plus(probes.known.sum(), probes.known.size),
    )
    asked = 0
    for count, current in moments(public.steps):
        some = slice(asked, asked + count)
        decisions = trial.secrets["decisions"][some]
        found = _decided(found, _part(probes, some), rows, current, decisions, public)
        if public.mapping != "none":
            found = _estimated(found, _part(of_probes, some), of_rows, current, decisions)
        asked += count
    return found


def _decided(
    before: _Found, probes: _Held, rows: _Held, current: Array, decisions: Mask, public: Public
) -> _Found:
    """Count the decisions on probes that meet one gallery, as far as both sides are known."""
    found, matches = before.decisions, before.matches
    for versions, truth in _blocks(current, decisions):
        both = probes.known[:, None] & rows.known[versions][None]
        derived = np.zeros(both.shape, dtype=np.bool_)
        if both.any():
            derived = probes.values @ rows.values[versions].T >= public.threshold
        right = both & (derived == truth)
        found = found.plus(right.sum(), both.size)
        matches = matches.plus((right & truth).sum(), int(truth.sum()))
    return before._replace(decisions=found, matches=matches)


def _estimated(
    before: _Found, probes: _Held, rows: _Held, current: Array, decisions: Mask
) -> _Found:
    """Set plain cosines beside the decisions on the same pairs."""
    cosines, decided = before.cosines, before.decided
    if not (probes.known.any() and rows.known.any()):
        return before
    one = _unit(probes.values)
    for versions, truth in _blocks(current, decisions):
        both = probes.known[:, None] & rows.known[versions][None]
        cosines += ((one @ _unit(rows.values[versions]).T)[both],)
        decided += (truth[both],)
    return before._replace(cosines=cosines, decided=decided)


def _blocks(current: Array, decisions: Mask) -> Iterator[tuple[Array, Mask]]:
    """Yield versions of rows that are there, and the truth about them, some rows at a time."""
    live = np.flatnonzero(current >= 0)
    for start in range(0, live.size, ROWS_AT_ONCE):
        some = live[start : start + ROWS_AT_ONCE]
        yield current[some], decisions[:, some]


def _embeddings(views: Sequence[View], rules: Rules, steps: Sequence[Step]) -> _Held:
    """Return what looks like one embedding per picture in messages that are not hidden."""
    wanted = {step.session: step.size for step in steps}
    seen: dict[str, Array] = {}
    for view in views:
        for message in view.messages:
            size = wanted.get(message.session)
            if size is None or rules.form(message) not in {"plain", "protected"}:
                continue
            for array in message.arrays.values():
                if array.dtype.kind == "f" and array.ndim == 2 and len(array) == size:
                    seen[message.session] = array
    length = next((array.shape[1] for array in seen.values()), 0)
    values = [seen.get(name, np.zeros((size, length))) for name, size in wanted.items()]
    known = [np.full(size, name in seen) for name, size in wanted.items()]
    if not values:
        return _Held(np.zeros((0, 0)), np.zeros(0, np.bool_))
    return _Held(np.concatenate(values).astype(np.float64), np.concatenate(known))


def _computed(views: Sequence[View], held: _Held) -> _Held:
    """Return the probe embeddings that the provider computed, where it is one of the parties."""
    for view in views:
        computed = view.outputs.get("probe_embeddings") if view.party == MODEL_PROVIDER else None
        if computed is not None:
            return _Held(computed.astype(np.float64), np.ones(len(computed), np.bool_))
    return held


def _quantised(held: _Held, public: Public) -> _Held:
    """Return embeddings as rows or probes; of mapped ones the key is missing."""
    known = held.known & np.isfinite(held.values).all(axis=1) & held.values.any(axis=1)
    if public.mapping != "none" or not known.any():
        return _Held(np.zeros((len(known), 0)), np.zeros_like(known))
    values = np.zeros(held.values.shape)
    values[known] = quantise_template(_unit(held.values[known]), public.scale)
    return _Held(values, known)


def _own(views: Sequence[View], owner: Party, name: str, otherwise: _Held) -> _Held:
    """Return what a party made by its role, where it is one of the parties."""
    for view in views:
        made = view.outputs.get(name) if view.party == owner else None
        if made is not None:
            return _Held(made.astype(np.float64), np.ones(len(made), np.bool_))
    return otherwise


def _checked(held: _Held, trial: Trial, name: str) -> _Held:
    """Keep what equals the truth."""
    truth = _signed(trial.secrets[name])
    if held.values.shape != truth.shape:
        return _Held(np.zeros(truth.shape), np.zeros(len(truth), np.bool_))
    right = held.known & (held.values == truth).all(axis=1)
    return _Held(held.values, right)


def _part(held: _Held, some: slice) -> _Held:
    return _Held(held.values[some], held.known[some])


def _signed(elements: Array) -> Array:
    return elements.view(np.dtype(f"<i{elements.itemsize}"))


def _unit(values: Floats) -> Floats:
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.maximum(norms, np.finfo(np.float64).tiny))


def _facts(found: _Found) -> frozenset[Fact]:
    """Return what follows; an estimate wherever two embeddings can be compared."""
    facts: set[Fact] = set()
    if found.rows.found:
        facts.add("rows")
    if found.probes.found:
        facts.add("probes")
    if found.decisions.found:
        facts |= {"scores", "decisions"}
    if any(cosines.size for cosines in found.cosines):
        facts.add("estimates")
    return frozenset(facts)


def _text(found: _Found, public: Public) -> str:
    """Return a sentence with every count that is not zero."""
    counts = (("rows", found.rows), ("probes", found.probes))
    vectors = " and ".join(f"{count} {name}" for name, count in counts if count.found)
    sources = "what is held, computed or seen in the clear"
    texts = [f"{vectors} follow from {sources}"] if vectors else []
    if found.decisions.found:
        answers = f"{found.decisions} scores and decisions, {found.matches} matches among them"
        public_too = f"it gives {vectors}, and quantiser and threshold are public"
        texts = [f"{answers}, follow from {sources}: {public_too}"]
    if public.mapping != "none":
        texts += _estimate_text(found)
    return "; ".join(texts) or f"no row, probe, score or decision follows from {sources}"


def _estimate_text(found: _Found) -> list[str]:
    if not any(cosines.size for cosines in found.cosines):
        return []
    decided = np.concatenate(found.decided)
    area = area_under_curve(np.concatenate(found.cosines), decided)
    told = "all are alike, so nothing can be judged" if area is None else f"AUC {area:.4f}"
    separates = f"the plain cosine of two embeddings separates the client's decisions: {told}"
    return [f"{separates} ({decided.sum():,} of {decided.size:,} match)"]
