"""Blocking code runs as a coroutine: one side at a time, errors cross, no thread is left."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import pytest
from crypten_ranks import LinkEnd, Links, Nothing, together

from protocol.errors import DecodeError
from protocol.search.crypten.blocking import Arrays, Wire, drive


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


class Broken(LinkEnd):
    """Fails when awaited."""

    async def receive(self, peer: int) -> Arrays:  # noqa: ARG002 - an exchange
        await Nothing()
        raise DecodeError("not a frame")


class Silent(LinkEnd):
    """Never answers."""

    async def receive(self, peer: int) -> Arrays:  # noqa: ARG002 - an exchange
        while True:
            await Nothing()


def numbers(*values: int) -> np.ndarray:
    return np.array(values, np.uint64)


def doubled_sum(wire: Wire, rank: int, rounds: int) -> int:
    """Both ranks send first and wait then, so only awaits in between let them finish."""
    total = rank + 1
    for _ in range(rounds):
        wire.send(1 - rank, numbers(total), numbers(total))
        total += sum(int(array[0]) for array in wire.receive(1 - rank))
    return total


@pytest.mark.parametrize("seed", range(3))
def test_two_blocking_functions_talk_in_one_thread_of_control(seed: int) -> None:
    links = Links()
    results = together(
        drive(lambda wire: doubled_sum(wire, 0, 5), links.end(0)),
        drive(lambda wire: doubled_sum(wire, 1, 5), links.end(1)),
        seed=seed,
    )
    expected = [1, 2]
    for _ in range(5):
        expected = [expected[0] + 2 * expected[1], expected[1] + 2 * expected[0]]
    assert results == expected
    assert len(links.sent[0]) == 5


def test_only_one_side_runs_at_a_time_and_inside_its_scope() -> None:
    inside: list[str] = []
    overlaps: list[int] = []

    def scope(name: str) -> Callable[[], AbstractContextManager[None]]:
        @contextmanager
        def entered() -> Iterator[None]:
            assert not inside
            inside.append(name)
            yield
            inside.remove(name)

        return entered

    def chatter(name: str, rank: int) -> Callable[[Wire], None]:
        def run(wire: Wire) -> None:
            for number in range(20):
                overlaps.append(len(inside) - 1)
                assert inside == [name]
                wire.send(1 - rank, numbers(number))
                assert wire.receive(1 - rank)[0] == number

        return run

    links = Links()
    together(
        drive(chatter("a", 0), links.end(0), scope("a")),
        drive(chatter("b", 1), links.end(1), scope("b")),
    )
    assert overlaps == [0] * 40


def test_an_error_of_the_function_is_raised_by_the_coroutine() -> None:
    def fails(wire: Wire) -> None:
        wire.send(1, numbers(1))
        raise DecodeError("no size")

    with pytest.raises(DecodeError, match="no size"):
        together(drive(fails, Links().end(0)))


def test_an_error_of_the_exchange_unwinds_code_that_catches_errors() -> None:
    seen: list[str] = []

    def stubborn(wire: Wire) -> str:
        for attempt in ("first", "second"):
            try:
                wire.receive(1)
            except Exception:  # noqa: BLE001
                seen.append(f"{attempt} caught")
            finally:
                seen.append(f"{attempt} left")
        return "went on"

    with pytest.raises(DecodeError, match="not a frame"):
        together(drive(stubborn, Broken(Links(), 0)))
    assert seen == ["first left"]


def test_code_that_goes_on_after_it_was_abandoned_is_told_again() -> None:
    seen: list[str] = []

    def deaf(wire: Wire) -> None:
        for _ in range(2):
            try:
                wire.receive(1)
            except BaseException as error:  # noqa: BLE001
                seen.append(type(error).__name__)

    step = drive(deaf, Silent(Links(), 0))
    step.send(None)
    step.close()
    assert seen == ["_Abandoned", "_Abandoned"]


def test_closing_the_coroutine_ends_the_thread() -> None:
    cleaned = threading.Event()

    def waits(wire: Wire) -> None:
        try:
            wire.receive(1)
        finally:
            cleaned.set()

    step = drive(waits, Silent(Links(), 0))
    step.send(None)
    step.send(None)
    assert threading.active_count() > 1
    step.close()
    assert cleaned.is_set()


def test_cancelling_a_task_ends_the_thread() -> None:
    class Never(LinkEnd):
        async def receive(self, peer: int) -> Arrays:  # noqa: ARG002 - an exchange
            await asyncio.sleep(60)
            return ()

    async def cancelled() -> None:
        task = asyncio.create_task(drive(lambda wire: wire.receive(1), Never(Links(), 0)))
        await asyncio.sleep(0)
        assert threading.active_count() > 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())


def test_a_coroutine_that_never_starts_has_no_thread() -> None:
    before = threading.active_count()
    step = drive(lambda _: None, Links().end(0))
    assert threading.active_count() == before
    step.close()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt; a background job inherits that it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_while_the_function_computes_ends_it() -> None:
    unwound = threading.Event()

    def computes(wire: Wire) -> None:
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)
        time.sleep(0.05)
        try:
            wire.send(1, numbers(1))
        except BaseException:
            unwound.set()
            raise

    with pytest.raises(KeyboardInterrupt):
        together(drive(computes, Links().end(0)))
    assert unwound.is_set()
