"""The query budget: how many probes a client may ask about, held by the client and every server.

Each party counts for itself, from the public sizes of the sessions it takes part in. The client
refuses to ask, a server refuses to answer, so that neither needs to trust the other's count.
"""

from __future__ import annotations

from typing import Any, TypeVar

from protocol.channel import At, Channel
from protocol.errors import PolicyViolationError
from protocol.messages import Message
from protocol.parties import Party
from protocol.plan import RunPlan
from protocol.roles import Observation, RoleProgram

__all__ = ["Metered"]

M = TypeVar("M", bound=Message)


class Metered:
    """A role program that takes part in no more probes than its budget.

    Args:
        program: the program, run as it is.
        party: whose it is.
        plan: the public plan, with the size of every search.
        budget: most probes, over the whole run and over the runs before it that count.
        spent: probes of the runs before it.
    """

    def __init__(
        self, program: RoleProgram, party: Party, plan: RunPlan, budget: int, spent: int = 0
    ) -> None:
        self._program = program
        self._party: Party = party
        self._sizes = {step.session: step.size for step in plan.searches}
        self._budget = budget
        self._spent = spent

    async def run(self, channel: Channel) -> Observation:
        """Play the role.

        Raises:
            PolicyViolationError: a search would exceed the budget; the party says nothing in it.
        """
        meter = _Meter(self._party, self._sizes, self._budget, self._spent)
        return await self._program.run(_Counting(channel, meter))


class _Meter:
    """Counts the probes of the searches that have begun."""

    def __init__(self, party: Party, sizes: dict[str, int], budget: int, spent: int) -> None:
        self._party = party
        self._sizes = sizes
        self._budget = budget
        self._begun: set[str] = set()
        self._before = self._spent = spent

    def begin(self, at: At) -> None:
        """Count a search at its first online message.

        Raises:
            PolicyViolationError: it does not fit the budget any more.
        """
        if at.phase != "online" or at.session in self._begun:
            return
        self._begun.add(at.session)
        self._spent += self._sizes.get(at.session, 0)
        if self._spent > self._budget:
            before = f", {self._before} of them spent in earlier runs," if self._before else ""
            text = f"the budget of {self._budget} probes{before} does not cover {at.session}"
            hint = "ask about fewer probes, or raise budget in the scenario"
            raise PolicyViolationError(text, where=self._party, hint=hint)


class _Counting:
    def __init__(self, channel: Channel, meter: _Meter) -> None:
        self._channel = channel
        self._meter = meter

    async def send(self, receiver: Party, message: Any, at: At) -> None:  # noqa: ANN401 - Channel
        self._meter.begin(at)
        await self._channel.send(receiver, message, at)

    async def receive(self, sender: Party, kind: type[M], at: At) -> M:
        message = await self._channel.receive(sender, kind, at)
        self._meter.begin(at)
        return message
