"""The course of a scenario: every session in order, and whose pictures each one needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from protocol.plan import Step, StepKind
from scenarios.datasets import DataSet, Split
from scenarios.specs import Scenario

__all__ = ["Course", "scenario_course"]

Pair = tuple[str, str]
_STREAM = 0xC0A5E  # keeps the course's draws apart from other uses of the same seed


class Course(NamedTuple):
    """What happens in a run, as far as a scenario and its data settle it.

    Attributes:
        steps: every session.
        people: identity of each row number.
        gallery: picture of every enrolment and update, in the order of the steps.
        probes: (identity, picture) of each probe, in the order of the steps.
    """

    steps: tuple[Step, ...]
    people: tuple[str, ...]
    gallery: tuple[str, ...]
    probes: tuple[Pair, ...]

    def uploads(self) -> Counter[str]:
        """Return how many pictures are sent of each person, one that is sent again included."""
        sent = Counter(identity for identity, _ in self.probes)
        sent.update(self.people)
        for step in self.steps:
            if step.kind == "update":
                sent.update(self.people[row] for row in step.rows)
        return sent


def scenario_course(scenario: Scenario, split: Split, dataset: DataSet) -> Course:
    """Return the course of a scenario; the same arguments give the same course.

    Without a gallery life all people of the split are enrolled, then all probes are searched,
    mated ones first. With one, some people are enrolled later and probes come in random order, so
    that each kind meets the gallery at every age. An update takes the person's next picture that
    is neither enrolled nor a probe, and the enrolled one again where there is none.

    In a verification a probe claims its own person's row, or a random one where there is none.
    """
    return _Course(scenario, split, dataset).drawn()


class _Course:
    def __init__(self, scenario: Scenario, split: Split, dataset: DataSet) -> None:
        self._scenario, self._dataset = scenario, dataset
        self._random = np.random.default_rng([scenario.seed, _STREAM])
        self._steps: list[Step] = []
        self._sessions: dict[StepKind, int] = {}
        self._people: list[str] = []
        self._row_of: dict[str, int] = {}
        self._gallery: list[str] = []
        self._enrolled: dict[int, str] = {}
        self._probes, self._waiting = split.probes, list(split.gallery)
        self._asked = {picture for _, picture in split.probes}
        self._spare: dict[int, list[str]] = {}
        if scenario.changes:
            self._probes = self._shuffled(self._probes)
            self._waiting = list(self._shuffled(self._waiting))

    def drawn(self) -> Course:
        """Return everything from the first enrolment to the last search."""
        data, life = self._scenario.data, self._scenario.life
        self._enrol(data.entries)
        searches = range(0, len(self._probes), data.batch)
        for number, start in enumerate(searches, start=1):
            self._search(self._probes[start : start + data.batch])
            if life.every and number % life.every == 0 and number < len(searches):
                self._change()
        return Course(
            tuple(self._steps), tuple(self._people), tuple(self._gallery), tuple(self._probes)
        )

    def _change(self) -> None:
        life = self._scenario.life
        changing = self._drawn_rows(life.update + life.delete)
        self._update(changing[: life.update])
        self._delete(changing[life.update :])
        self._enrol(life.enrol)
        refreshed = self._drawn_rows(life.refresh)
        self._add("refresh", len(refreshed), refreshed)

    def _enrol(self, count: int) -> None:
        arriving, self._waiting = self._waiting[:count], self._waiting[count:]
        for identity, picture in arriving:
            row = len(self._people)
            self._row_of[identity] = row
            self._enrolled[row] = picture
            self._people.append(identity)
            self._gallery.append(picture)
        self._add("enrol", count)

    def _update(self, rows: Sequence[int]) -> None:
        for row in rows:
            spare = self._spare_pictures(row)
            if spare:
                self._enrolled[row] = spare.pop(0)
            self._gallery.append(self._enrolled[row])
        self._add("update", len(rows), rows)

    def _delete(self, rows: Sequence[int]) -> None:
        for row in rows:
            del self._enrolled[row]
            del self._row_of[self._people[row]]
        self._add("delete", len(rows), rows)

    def _search(self, probes: Sequence[Pair]) -> None:
        verify = self._scenario.search.task == "verify"
        claims = [self._claim(identity) for identity, _ in probes] if verify else ()
        self._add("search", len(probes), claims)

    def _claim(self, identity: str) -> int:
        row = self._row_of.get(identity, -1)
        while row not in self._enrolled:
            row = int(self._random.integers(len(self._people)))
        return row

    def _spare_pictures(self, row: int) -> list[str]:
        """Return the pictures of a row's person that no session has used yet."""
        if row not in self._spare:
            used = {*self._asked, self._enrolled[row]}
            pictures = self._dataset.pictures_of(self._people[row])
            self._spare[row] = [picture for picture in pictures if picture not in used]
        return self._spare[row]

    def _drawn_rows(self, count: int) -> list[int]:
        """Draw different live rows."""
        live = list(self._enrolled)
        return [live[index] for index in self._random.choice(len(live), count, replace=False)]

    def _shuffled(self, pairs: Sequence[Pair]) -> tuple[Pair, ...]:
        return tuple(pairs[index] for index in self._random.permutation(len(pairs)))

    def _add(self, kind: StepKind, size: int, rows: Sequence[int] = ()) -> None:
        """Add sessions `kind-0000`, … of at most a batch each."""
        data = self._scenario.data
        most = data.batch if kind == "search" else data.enrol_batch
        for start in range(0, size, most):
            number = self._sessions.get(kind, 0)
            self._sessions[kind] = number + 1
            some = tuple(rows[start : start + most])
            self._steps.append(Step(f"{kind}-{number:04d}", min(most, size - start), kind, some))
