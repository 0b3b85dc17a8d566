"""What every role program has in common: how it is run and what an observer may read of it."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import numpy.typing as npt

from protocol.channel import Channel

__all__ = ["Observation", "RoleProgram"]

Observation: TypeAlias = dict[str, npt.NDArray[Any]]


class RoleProgram(Protocol):
    """One party: a program that awaits only its channel."""

    async def run(self, channel: Channel) -> Observation:
        """Play the role to its end.

        Returns:
            Arrays for the simulation's evaluator, which is not a party. No message carries them.
        """
        ...
