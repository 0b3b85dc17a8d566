"""Blocking code as a coroutine: CrypTen calls and waits, a role program awaits.

The blocking code gets a thread of its own and a wire. Baton: at any time either the thread runs or
the coroutine does, never both, so the process keeps one thread of control and a seeded scheduler
stays deterministic. What goes over the wire is awaited by the coroutine.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["Arrays", "Exchange", "Wire", "drive"]

T = TypeVar("T")
Arrays: TypeAlias = tuple[npt.NDArray[Any], ...]
Scope: TypeAlias = Callable[[], AbstractContextManager[None]]


class Exchange(Protocol):
    """How one rank awaits arrays to and from the others; ordered per pair of ranks.

    Attributes:
        session: what the arrays are for.
    """

    session: str

    async def send(self, peer: int, arrays: Arrays) -> None:
        """Send arrays to a rank; they may change once this returns."""
        ...

    async def receive(self, peer: int) -> Arrays:
        """Wait for the next arrays of a rank."""
        ...


class _Send(NamedTuple):
    peer: int
    arrays: Arrays


class _Receive(NamedTuple):
    peer: int


class _Returned(NamedTuple, Generic[T]):
    value: T


class _Raised(NamedTuple):
    error: BaseException


class _Abandoned(BaseException):
    """Unwinds blocking code whose coroutine has ended; no `except Exception` holds it up."""


class _Baton:
    """What the thread asks for and what it is answered; whoever waits has handed the baton over."""

    def __init__(self) -> None:
        self.asked: SimpleQueue[Any] = SimpleQueue()
        self.answers: SimpleQueue[Arrays | _Abandoned] = SimpleQueue()
        self._abandoned = False

    def ask(self, request: _Send | _Receive) -> Arrays:
        # Code that goes on after it was abandoned is told so again.
        if self._abandoned:
            raise _Abandoned
        self.asked.put(request)
        return self.wait()

    def wait(self) -> Arrays:
        answer = self.answers.get()
        if isinstance(answer, _Abandoned):
            self._abandoned = True
            raise answer
        return answer


class Wire:
    """What blocking code speaks through."""

    def __init__(self, baton: _Baton) -> None:
        self._baton = baton

    def send(self, peer: int, *arrays: npt.NDArray[np.unsignedinteger[Any]]) -> None:
        """Send arrays to a rank."""
        self._baton.ask(_Send(peer, arrays))

    def receive(self, peer: int) -> Arrays:
        """Return the next arrays of a rank."""
        return self._baton.ask(_Receive(peer))


class _Worker(Generic[T]):
    """The thread of one blocking call, from the coroutine's side."""

    def __init__(self, function: Callable[[Wire], T], scope: Scope) -> None:
        self._baton = _Baton()
        self._scope = scope
        self._function = function
        run = partial(copy_context().run, self._run)
        self._thread = Thread(target=run, name="blocking code", daemon=True)
        self._thread.start()

    def resume(self, answer: Arrays = ()) -> _Send | _Receive | _Returned[T] | _Raised:
        """Let the thread run until it wants something or ends."""
        with self._scope():
            self._baton.answers.put(answer)
            try:
                return self._baton.asked.get()  # type: ignore[no-any-return]
            except BaseException:  # an interrupt while the thread computes
                self._abandon()
                raise

    def end(self) -> None:
        """Unwind the thread if it has not ended, and wait until it has."""
        if self._thread.is_alive():
            with self._scope():
                self._abandon()

    def _abandon(self) -> None:
        self._baton.answers.put(_Abandoned())
        self._thread.join()

    def _run(self) -> None:
        outcome: _Returned[T] | _Raised
        try:
            self._baton.wait()
            outcome = _Returned(self._function(Wire(self._baton)))
        except BaseException as error:  # noqa: BLE001 - it is raised again in the coroutine
            outcome = _Raised(error)
        self._baton.asked.put(outcome)


async def drive(function: Callable[[Wire], T], exchange: Exchange, scope: Scope = nullcontext) -> T:
    """Run a blocking function to its end and return its result.

    An error of the function is raised here. An error of the exchange, a cancellation or the
    closing of this coroutine unwinds the function, whatever it catches, before it goes on; no
    thread is left.

    Args:
        function: called in a thread of its own with the wire.
        exchange: awaited for everything the function sends and receives.
        scope: entered around every stretch the function runs.
    """
    worker = _Worker(function, scope)
    try:
        asked: Any = worker.resume()
        while True:
            match asked:
                case _Send(peer, arrays):
                    await exchange.send(peer, arrays)
                    asked = worker.resume()
                case _Receive(peer):
                    asked = worker.resume(await exchange.receive(peer))
                case _Returned():
                    result: T = asked.value
                    return result
                case _Raised(error):
                    raise error
    finally:
        worker.end()
