"""Taking turns: a contender runs one search when it is told to, and nothing in between.

In memory all parties of a contender live in one thread, so holding the client holds them all. On
Ray the client awaits an actor that the driver tells when to go on; its peers wait for the client.
Servers make the material of a search only when the client holds the answer of the one before it:
on machines of their own they would not hold it up, on shared cores they would.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from queue import Empty, SimpleQueue
from threading import Event, Semaphore
from typing import Any, Final, Protocol

__all__ = ["AbandonedError", "Pause", "RayPause", "RayTurns", "ThreadTurns", "Turns", "turn_actor"]

ACTOR_NAME: Final = "turns"
NAMESPACE: Final = "bauta-bench"
GO: Final = b"go"
STOP: Final = b"stop"


class AbandonedError(Exception):
    """The benchmark ended before this contender did."""


class Pause(Protocol):
    """Where a contender's parties wait: its client for turns, its servers for its client."""

    async def wait(self) -> None:
        """Wait until the driver says go.

        Raises:
            AbandonedError: there will be no next turn.
        """
        ...

    def ended(self) -> None:
        """Note that the client holds the answer of a search."""
        ...

    async def rest(self, searches: int) -> None:
        """Wait until the client holds the answers of so many searches."""
        ...


class Turns(Protocol):
    """The driver's side: it lets a contender go on and waits until it has stopped again."""

    def go(self) -> None:
        """Give the contender a turn."""
        ...

    def over(self, timeout_s: float) -> bool:
        """Return whether the turn ended, or the whole run did, within some seconds."""
        ...

    def end(self) -> None:
        """Called when the contender's run has ended, well or not: no turn will end otherwise."""
        ...

    def abandon(self) -> None:
        """Let the contender's run end at its next pause."""
        ...


class ThreadTurns:
    """Turns of a contender in another thread; both the driver's side and the client's."""

    def __init__(self) -> None:
        self._go = Semaphore(0)
        self._over: SimpleQueue[None] = SimpleQueue()
        self._abandoned = False
        self._ended = 0

    async def wait(self) -> None:
        """Hand the turn back to the driver and block the whole thread until the next one."""
        self._over.put(None)
        self._go.acquire()
        if self._abandoned:
            raise AbandonedError

    def ended(self) -> None:
        """Note that the client holds the answer of a search."""
        self._ended += 1

    async def rest(self, searches: int) -> None:
        """Let the other parties run until the client holds the answers of so many searches."""
        while self._ended < searches:
            await _Others()

    def go(self) -> None:
        """Give the contender a turn."""
        self._go.release()

    def over(self, timeout_s: float) -> bool:
        """Return whether the turn ended."""
        try:
            self._over.get(timeout=timeout_s)
        except Empty:
            return False
        return True

    def end(self) -> None:
        """Hand the turn back for good."""
        self._over.put(None)

    def abandon(self) -> None:
        """Let the thread end at its next pause."""
        self._abandoned = True
        self._go.release()


class _Others:
    """Lets the other parties of the memory runtime run."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class TurnActor:
    """Holds the clients of contenders on Ray, by run; bytes in, bytes out."""

    def __init__(self) -> None:
        self._arrived: dict[bytes, asyncio.Event] = {}
        self._told: dict[bytes, asyncio.Queue[bytes]] = {}
        self._ended: dict[bytes, int] = {}
        self._changed = asyncio.Condition()

    async def pause(self, run: bytes) -> bytes:
        """Called by a client: say that it waits, and wait to be told what to do."""
        self._arrival(run).set()
        return await self._orders(run).get()

    async def ended(self, run: bytes) -> bytes:
        """Called by a client: count a search whose answer it holds."""
        async with self._changed:
            self._ended[run] = self._ended.get(run, 0) + 1
            self._changed.notify_all()
        return b""

    async def rest(self, run: bytes, searches: bytes) -> bytes:
        """Called by a server: wait until the client of a run holds so many answers."""
        wanted = int(searches)
        async with self._changed:
            await self._changed.wait_for(lambda: self._ended.get(run, 0) >= wanted)
        return b""

    async def arrival(self, run: bytes) -> bytes:
        """Called by the driver: wait until the client of a run waits."""
        await self._arrival(run).wait()
        return b""

    async def tell(self, run: bytes, order: bytes) -> bytes:
        """Called by the driver: let the client of a run go on, or give up."""
        self._arrival(run).clear()
        self._orders(run).put_nowait(order)
        return b""

    def _arrival(self, run: bytes) -> asyncio.Event:
        return self._arrived.setdefault(run, asyncio.Event())

    def _orders(self, run: bytes) -> asyncio.Queue[bytes]:
        return self._told.setdefault(run, asyncio.Queue())


class RayPause:
    """A party's end of the turn actor; made in the party's own actor."""

    def __init__(self, run: str) -> None:
        import ray

        self._run = run.encode()
        self._actor: Any = ray.get_actor(ACTOR_NAME, namespace=NAMESPACE)

    async def wait(self) -> None:
        """Wait until the driver says go; frames of peers are taken meanwhile."""
        if await self._actor.pause.remote(self._run) == STOP:
            raise AbandonedError

    def ended(self) -> None:
        """Tell the servers that the client holds the answer of a search."""
        self._actor.ended.remote(self._run)

    async def rest(self, searches: int) -> None:
        """Wait until the client holds the answers of so many searches."""
        if searches:
            await self._actor.rest.remote(self._run, str(searches).encode())


class RayTurns:
    """The driver's end of the turn actor for one run."""

    def __init__(self, actor: Any, run: str) -> None:  # noqa: ANN401 - Ray's handles have no type
        self._actor = actor
        self._run = run.encode()
        self._arrival: Any = None
        self._ended = Event()

    def go(self) -> None:
        """Give the contender a turn."""
        self._actor.tell.remote(self._run, GO)

    def over(self, timeout_s: float) -> bool:
        """Return whether the turn ended."""
        import ray

        if self._arrival is None:
            self._arrival = self._actor.arrival.remote(self._run)
        if ray.wait([self._arrival], timeout=timeout_s)[0]:
            self._arrival = None
            return True
        return self._ended.is_set()

    def end(self) -> None:
        """Note that no client of this run will wait any more."""
        self._ended.set()

    def abandon(self) -> None:
        """Let the client give up at its next pause."""
        self._actor.tell.remote(self._run, STOP)


def turn_actor() -> Any:  # noqa: ANN401 - Ray's handles have no type
    """Start the turn actor in the cluster this process is connected to."""
    import ray

    options = {"name": ACTOR_NAME, "namespace": NAMESPACE, "num_cpus": 0, "max_concurrency": 1000}
    return ray.remote(TurnActor).options(**options).remote()
