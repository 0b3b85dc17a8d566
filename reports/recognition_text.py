"""Recognition results as lines of a terminal table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports.comparison import Difference
from reports.intervals import Estimate
from reports.metrics import PersonMean, Proportion
from reports.recognition import PairResult, PeopleResult

__all__ = ["difference_lines", "points_text", "rate_text", "recognition_lines"]

WIDTH = 44


def recognition_lines(
    notes: Sequence[str], pairs: Sequence[PairResult], people: PeopleResult | None
) -> list[str]:
    """Return the lines: what the network saw, then one line per measure, in per cent."""
    lines = [*notes, ""]
    for found in pairs:
        lines += _pair_lines(found)
    if people is not None:
        lines += _people_lines(people)
    return lines


def rate_text(rate: Proportion | PersonMean | None) -> str:
    """Return `97.8 (97.1 to 98.4)`: per cent and the 95 % interval."""
    if rate is None or rate.value is None:
        return "not measured"
    if rate.low is None or rate.high is None:
        return f"{100 * rate.value:.2f}"
    return f"{100 * rate.value:.2f} ({100 * rate.low:.2f} to {100 * rate.high:.2f})"


def _pair_lines(found: PairResult) -> Iterator[str]:
    accuracy = found.accuracy
    spread = f"{100 * accuracy.mean:.2f} ± {100 * accuracy.std:.2f} over folds"
    yield _line(found.name, f"{rate_text(found.pooled)}, {spread}, {found.pairs:,} pairs")
    if found.tar is not None:
        yield _line("  TAR at FAR 1e-3 in this list", rate_text(found.tar.tar))
    if found.shared_people:
        yield f"  {found.shared_people} people of this list were adapted on: optimistic"


def _people_lines(people: PeopleResult) -> Iterator[str]:
    yield _line("people, pictures", f"{people.people:,}, {people.pictures:,}")
    for pairs in people.all_pairs:
        name = f"TAR at all-pairs FAR {pairs.rate.far_target:g}"
        yield _line(name, rate_text(pairs.rate.tar))
        yield _line("  mean over people", rate_text(pairs.per_person))
    if people.closed_set is not None:
        closed = people.closed_set
        yield _line(f"rank-1, {closed.gallery:,} enrolled", rate_text(closed.rank_1))
        yield _line("rank-1, mean over people", rate_text(closed.rank_1_per_person))
        yield _line("rank-5", rate_text(closed.rank_5))
    if people.open_set is not None:
        opened = people.open_set
        for rate in opened.rates:
            name = f"TPIR at FPIR {100 * rate.fpir_target:g} %, {opened.gallery:,} enrolled"
            open_end = "" if rate.bounded else f", low end open: {opened.unmated:,} strangers"
            yield _line(name, rate_text(rate.tpir) + open_end)
            yield _line("  mean over people", rate_text(rate.tpir_per_person) + open_end)


def difference_lines(one: str, other: str, found: Sequence[Difference]) -> list[str]:
    """Return one line per difference of two networks, in points with the paired interval."""
    lines = ["", f"{one} minus {other}, points, on the same pictures"]
    for line in found:
        lines.append(_line(line.measure, points_text(line.difference)))
        if line.per_person is not None:
            lines.append(_line("  mean over people", points_text(line.per_person)))
    return lines


def points_text(found: Estimate) -> str:
    """Return `-2.02 (-2.80 to -1.37)`: points of per cent and the 95 % interval."""
    if found.low is None or found.high is None:
        return f"{100 * found.value:+.2f}"
    return f"{100 * found.value:+.2f} ({100 * found.low:+.2f} to {100 * found.high:+.2f})"


def _line(name: str, value: str) -> str:
    return f"{name:<{WIDTH}}{value}"
