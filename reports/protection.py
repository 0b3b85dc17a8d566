"""The parts of `run.json` about protection: budgets, what answers give away, what was asked."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = ["Epsilon", "Leakage", "Protection", "Queries"]

Epsilon = float | Literal["no noise", "infinite"] | None


class Protection(msgspec.Struct, frozen=True, kw_only=True):
    """What shields picture and template.

    An epsilon is a number, or "no noise" on that part, or "infinite" where some of what is sent
    carries noise and some does not; None says that there are no pictures (in records of earlier
    versions also that there is no finite epsilon). `person_uploads` is the most pictures that were
    sent of one person, `person_epsilon` that of all of them.
    """

    element_epsilon: Epsilon
    image_epsilon: Epsilon
    colour_bit_epsilon: Epsilon
    colour_image_epsilon: Epsilon
    total_epsilon: Epsilon
    statement: str
    person_uploads: int = 0
    person_epsilon: Epsilon = None
    features: dict[str, Any]
    mapping: dict[str, Any]
    output: str
    trust_model: str
    insecure: list[str]
    synthetic_data: bool
    network: str


class Leakage(msgspec.Struct, frozen=True, kw_only=True):
    """How many answers gave a synthetic row away at the run's output level, and by which attack."""

    level: str
    attack: str
    queries: int
    cosine: float
    templates: int
    budget: int | None = None


class Queries(msgspec.Struct, frozen=True, kw_only=True):
    """The budgets, what this run took of them, and what runs of the same ledger asked before it."""

    budget: int | None = None
    ledger: str | None = None
    spent_before: int = 0
    probes: int = 0
    enrolment_budget: int | None = None
    enrolments: int = 0
