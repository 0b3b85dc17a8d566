"""Budgets: how many probes a client may ask about, and how many pictures it may enrol.

Answers give rows away, and embeddings the network. Each party counts for itself, from the public
sizes of the sessions it takes part in. The client refuses to ask, a server refuses to answer, so
that neither needs to trust the other's count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from protocol.channel import At, Channel
from protocol.errors import PolicyViolationError
from protocol.messages import Message
from protocol.parties import Party, Phase
from protocol.plan import RunPlan
from protocol.roles import Observation, RoleProgram

__all__ = ["Metered"]

M = TypeVar("M", bound=Message)


class Metered:
    """A role program that takes part in no more probes and enrolments than its budgets.

    Args:
        program: the program, run as it is.
        party: whose it is.
        plan: the public plan, with the size of every session.
        budget: most probes, over the whole run and over the runs before it that count; None for
            any number.
        spent: probes of the runs before it.
        enrolments: most pictures that are enrolled in this run, replacements of rows included;
            None for any number.
    """

    def __init__(
        self,
        program: RoleProgram,
        party: Party,
        plan: RunPlan,
        budget: int | None,
        spent: int = 0,
        enrolments: int | None = None,
    ) -> None:
        self._program = program
        self._party: Party = party
        self._plan = plan
        self._budget, self._spent, self._enrolments = budget, spent, enrolments

    async def run(self, channel: Channel) -> Observation:
        """Play the role.

        Raises:
            PolicyViolationError: a session would exceed a budget; the party says nothing in it.
        """
        return await self._program.run(_Counting(channel, list(self._meters())))

    def _meters(self) -> Iterator[_Meter]:
        if self._budget is not None:
            sizes = {step.session: step.size for step in self._plan.searches}
            unit = _Unit("probes", "online", "budget", "ask about fewer probes")
            yield _Meter(self._party, unit, sizes, self._budget, self._spent)
        if self._enrolments is not None:
            kept = [step for step in self._plan.steps if step.kind in ("enrol", "update")]
            sizes = {step.session: step.size for step in kept}
            unit = _Unit("enrolments", "enrol", "enrolment_budget", "enrol fewer pictures")
            yield _Meter(self._party, unit, sizes, self._enrolments, 0)


class _Unit(NamedTuple):
    """What is counted, in which phase, the scenario's field, and what else to do."""

    name: str
    phase: Phase
    field: str
    instead: str


class _Meter:
    """Counts what the sessions that have begun take of one budget."""

    def __init__(
        self, party: Party, unit: _Unit, sizes: dict[str, int], budget: int, spent: int
    ) -> None:
        self._party = party
        self._unit = unit
        self._sizes = sizes
        self._budget = budget
        self._begun: set[str] = set()
        self._before = self._spent = spent

    def begin(self, at: At) -> None:
        """Count a session at its first message of the phase that is counted.

        Raises:
            PolicyViolationError: it does not fit the budget any more.
        """
        if at.phase != self._unit.phase or at.session in self._begun:
            return
        self._begun.add(at.session)
        self._spent += self._sizes.get(at.session, 0)
        if self._spent > self._budget:
            before = f", {self._before} of them spent in earlier runs," if self._before else ""
            what = f"the budget of {self._budget} {self._unit.name}{before}"
            text = f"{what} does not cover {at.session}"
            hint = f"{self._unit.instead}, or raise {self._unit.field} in the scenario"
            raise PolicyViolationError(text, where=self._party, hint=hint)


class _Counting:
    def __init__(self, channel: Channel, meters: Sequence[_Meter]) -> None:
        self._channel = channel
        self._meters = meters

    async def send(self, receiver: Party, message: Any, at: At) -> None:  # noqa: ANN401 - Channel
        self._begin(at)
        await self._channel.send(receiver, message, at)

    async def receive(self, sender: Party, kind: type[M], at: At) -> M:
        message = await self._channel.receive(sender, kind, at)
        self._begin(at)
        return message

    def _begin(self, at: At) -> None:
        for meter in self._meters:
            meter.begin(at)
