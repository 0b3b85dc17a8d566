"""The data-flow diagram of a run: parties in trust boundaries, and what went from whom to whom.

The drawing carries its own style, with colours as custom properties, so that it can stand alone
and still follows a page's light or dark theme.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Final, NamedTuple

from protocol.flows import Form, Policy
from protocol.parties import Party
from reports.records import Event
from reports.sequence_svg import COLOURS, FORMS
from reports.wording import counted, party_name, size

__all__ = ["dataflow_svg"]

WIDTH: Final = 980
HEIGHT: Final = 600
LEGEND_HEIGHT: Final = 78
RADIUS_X: Final = 365
RADIUS_Y: Final = 235
BOX_WIDTH: Final = 150
BOX_HEIGHT: Final = 46
BOUNDARY: Final = 13
APART: Final = 15
LINE: Final = 14
# Where on its way a label stands: nearer to its sender, so that the labels of a pair do not meet;
# nearer still on upright and level lines, which cross in the middle.
LABEL_AT: Final = 0.4
LABEL_AT_CROSSING: Final = 0.21
_OPENNESS: Final[tuple[Form, ...]] = ("plain", "protected", "output", "masked", "share", "control")
_STYLE: Final = """
.df{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
 color:var(--ink,#1c2330)}
.df text{fill:currentColor}.df .dim{fill:var(--dim,#5d6675);font-size:11px}
.df .name{font-weight:600;font-size:14px}.df .label{font-size:11.5px;font-weight:600;
 paint-order:stroke;stroke:var(--raised,#fff);stroke-width:5px;stroke-linejoin:round}
.df .party{fill:var(--page,#f6f7f9);stroke:var(--line-strong,#9aa5b5)}
.df .edge{fill:none;stroke:var(--accent,#24508f);stroke-width:1.4;stroke-dasharray:7 4}
"""


class _Point(NamedTuple):
    x: float
    y: float

    def moved(self, way: _Point, by: float) -> _Point:
        return _Point(self.x + by * way.x, self.y + by * way.y)


class _Link(NamedTuple):
    """One direction between two parties, drawn beside the line between their middles."""

    start: _Point
    end: _Point
    along: _Point
    aside: _Point


def dataflow_svg(events: Sequence[Event], policy: Policy) -> str:
    """Return the diagram: per direction the forms sent and their payload bytes.

    An arrow's colour is that of the most open form that it carried. Every party is a trust
    boundary of its own.
    """
    places = dict(zip(policy.parties, _circle(len(policy.parties)), strict=True))
    links: dict[tuple[Party, Party], list[Event]] = {}
    for event in events:
        if event.event == "sent":
            links.setdefault((event.sender, event.receiver), []).append(event)
    lines = {ends: _link(places[ends[0]], places[ends[1]]) for ends in links}
    parts = [part for ends, sent in links.items() for part in _arrow(lines[ends], ends, sent)]
    parts += [part for ends, sent in links.items() for part in _label(lines[ends], sent)]
    parts += [part for party, place in places.items() for part in _box(party, place, links)]
    head = (
        f'<svg class="df" xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="0 0 {WIDTH} {HEIGHT + LEGEND_HEIGHT}" role="img" '
        f'aria-label="Who sent what to whom, across trust boundaries"><style>{_STYLE}</style>'
    )
    return "\n".join([head, *parts, *_legend(), "</svg>"]) + "\n"


def _circle(count: int) -> Iterator[_Point]:
    """Yield places on an ellipse, clockwise from the left."""
    for index in range(count):
        angle = 2 * math.pi * index / count - math.pi
        yield _Point(
            WIDTH / 2 + RADIUS_X * math.cos(angle), HEIGHT / 2 + RADIUS_Y * math.sin(angle)
        )


def _link(start: _Point, end: _Point) -> _Link:
    length = math.dist(start, end)
    along = _Point((end.x - start.x) / length, (end.y - start.y) / length)
    aside = _Point(along.y, -along.x)
    return _Link(
        _boundary(start, along, aside), _boundary(end, _Point(-along.x, -along.y), aside), along,
        aside,
    )  # fmt: skip


def _boundary(centre: _Point, along: _Point, aside: _Point) -> _Point:
    """Return where a line beside a party's middle crosses its trust boundary."""
    shift = _Point(aside.x * APART, aside.y * APART)
    reach = 3 + min(
        _way_out(BOX_WIDTH / 2 + BOUNDARY, along.x, shift.x),
        _way_out(BOX_HEIGHT / 2 + BOUNDARY, along.y, shift.y),
    )
    return _Point(centre.x + shift.x, centre.y + shift.y).moved(along, reach)


def _way_out(half: float, along: float, shift: float) -> float:
    """Return how far one coordinate lets a line go until it leaves the box."""
    return (half - math.copysign(shift, shift * along)) / max(abs(along), 1e-9)


def _arrow(link: _Link, ends: tuple[Party, Party], sent: Sequence[Event]) -> Iterator[str]:
    form = min((event.form for event in sent), key=_OPENNESS.index)
    tip = link.end.moved(link.along, -9)
    corners = (link.end, tip.moved(link.aside, 4.5), tip.moved(link.aside, -4.5))
    points = " ".join(f"{p.x:.1f},{p.y:.1f}" for p in corners)
    kinds = sorted({f"{event.kind} ({event.form})" for event in sent})
    title = "\n".join([f"{party_name(ends[0])} to {party_name(ends[1])}", *kinds])
    yield (
        f'<g><title>{escape(title)}</title><path d="M{link.start.x:.1f} {link.start.y:.1f}'
        f'L{tip.x:.1f} {tip.y:.1f}" stroke="{_colour(form)}" stroke-width="1.8" fill="none"/>'
        f'<polygon points="{points}" fill="{_colour(form)}"/></g>'
    )


def _label(link: _Link, sent: Sequence[Event]) -> Iterator[str]:
    """Yield one line per form that went this way, the most open first."""
    forms: dict[Form, list[Event]] = {}
    for event in sent:
        forms.setdefault(event.form, []).append(event)
    texts = [(form, _told(form, forms[form])) for form in sorted(forms, key=_OPENNESS.index)]
    length = math.dist(link.start, link.end)
    slanted = min(abs(link.aside.x), abs(link.aside.y)) > 0.3
    at = LABEL_AT if slanted else LABEL_AT_CROSSING
    place = link.start.moved(link.along, at * length).moved(link.aside, 7)
    anchor = "start" if link.aside.x > 0.3 else "end" if link.aside.x < -0.3 else "middle"
    rise = len(texts) * LINE / 2 * (link.aside.y - 1) + LINE - 4
    for number, (form, text) in enumerate(texts):
        yield (
            f'<text class="label" x="{place.x:.1f}" y="{place.y + rise + number * LINE:.1f}" '
            f'text-anchor="{anchor}" style="fill:{_colour(form)}">{escape(text)}</text>'
        )


def _told(form: Form, sent: Sequence[Event]) -> str:
    payload = sum(event.payload_bytes for event in sent)
    return f"{form}: {size(payload) if payload else counted(len(sent), 'message')}"


def _box(
    party: Party, place: _Point, links: Mapping[tuple[Party, Party], Sequence[Event]]
) -> Iterator[str]:
    for css, margin, radius in (("edge", BOUNDARY, 14), ("party", 0, 8)):
        yield _rect(css, place, BOX_WIDTH + 2 * margin, BOX_HEIGHT + 2 * margin, radius)
    sent, received = (
        sum(e.payload_bytes for ends, sent in links.items() if ends[end] == party for e in sent)
        for end in (0, 1)
    )
    yield _text(place.x, place.y - 3, party_name(party), "name", "middle")
    yield _text(place.x, place.y + 14, f"out {size(sent)}, in {size(received)}", "dim", "middle")


def _legend() -> Iterator[str]:
    top = HEIGHT + 16
    for index, (form, meaning) in enumerate(FORMS.items()):
        x, y = 24 + 240 * (index % 3), top + 24 * (index // 3)
        yield f'<path d="M{x} {y}h34" stroke="{_colour(form)}" stroke-width="2.4"/>'
        yield _text(x + 44, y + 4, meaning, "")
    yield _rect("edge", _Point(777, top + 12), 40, 24, 6)
    yield _text(808, top + 16, "trust boundary", "")
    text = "An arrow has the colour of the most open form it carries; bytes are payload, whole run."
    yield _text(24, top + 50, text, "dim")


def _rect(css: str, centre: _Point, width: float, height: float, radius: float) -> str:
    x, y = centre.x - width / 2, centre.y - height / 2
    return (
        f'<rect class="{css}" x="{x:.1f}" y="{y:.1f}" width="{width}" height="{height}" '
        f'rx="{radius}"/>'
    )


def _text(x: float, y: float, text: str, css: str, anchor: str = "start") -> str:
    return (
        f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _colour(form: Form) -> str:
    return f"var(--{form},{COLOURS[form]})"
