"""The data-flow diagram of a run: parties, and an arrow per direction with what travelled on it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final, NamedTuple

from protocol.flows import Form, Policy
from protocol.parties import Party
from reports.records import Event
from reports.sequence_svg import COLOURS
from reports.wording import party_name, size

__all__ = ["dataflow_svg"]

WIDTH: Final = 980
HEIGHT: Final = 640
RADIUS_X: Final = 330
RADIUS_Y: Final = 225
BOX_WIDTH: Final = 150
BOX_HEIGHT: Final = 40
APART: Final = 13
_OPENNESS: Final[tuple[Form, ...]] = ("plain", "protected", "output", "masked", "share", "control")


class _Point(NamedTuple):
    x: float
    y: float


def dataflow_svg(events: Sequence[Event], policy: Policy) -> str:
    """Return the diagram; an arrow's colour is that of the most open form that it carried."""
    places = dict(zip(policy.parties, _circle(len(policy.parties)), strict=True))
    links: dict[tuple[Party, Party], list[Event]] = {}
    for event in events:
        if event.event == "sent":
            links.setdefault((event.sender, event.receiver), []).append(event)
    parts = [part for link, sent in links.items() for part in _arrow(link, sent, places)]
    parts += [part for party, place in places.items() for part in _box(party, place)]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="Who sent what to whom"><style>text{font:12px sans-serif;fill:#1a202c}'
        ".small{font-size:10.5px;fill:#4a5568;paint-order:stroke;stroke:#fff;stroke-width:3px}"
        "</style>"
    )
    return "\n".join([head, *parts, "</svg>"]) + "\n"


def _circle(count: int) -> Iterator[_Point]:
    for index in range(count):
        angle = 2 * math.pi * index / count - math.pi / 2
        yield _Point(
            WIDTH / 2 + RADIUS_X * math.cos(angle), HEIGHT / 2 + RADIUS_Y * math.sin(angle)
        )


def _arrow(
    link: tuple[Party, Party], sent: Sequence[Event], places: dict[Party, _Point]
) -> Iterator[str]:
    start, end = places[link[0]], places[link[1]]
    length = math.dist(start, end)
    along = _Point((end.x - start.x) / length, (end.y - start.y) / length)
    aside = _Point(-along.y * APART, along.x * APART)
    one, two = _edge(start, along, aside), _edge(end, _Point(-along.x, -along.y), aside)
    colour = COLOURS[min((event.form for event in sent), key=_OPENNESS.index)]
    tip = _Point(two.x - 9 * along.x, two.y - 9 * along.y)
    left = _Point(tip.x - 4.5 * along.y, tip.y + 4.5 * along.x)
    right = _Point(tip.x + 4.5 * along.y, tip.y - 4.5 * along.x)
    corners = " ".join(f"{p.x:.1f},{p.y:.1f}" for p in (two, left, right))
    kinds = sorted({f"{event.kind} ({event.form})" for event in sent})
    total = size(sum(event.payload_bytes for event in sent))
    yield (
        f'<g><title>{escape(chr(10).join(kinds))}</title><path d="M{one.x:.1f} {one.y:.1f}'
        f'L{tip.x:.1f} {tip.y:.1f}" stroke="{colour}" stroke-width="1.6" fill="none"/>'
        f'<polygon points="{corners}" fill="{colour}"/></g>'
    )
    label = _Point(one.x + 0.3 * (two.x - one.x), one.y + 0.3 * (two.y - one.y))
    names = sorted({event.kind for event in sent})
    text = [*names[:4], *([f"and {len(names) - 4} more"] if len(names) > 4 else []), total]
    for line, words in enumerate(text):
        yield _text(label.x, label.y + 12 * (line - len(text) / 2), words, "small")


def _edge(centre: _Point, along: _Point, aside: _Point) -> _Point:
    """Return where a line beside a box's middle leaves the box."""
    reach = 4 + min(
        _way_out(BOX_WIDTH / 2, along.x, aside.x), _way_out(BOX_HEIGHT / 2, along.y, aside.y)
    )
    return _Point(centre.x + along.x * reach + aside.x, centre.y + along.y * reach + aside.y)


def _way_out(half: float, along: float, aside: float) -> float:
    """Return how far one coordinate lets a line go until it passes the box."""
    return (half - math.copysign(aside, aside * along)) / max(abs(along), 1e-9)


def _box(party: Party, place: _Point) -> Iterator[str]:
    x, y = place.x - BOX_WIDTH / 2, place.y - BOX_HEIGHT / 2
    yield (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="8" '
        'fill="#edf2f7" stroke="#4a5568"/>'
    )
    yield _text(place.x, place.y + 4, party_name(party), "")


def _text(x: float, y: float, text: str, css: str) -> str:
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(text)}</text>'
