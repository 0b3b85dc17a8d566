"""Signals end a command in order, once, and never in the middle of a step that must not be cut."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from threading import Event, Timer

import pytest

from orchestration.stopping import Keeper, Stopped, stopping_on_signals


@pytest.fixture(autouse=True)
def _as_in_a_terminal() -> Iterator[None]:
    """Hear signals as in a terminal: background jobs and `nohup` inherit ignored ones."""
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGHUP, hangup)


def interrupted_after(seconds: float, number: int = signal.SIGINT) -> Timer:
    timer = Timer(seconds, os.kill, (os.getpid(), number))
    timer.start()
    return timer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_a_command_and_names_itself(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Stopped, match=number.name) as stopped, stopping_on_signals():
        signal.raise_signal(number)
    assert stopped.value.signal_number == number
    assert signal.getsignal(number) is before


def test_a_library_that_makes_ctrl_c_of_it_does_not_hide_the_signal() -> None:
    def library() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise KeyboardInterrupt from None

    with pytest.raises(Stopped, match="SIGTERM"), stopping_on_signals():
        library()


def test_an_ignored_hangup_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping_on_signals():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_step_ends_before_ctrl_c_is_heard() -> None:
    keeper, ended = Keeper(), Event()

    def slow() -> None:
        Event().wait(0.4)
        ended.set()

    timer = interrupted_after(0.05)
    with pytest.raises(KeyboardInterrupt):
        keeper.run(slow)
    assert ended.is_set()
    timer.join()
    keeper.run(ended.clear)
    assert not ended.is_set()
    keeper.close()


def test_a_second_ctrl_c_does_not_wait() -> None:
    keeper, hangs = Keeper(), Event()

    def hang() -> None:
        hangs.wait(30)

    timers = [interrupted_after(0.05), interrupted_after(0.3)]
    with pytest.raises(KeyboardInterrupt):
        keeper.run(hang)
    for timer in timers:
        timer.join()
    hangs.set()
    keeper.close()


def test_a_failing_step_fails_its_caller() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    keeper = Keeper()
    with pytest.raises(ZeroDivisionError):
        keeper.run(broken)
    keeper.close()
