"""Progress for people: a moving bar on a terminal, a line now and then anywhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import (
    BarColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as RichProgress

from orchestration.progress import OnProgress, Progress

__all__ = ["PlainView", "duration", "progress_view"]

QUIET_S = 10.0
MINUTE_S = 60.0


@contextmanager
def progress_view(console: Console) -> Iterator[OnProgress]:
    """Show progress reports while the block runs."""
    if console.is_terminal:
        with _live(console) as bars:
            view = _LiveView(bars)
            yield view.show
            view.fill()
    else:
        yield PlainView(console.print).show


def duration(seconds: float) -> str:
    """Return a duration as people say it: `41 s`, `3 min 05 s`."""
    minutes, rest = divmod(round(seconds), int(MINUTE_S))
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class _Estimate:
    """Knows since when the present stage runs, and how long it still may."""

    def __init__(self) -> None:
        self._stage = ""
        self._since = 0.0
        self._first = 0

    def entered(self, progress: Progress, now: float) -> bool:
        """Return whether this report begins a stage."""
        if progress.stage == self._stage:
            return False
        self._stage, self._since, self._first = progress.stage, now, progress.done
        return True

    def left(self, progress: Progress, now: float) -> str:
        """Return the time left as text; empty when it is not known."""
        seconds = progress.left_s
        done, open_ = progress.done - self._first, progress.total - progress.done
        if seconds is None and done > 0 and open_ > 0:
            seconds = (now - self._since) / done * open_
        return "" if seconds is None else f"{duration(seconds)} left"


class PlainView:
    """Prints a line at each new stage and then every ten seconds."""

    def __init__(self, echo: Callable[[str], None], clock: Callable[[], float] = monotonic) -> None:
        self._echo = echo
        self._clock = clock
        self._estimate = _Estimate()
        self._printed = 0.0

    def show(self, progress: Progress) -> None:
        """Take one report."""
        now = self._clock()
        if not self._estimate.entered(progress, now) and now - self._printed < QUIET_S:
            return
        self._printed = now
        parts = [part for part in (_count(progress), self._estimate.left(progress, now)) if part]
        self._echo(f"{progress.stage} {', '.join(parts)}".rstrip())


class _LiveView:
    """One bar per stage; a stage's bar is full when the next stage begins."""

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._estimate = _Estimate()
        self._task: TaskID | None = None

    def show(self, progress: Progress) -> None:
        """Take one report."""
        now = monotonic()
        if self._estimate.entered(progress, now) or self._task is None:
            self.fill()
            self._task = self._bars.add_task(progress.stage, total=None, count="", left="")
        self._bars.update(
            self._task,
            completed=progress.done,
            total=progress.total or None,
            count=_count(progress),
            left=self._estimate.left(progress, now),
        )

    def fill(self) -> None:
        """Show the present stage as finished."""
        if self._task is None:
            return
        total = self._bars.tasks[self._task].total
        count = f"{total:.0f}/{total:.0f}" if total else ""
        full = total or 1
        self._bars.update(self._task, total=full, completed=full, count=count, left="")


def _live(console: Console) -> RichProgress:
    return RichProgress(
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", style="cyan"),
        console=console,
    )


def _count(progress: Progress) -> str:
    if progress.total:
        return f"{progress.done}/{progress.total}"
    return progress.note or (str(progress.done) if progress.done else "")
