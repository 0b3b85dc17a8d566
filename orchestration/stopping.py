"""Stopping on request: what Ctrl-C, SIGTERM and SIGHUP do to a command.

All three raise an exception in the main thread, so that every `finally` runs: an aborted run says
why, its processes end and its temporary folder goes. Container runtimes, schedulers and `timeout`
send SIGTERM, a closed terminal SIGHUP; they are the same wish as Ctrl-C.

Some steps must not be cut in half (Ray's start: a half-made connection crashes the process when
it is shut down). A `Keeper` takes them in a thread of its own, where no handler of ours interrupts
them and a library cannot set handlers of its own, and lets them end first. A second signal does
not wait. The thread lives on between steps, because what it starts may be bound to its life: Ray's
processes are (`PR_SET_PDEATHSIG` speaks of the thread, not of the process).
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from queue import SimpleQueue
from threading import Event, Thread, current_thread, main_thread
from types import FrameType
from typing import Final, NoReturn

__all__ = ["Keeper", "Stopped", "meant", "stopping_on_signals"]

SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)
WAIT_S: Final = 0.2
"""Between looks at whether a step has ended: a signal is only handled between two of them."""

# Signals are the process's own, and so is this list of those that came.
_asked: Final[list[int]] = []


class Stopped(KeyboardInterrupt):
    """The process was asked to stop by a signal other than Ctrl-C.

    Attributes:
        signal_number: the signal; a shell expects exit code 128 more than that.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.signal_number = signal_number


@contextmanager
def stopping_on_signals() -> Iterator[None]:
    """Raise `Stopped` in the main thread when the process is asked to stop; for a whole command.

    Raises:
        Stopped: it was asked to.
    """
    if current_thread() is not main_thread():
        yield
        return
    _asked.clear()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        # `nohup` ignores SIGHUP for what it starts, and that is to stay so.
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, _stop)
    try:
        yield
    except KeyboardInterrupt as wish:
        raise meant(wish) from wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def meant(wish: KeyboardInterrupt) -> KeyboardInterrupt:
    """Return what was asked for: Ray turns whatever a handler raises while it waits into Ctrl-C."""
    return Stopped(_asked[-1]) if _asked and not isinstance(wish, Stopped) else wish


class Keeper:
    """Runs steps that are not to be cut in half, one after the other in one thread."""

    def __init__(self) -> None:
        self._steps: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        # Nobody waits for the thread at the end of the process: a step in it may hang.
        Thread(target=self._work, name="keeper", daemon=True).start()

    def run(self, step: Callable[[], None]) -> None:
        """Run a step to its end; if a signal came meanwhile, stop after it.

        Raises:
            KeyboardInterrupt: a signal came; the second one does not wait for the step.
        """
        ended, failed, context = Event(), list[BaseException](), copy_context()

        def work() -> None:
            try:
                context.run(step)
            except BaseException as error:  # noqa: BLE001 - raised again by the caller
                failed.append(error)
            finally:
                ended.set()

        self._steps.put(work)
        wish = _awaited(ended)
        if wish is not None:
            raise wish
        if failed:
            raise failed[0]

    def close(self) -> None:
        """Let the thread end after the steps so far."""
        self._steps.put(None)

    def _work(self) -> None:
        while (step := self._steps.get()) is not None:
            step()


def _awaited(ended: Event) -> KeyboardInterrupt | None:
    """Wait for an event; return the signal that came meanwhile, and raise a second one."""
    wish: KeyboardInterrupt | None = None
    while not ended.is_set():
        try:
            ended.wait(WAIT_S)
        except KeyboardInterrupt as asked:
            if wish is not None:
                raise
            wish = asked
    return wish


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    _asked.append(number)
    raise Stopped(number)
