"""CrypTen's communicator for one computing party, over our wire and without pickles.

Tensors travel flat, as unsigned 64-bit ring elements; requests to the third party as msgspec
structs of a closed set. Rounds: each collective is one message each way, both sent before either
is awaited.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch.distributed import ReduceOp

from protocol.errors import DecodeError, LocalProtocolError
from protocol.search.crypten.blocking import Wire
from protocol.search.crypten.correlations import (
    Correlation,
    Size,
    decode_answer,
    encode,
    request_of,
)
from protocol.search.crypten.ranks import COMPUTING, THIRD_PARTY, Rank

__all__ = ["Communicator", "ring_array"]

Group: TypeAlias = tuple[int, ...]
RingWords: TypeAlias = npt.NDArray[np.uint64]


class _Done:
    """A transfer that is already complete."""

    def wait(self) -> None:
        """Return at once."""


class Communicator:
    """What CrypTen calls to talk, for one computing party.

    Attributes:
        wire: where messages go at present; None while the party does not compute.
        ttp_group: everyone, as CrypTen names the group that seeds are dealt in.
        ttp_comm_group: party 0 and the third party, as CrypTen names the group of its answers.
    """

    def __init__(self, rank: Rank) -> None:
        self.wire: Wire | None = None
        self.ttp_group: Group = (*COMPUTING, THIRD_PARTY)
        self.ttp_comm_group: Group = (0, THIRD_PARTY)
        self._rank = rank
        self._peer = 1 - rank
        self._requested: Correlation | None = None

    def get_rank(self) -> int:
        """Return this party's number."""
        return self._rank

    def get_world_size(self) -> int:
        """Return how many parties compute."""
        return len(COMPUTING)

    def get_ttp_rank(self) -> int:
        """Return the number of the third party."""
        return THIRD_PARTY

    def barrier(self, group: Group = COMPUTING) -> None:
        """Do nothing: links keep their order, so nobody needs to wait for the group."""

    def send(self, tensor: torch.Tensor, dst: int) -> None:
        """Send a tensor."""
        self._send(dst, [tensor])

    def recv(self, tensor: torch.Tensor, src: int | None = None) -> torch.Tensor:
        """Return a received tensor of the same shape as `tensor`."""
        return self._received(self._peer if src is None else src, tensor)

    def isend(self, tensor: torch.Tensor, dst: int, group: Group = COMPUTING) -> _Done:
        """Send a tensor; complete on return."""
        self._send(dst, [tensor], group)
        return _Done()

    def irecv(
        self, tensor: torch.Tensor, src: int | None = None, group: Group = COMPUTING
    ) -> _Done:
        """Receive into `tensor`; complete on return."""
        source = self._peer if src is None else src
        tensor.copy_(self._received(source, tensor, group))
        return _Done()

    def broadcast(self, tensor: torch.Tensor, src: int, group: Group = COMPUTING) -> torch.Tensor:
        """Return rank `src`'s tensor to every rank of the group."""
        if src != self._rank:
            tensor.copy_(self._received(src, tensor, group))
            return tensor
        for rank in group:
            if rank != src:
                self._send(rank, [tensor], group)
        return tensor

    def scatter(
        self, scatter_list: Sequence[torch.Tensor], src: int, size: torch.Size | None = None
    ) -> torch.Tensor:
        """Return this party's element of party `src`'s list."""
        own = scatter_list[self._rank]
        if src == self._rank:
            self._send(self._peer, [scatter_list[self._peer]])
            return own
        return self._received(src, own if size is None else own.new_empty(size))

    def gather(self, tensor: torch.Tensor, dst: int) -> list[torch.Tensor] | list[None]:
        """Return both parties' tensors to party `dst`, in order of rank."""
        if dst != self._rank:
            self._send(dst, [tensor])
            return [None]
        other = self._received(self._peer, tensor)
        return [tensor, other] if self._rank == 0 else [other, tensor]

    def all_reduce(self, tensors: Any, op: Any = ReduceOp.SUM, batched: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - CrypTen's signature
        """Return to both the element-wise sum or XOR of a tensor, or of each tensor of a list."""
        own: list[torch.Tensor] = tensors if batched else [tensors]
        self._send(self._peer, own)
        combined = _combine(own, self._receive(self._peer, own), op)
        return combined if batched else combined[0]

    def reduce(
        self,
        tensors: Any,  # noqa: ANN401 - CrypTen's signature
        dst: int,
        op: Any = ReduceOp.SUM,  # noqa: ANN401
        batched: bool = False,  # noqa: FBT001, FBT002
    ) -> Any:  # noqa: ANN401
        """Return the sum or XOR to party `dst` and None to the other."""
        own: list[torch.Tensor] = tensors if batched else [tensors]
        if dst != self._rank:
            self._send(dst, own)
            return None
        combined = _combine(own, self._receive(self._peer, own), op)
        return combined if batched else combined[0]

    def send_obj(self, obj: Any, dst: int, group: Group = COMPUTING) -> None:  # noqa: ANN401
        """Send a request for correlations to the third party; nothing else is an object here.

        Raises:
            LocalProtocolError: the object is not such a request.
        """
        self._requested = request_of(obj)
        data = np.frombuffer(encode(self._requested), np.uint8)
        self._link(dst, group).send(dst, data)

    def recv_obj(self, src: int, group: Group = COMPUTING) -> torch.Size:
        """Return the size of the third party's answer to the last request.

        Raises:
            DecodeError: it is not the size that was asked for.
        """
        arrays = self._link(src, group).receive(src)
        if [array.dtype for array in arrays] != [np.uint8]:
            raise DecodeError("the third party's answer is not announced by a size")
        size: Size = decode_answer(arrays[0].data).size
        if self._requested is None or size != self._requested.answer:
            raise DecodeError("the third party's answer has another size than was asked for")
        return torch.Size(size)

    def _link(self, rank: int, group: Group) -> Wire:
        if self.wire is None:
            raise LocalProtocolError("CrypTen speaks while its party does not compute")
        if rank == self._rank or rank not in group:
            raise LocalProtocolError(f"party {self._rank} has no link to party {rank}")
        return self.wire

    def _send(self, rank: int, tensors: Sequence[torch.Tensor], group: Group = COMPUTING) -> None:
        self._link(rank, group).send(rank, *map(ring_array, tensors))

    def _received(self, rank: int, like: torch.Tensor, group: Group = COMPUTING) -> torch.Tensor:
        array = self._receive(rank, [like], group)[0]
        return torch.from_numpy(array.view(np.int64).copy()).reshape(like.shape)

    def _receive(
        self, rank: int, like: Sequence[torch.Tensor], group: Group = COMPUTING
    ) -> list[RingWords]:
        arrays = self._link(rank, group).receive(rank)
        if any(array.dtype != np.uint64 for array in arrays):
            raise DecodeError("the peer's tensors do not hold 64-bit ring elements")
        # Sizes, not shapes: CrypTen itself answers a scalar with a one-element vector.
        if [array.size for array in arrays] != [tensor.numel() for tensor in like]:
            raise DecodeError("the peer's tensors do not have the sizes expected here")
        return [array.reshape(-1) for array in arrays]


def ring_array(tensor: torch.Tensor) -> RingWords:
    """Return a tensor's elements as a flat array, without copying where it is contiguous."""
    return tensor.detach().contiguous().numpy().reshape(-1).view(np.uint64)


def _combine(
    own: Sequence[torch.Tensor],
    theirs: Sequence[RingWords],
    op: Any,  # noqa: ANN401 - torch leaves ReduceOp untyped
) -> list[torch.Tensor]:
    if op not in {ReduceOp.SUM, ReduceOp.BXOR}:
        raise LocalProtocolError("only sums and XORs are reduced between parties")
    join = np.add if op == ReduceOp.SUM else np.bitwise_xor
    # The received arrays may be read-only, so the result is a new array and torch takes it over.
    return [
        torch.from_numpy(join(ring_array(mine), other).view(np.int64)).reshape(mine.shape)
        for mine, other in zip(own, theirs, strict=True)
    ]
