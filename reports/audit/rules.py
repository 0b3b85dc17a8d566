"""The few things an audit asks of a protocol's policy; the one module that reads it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import combinations
from typing import Final, Literal

import numpy as np

from protocol.flows import Elements, Fact, Flow, Form, Policy
from protocol.parties import CLIENT, MODEL_PROVIDER, Party, Phase
from protocol.views import Array, Public, Seen

__all__ = ["KNOWN_TO", "SECRETS", "Rules", "Secret"]

Secret = Literal["rows", "probes", "scores", "decisions"]
OPEN_SCORES: Final = "open_scores"
SECRETS: Final[tuple[Secret, ...]] = ("rows", "probes", "scores", "decisions")

# Who holds a secret by its role, whatever it sees: the client owns rows, probes and answers, and
# the provider computes the embedding of every probe.
KNOWN_TO: Final[dict[Secret, frozenset[Party]]] = {
    "rows": frozenset({CLIENT}),
    "probes": frozenset({CLIENT, MODEL_PROVIDER}),
    "scores": frozenset(),
    "decisions": frozenset({CLIENT}),
}


class Rules:
    """A policy as the audit reads it: forms of messages, and coalitions that may learn nothing.

    Args:
        policy: the protocol's.
        insecure: the run's shortcuts; what they open is announced to whom it is opened.
    """

    def __init__(self, policy: Policy, insecure: Collection[str] = ()) -> None:
        self.parties = policy.parties
        self.assumed = policy.shortcuts
        self._policy = policy
        self._flows: dict[tuple[str, Party, Party, Phase], Flow] = {
            (flow.kind, flow.sender, flow.receiver, flow.phase): flow for flow in policy.flows
        }
        self._excluded = [
            frozenset(coalition.members)
            for coalition in policy.coalitions
            if coalition.excluded_by_trust_model
        ]
        self._insecure = frozenset(insecure)
        self._known = dict(KNOWN_TO)
        for opening in policy.openings:
            if opening.needs_insecure == OPEN_SCORES and OPEN_SCORES in insecure:
                self._known["scores"] |= frozenset(opening.audience)

    def form(self, seen: Seen) -> Form | None:
        """Return the form a message is declared in; None if it is not declared."""
        flow = self._flow(seen)
        return None if flow is None else flow.form

    def adds(self, seen: Seen, array: Array) -> bool:
        """Say whether an array of a message holds ring elements; other arrays are XORed."""
        return self._policy.adds(self._flow(seen), array.itemsize)

    def shown(self, seen: Seen, array: Array) -> Array:
        """Return an array of a message as the checks read it.

        Ring elements and packed bits stay as they are. Words that are XORed become their bytes
        [n, 8], or booleans [n] where one bit is declared and no other is set.
        """
        elements = self._elements(seen, array)
        if elements is None or elements.combine == "sum":
            return array
        words = np.ascontiguousarray(array).reshape(-1)
        if elements.bits == 1 and not (words >> np.uint64(1)).any():
            return words.astype(np.bool_)
        return words.view(np.uint8).reshape(-1, array.itemsize)

    def hiding(self, seen: Seen, array: Array) -> Array:
        """Return the part of an array that hides values: of a word of one bit, that bit.

        The rest of both halves may agree: it opens to zero.
        """
        elements = self._elements(seen, array)
        if elements is None or elements.bits > 1:
            return self.shown(seen, array)
        lowest: Array = (array & array.dtype.type(1)).astype(np.bool_)
        return lowest

    def _elements(self, seen: Seen, array: Array) -> Elements | None:
        """Return what a row says of 64-bit words; None for other arrays."""
        flow = self._flow(seen)
        return flow.elements if flow is not None and array.dtype == np.dtype("<u8") else None

    def _flow(self, seen: Seen) -> Flow | None:
        return self._flows.get((seen.kind, seen.sender, seen.receiver, seen.phase))

    def excluded(self, members: Iterable[Party]) -> bool:
        """Say whether the trust model rules out that these parties collude."""
        together = frozenset(members)
        return any(coalition <= together for coalition in self._excluded)

    def minimal_excluded(self) -> list[frozenset[Party]]:
        """Return the coalitions that the policy names as excluded."""
        return list(self._excluded)

    def coalitions(self) -> Iterator[tuple[Party, ...]]:
        """Yield every set of parties but the whole, single parties first."""
        for size in range(1, len(self.parties)):
            yield from combinations(self.parties, size)

    def may_know(self, members: Iterable[Party], secret: Secret) -> bool:
        """Say whether one of the parties holds a secret by its role, or by an announced opening."""
        return bool(self._known[secret] & frozenset(members))

    def announced(self, members: Iterable[Party], public: Public) -> frozenset[Fact]:
        """Return what may follow from values that these parties see, hold or compute."""
        mapped = public.mapping != "none"
        return frozenset(
            fact
            for member in members
            for known in self._policy.learns.get(member, ())
            if known.holds_for(public.answer, mapped=mapped, insecure=self._insecure)
            for fact in known.reveals
        )

    def lacks(self, members: Iterable[Party]) -> bool:
        """Say whether these parties lack a secret that a linear map could give; scores are none."""
        return not all(self.may_know(members, name) for name in SECRETS if name != "scores")
