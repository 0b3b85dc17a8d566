"""The bytes between driver and actors: what an actor is told, what it reports, what it observed."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from orchestration.progress import Progress
from protocol import errors
from protocol.errors import BautaError, InfrastructureError, LocalProtocolError
from protocol.parties import Party

__all__ = [
    "DeadlineError",
    "Header",
    "PeerGoneError",
    "Report",
    "decode_array",
    "decode_header",
    "decode_progress",
    "decode_report",
    "encode",
    "encode_array",
    "report_of",
]

OUR_PACKAGES: Final = frozenset({"orchestration", "parties", "protocol", "scenarios"})


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What an actor is told about its run.

    Attributes:
        party: the role it hosts.
        run: run identifier, in every envelope.
        namespace: where its peers are found, under their parties' names.
        insecure: the scenario's shortcuts, for the flow policy.
        protocol: the search protocol, whose flow policy is enforced.
        receive_timeout_s: how long a program may wait for one message.
        builder: `module:function` that turns a brief into a role program.
        threads: threads this party's network may compute with.
        kernel_threads: threads its share of the search may compute with.
        digest_key: of the journal's digests; shared by the parties of a run, kept nowhere.
    """

    party: Party
    run: str
    namespace: str
    insecure: tuple[str, ...]
    protocol: str
    receive_timeout_s: float
    builder: str
    threads: int
    kernel_threads: int
    digest_key: bytes


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """How a call ended: `error` is empty, or the class of the failure with its public text.

    Attributes:
        error: class name in `protocol.errors`; empty when all went well.
        message: as in the error.
        where: as in the error, the party where the error had none.
        hint: as in the error.
        consequence: another party's failure brought this one about.
        stalled: a deadline passed; the driver asks who waits for whom.
    """

    error: str = ""
    message: str = ""
    where: str = ""
    hint: str = ""
    consequence: bool = False
    stalled: bool = False

    def exception(self) -> BautaError:
        """Return the failure as the exception it was."""
        kind = getattr(errors, self.error, InfrastructureError)
        exception: BautaError = kind(self.message, where=self.where, hint=self.hint)
        return exception


class PeerGoneError(InfrastructureError):
    """A frame could not be handed over: the peer's process is gone, which is the real failure."""


class DeadlineError(InfrastructureError):
    """A message did not come in time."""


def report_of(error: BaseException, party: Party) -> Report:
    """Describe a failure for the driver.

    Texts of our own errors are public by contract. Of any other exception only the class and the
    place are told, since its text may quote data.
    """
    if not isinstance(error, BautaError):
        error = LocalProtocolError(
            f"{type(error).__name__} {_place(error)}", where=party, hint="this is a bug"
        )
    return Report(
        error=_public_class(error),
        message=error.message,
        where=error.where or party,
        hint=error.hint,
        consequence=isinstance(error, PeerGoneError),
        stalled=isinstance(error, DeadlineError),
    )


def encode(value: Header | Report | Progress) -> bytes:
    """Return a header, report or progress as bytes."""
    return msgspec.msgpack.encode(value)


def decode_header(data: bytes) -> Header:
    """Return the header in `data`."""
    return msgspec.msgpack.decode(data, type=Header)


def decode_report(data: bytes) -> Report:
    """Return the report in `data`."""
    return msgspec.msgpack.decode(data, type=Report)


def decode_progress(data: bytes) -> Progress:
    """Return the progress in `data`."""
    return msgspec.msgpack.decode(data, type=Progress)


class _Array(msgspec.Struct, frozen=True):
    """An observed array: type code, shape and raw bytes."""

    dtype: str
    shape: tuple[int, ...]
    data: memoryview


def encode_array(array: npt.NDArray[Any]) -> bytes:
    """Return one observed array as bytes.

    Raises:
        LocalProtocolError: the array holds Python objects, which would need pickle.
    """
    if array.dtype.kind not in "biuf":
        raise LocalProtocolError(f"an observed array of {array.dtype} holds no plain numbers")
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return msgspec.msgpack.encode(_Array(array.dtype.str, array.shape, flat.data))


def decode_array(data: bytes) -> npt.NDArray[Any]:
    """Return the array of `encode_array`, as a read-only view of `data`."""
    told = msgspec.msgpack.decode(data, type=_Array)
    return np.frombuffer(told.data, dtype=np.dtype(told.dtype)).reshape(told.shape)


def _public_class(error: BautaError) -> str:
    """Return the most special class of `protocol.errors` that the error is of."""
    names = (kind.__name__ for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
    return next(names)


def _place(error: BaseException) -> str:
    """Return module and line of our code where the exception arose, without any value."""
    place = "outside of our code"
    trace = error.__traceback__
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] in OUR_PACKAGES:
            place = f"in {module}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return place
