"""What every server does that is one of the two evaluators."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, TypeVar

from protocol.channel import Channel
from protocol.parties import CLIENT, MODEL_PROVIDER, Party
from protocol.plan import Step
from protocol.search.server import GalleryServer
from protocol.search.shape import input_check
from protocol.search.two_party.evaluator import Evaluator
from protocol.search.two_party.input_check import check_inputs
from protocol.search.two_party.outputs import SCORE_ROUND, answer, send_scores
from protocol.search.two_party.pieces import Material
from protocol.search.two_party.zeros import ZeroShares
from protocol.sharing.prg import SeedChain
from protocol.sharing.ring import RingArray

__all__ = ["EvaluatingServer", "Shares"]

T = TypeVar("T")


class Shares(NamedTuple):
    """An evaluator's additive shares of the probes [B,D] and of the scores [B,N] of a search."""

    probes: RingArray
    scores: RingArray


class EvaluatingServer(GalleryServer[T]):
    """Turns score shares into an answer share.

    Attributes:
        peer: the other evaluator.
        first: whether this one adds public constants.
    """

    peer: ClassVar[Party]
    first: ClassVar[bool]
    _zeros: SeedChain
    """The seed that only the two evaluators have."""

    async def _check_rows(
        self, channel: Channel, step: Step, material: Material, rows: RingArray
    ) -> None:
        """Prove with the peer, from both shares, that the client's rows are within bounds."""
        evaluator = Evaluator(
            channel, self.peer, step.session, material, first=self.first, round_=0, phase="enrol"
        )
        await check_inputs(evaluator, input_check(self._plan, step.size), rows, CLIENT)

    async def _evaluate(
        self, channel: Channel, step: Step, material: Material, shares: Shares
    ) -> None:
        """Check the probes, if the plan says so, evaluate the answer and send one's share of it."""
        evaluator = Evaluator(
            channel, self.peer, step.session, material, first=self.first, round_=SCORE_ROUND
        )
        shape, scores = self._rows.shape(step), shares.scores
        if shape.check is not None:
            await check_inputs(evaluator, shape.check, shares.probes, MODEL_PROVIDER)
        zeros = ZeroShares(self._zeros.session(step.session), first=self.first)
        await answer(evaluator, shape, scores, zeros)
        if self._plan.open_scores:
            await send_scores(channel, shape, scores, zeros)
