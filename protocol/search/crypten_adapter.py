"""CrypTen as an independent second implementation: an oracle and a baseline, never the product.

The only module that imports CrypTen. Version 0.4.1 looks for a torch module under a name it no
longer has, and its own communicators either need gloo (traffic nobody counts) or threads (its
comparison fails there), so `load_crypten` registers the old name and `crypten_session` makes it
talk over a wire of ours. Two parties need two processes: all of CrypTen's state is global.

CrypTen's default provider deals every triple to party 0 in the clear and its generators are not
cryptographic. Its results are comparable with ours, its protection is not.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final, Literal, Protocol

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch.distributed import ReduceOp

from protocol.errors import DecodeError, InfrastructureError, LocalProtocolError
from protocol.tensors import Tensor

__all__ = ["Rank", "Wire", "WireCommunicator", "crypten_session", "load_crypten", "secret_matches"]

Rank = Literal[0, 1]

_OLD_NAME: Final = "torch.onnx._internal.registration"
_PARTIES: Final = 2


class Wire(Protocol):
    """A blocking, ordered link to the other party that carries byte strings whole."""

    def send(self, data: bytes, /) -> None:
        """Send one byte string."""

    def receive(self) -> bytes:
        """Return the next byte string of the peer."""


def load_crypten() -> ModuleType:
    """Import CrypTen, on a torch that moved the module it asks for.

    Raises:
        InfrastructureError: CrypTen is not installed.
    """
    try:
        from torch.onnx._internal.torchscript_exporter import registration

        sys.modules.setdefault(_OLD_NAME, registration)
        import crypten
    except ImportError as error:
        hint = "`make install` adds CrypTen 0.4.1, which pip cannot install with its requirements"
        raise InfrastructureError(f"CrypTen cannot be imported: {error}", hint=hint) from error
    return crypten  # type: ignore[no-any-return]


class _Done:
    """A transfer that is already complete."""

    def wait(self) -> None:
        """Return at once."""


class WireCommunicator:
    """The part of CrypTen's communicator that two parties use, over a `Wire`.

    Tensors travel as dtype, shape and raw bytes. Objects do not travel at all: CrypTen would
    pickle them.

    Attributes:
        sent_bytes: bytes handed to the wire so far.
        sent_messages: byte strings handed to the wire so far.
    """

    def __init__(self, rank: Rank, wire: Wire) -> None:
        self.sent_bytes = 0
        self.sent_messages = 0
        self._rank = rank
        self._wire = wire

    def get_rank(self) -> int:
        """Return this party's number."""
        return self._rank

    def get_world_size(self) -> int:
        """Return how many parties there are."""
        return _PARTIES

    def isend(self, tensor: torch.Tensor, dst: int) -> _Done:
        """Send a tensor to the other party."""
        self._expect_peer(dst)
        self._send([tensor])
        return _Done()

    def irecv(self, tensor: torch.Tensor, src: int | None = None) -> _Done:
        """Receive a tensor of the same shape into `tensor`."""
        self._expect_peer(src)
        tensor.copy_(self._receive([tensor])[0])
        return _Done()

    def broadcast(self, tensor: torch.Tensor, src: int) -> torch.Tensor:
        """Return party `src`'s tensor to both."""
        if src == self._rank:
            self._send([tensor])
        else:
            tensor.copy_(self._receive([tensor])[0])
        return tensor

    def scatter(
        self, scatter_list: Sequence[torch.Tensor], src: int, size: torch.Size | None = None
    ) -> torch.Tensor:
        """Return this party's element of party `src`'s list."""
        own = scatter_list[self._rank]
        if src == self._rank:
            self._send([scatter_list[1 - self._rank]])
            return own
        return self._receive([torch.empty(size, dtype=own.dtype) if size else own])[0]

    def gather(self, tensor: torch.Tensor, dst: int) -> list[torch.Tensor] | list[None]:
        """Return both parties' tensors to party `dst`, in order of rank."""
        if dst != self._rank:
            self._send([tensor])
            return [None]
        peer = self._receive([tensor])[0]
        return [tensor, peer] if self._rank == 0 else [peer, tensor]

    def all_reduce(self, tensors: Any, op: Any = ReduceOp.SUM, batched: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - CrypTen's signature
        """Return to both the element-wise sum or XOR of a tensor, or of each tensor of a list."""
        own: list[torch.Tensor] = tensors if batched else [tensors]
        # One side speaks first, so that large messages never fill both directions at once.
        if self._rank == 0:
            self._send(own)
        theirs = self._receive(own)
        if self._rank == 1:
            self._send(own)
        return _combine(own, theirs, op) if batched else _combine(own, theirs, op)[0]

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
            self._send(own)
            return None
        theirs = self._receive(own)
        return _combine(own, theirs, op) if batched else _combine(own, theirs, op)[0]

    def _expect_peer(self, rank: int | None) -> None:
        if rank != 1 - self._rank:
            raise LocalProtocolError(f"party {self._rank} has no link to party {rank}")

    def _send(self, tensors: Sequence[torch.Tensor]) -> None:
        frame = msgspec.msgpack.encode([_pack(tensor) for tensor in tensors])
        self.sent_bytes += len(frame)
        self.sent_messages += 1
        self._wire.send(frame)

    def _receive(self, like: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        try:
            packed = msgspec.msgpack.decode(self._wire.receive(), type=list[Tensor])
        except msgspec.MsgspecError as error:
            raise DecodeError("the peer's bytes are not a list of tensors") from error
        arrays = [tensor.array() for tensor in packed]
        # Sizes, not shapes: CrypTen itself answers a scalar with a one-element vector.
        if [array.size for array in arrays] != [tensor.numel() for tensor in like]:
            raise DecodeError("the peer's tensors do not have the sizes expected here")
        return [_unpack(array, own.shape) for array, own in zip(arrays, like, strict=True)]


def _pack(tensor: torch.Tensor) -> Tensor:
    """Wrap a 64-bit ring tensor; the wire knows only the unsigned form."""
    return Tensor.of(tensor.detach().contiguous().numpy().view(np.uint64))


def _unpack(array: npt.NDArray[Any], shape: torch.Size) -> torch.Tensor:
    if array.dtype != np.uint64:
        raise DecodeError("the peer's tensor does not hold 64-bit ring elements")
    return torch.from_numpy(array.view(np.int64).copy()).reshape(shape)


def _combine(
    own: Sequence[torch.Tensor],
    theirs: Sequence[torch.Tensor],
    op: Any,  # noqa: ANN401 - torch leaves ReduceOp untyped
) -> list[torch.Tensor]:
    if op == ReduceOp.SUM:
        return [mine + other for mine, other in zip(own, theirs, strict=True)]
    if op == ReduceOp.BXOR:
        return [mine ^ other for mine, other in zip(own, theirs, strict=True)]
    raise LocalProtocolError("only sums and XORs are reduced between parties")


@contextmanager
def crypten_session(rank: Rank, wire: Wire) -> Iterator[WireCommunicator]:
    """Let CrypTen compute with the peer at the other end of the wire.

    Both parties must enter at about the same time: they exchange the seeds of CrypTen's own
    zero sharings. One session per process at a time, since CrypTen's state is global.

    Raises:
        LocalProtocolError: a session is already open in this process.
    """
    crypten = load_crypten()
    directory = crypten.communicator
    if getattr(directory.get, "belongs_to_session", False):
        raise LocalProtocolError("CrypTen already has a session in this process")
    communicator = WireCommunicator(rank, wire)

    def get() -> WireCommunicator:
        return communicator

    get.belongs_to_session = True  # type: ignore[attr-defined]
    before, directory.get = directory.get, get
    try:
        crypten._setup_prng()  # noqa: SLF001 - `crypten.init` insists on torch.distributed
        yield communicator
    finally:
        directory.get = before


def secret_matches(
    wire: Wire,
    *,
    rank: Rank,
    own: npt.NDArray[np.int64],
    peer_rows: int,
    threshold: int,
) -> npt.NDArray[np.bool_]:
    """Compare secret probes (party 0) with a secret gallery (party 1) using CrypTen alone.

    Who learns what: both learn the match bits and each other's row count; no score is opened.
    Rounds and bytes are CrypTen's: it opens O(N·D) masked values per probe batch.

    Args:
        wire: link to the other party.
        rank: 0 for the holder of probes, 1 for the holder of the gallery.
        own: integer rows [rows,D] of this party, exact in a 64-bit ring.
        peer_rows: how many rows the other party holds.
        threshold: smallest inner product that is a match.

    Returns:
        Match bits [probes,entries], the same at both parties.
    """
    empty = torch.zeros((peer_rows, own.shape[1]), dtype=torch.int64)
    mine = torch.from_numpy(own.astype(np.int64))
    with crypten_session(rank, wire):
        crypten = load_crypten()
        # precision 0 keeps integers as they are: no fixed point, hence no rounding.
        probes = crypten.cryptensor(mine if rank == 0 else empty, src=0, precision=0)
        rows = crypten.cryptensor(mine if rank == 1 else empty, src=1, precision=0)
        bits = (probes.matmul(rows.t()) - threshold + 1).gt(0).get_plain_text()
        return bits.numpy().astype(np.bool_)  # type: ignore[no-any-return]
