"""The sequence diagram as SVG: parties as lifelines, folds as frames, forms as colour and dash.

The drawing carries its own style, with colours as custom properties, so that it can stand
alone and still follows a page's light or dark theme. Equal journals give equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

from protocol.flows import Form, Policy
from reports.records import Event
from reports.sequence import (
    MESSAGES_SHOWN,
    Fold,
    cap,
    flow_of,
    fold_summary,
    fold_title,
    folds,
    left_out_note,
    phases_of,
)
from reports.wording import party_name, size

__all__ = ["COLOURS", "FORMS", "legend_svg", "sequence_svg"]

FORMS: Final[dict[Form, str]] = {
    "plain": "plain value",
    "protected": "protected features",
    "share": "secret share or seed",
    "masked": "one-time masked",
    "output": "share of the answer",
    "control": "control, no payload",
}
_STYLE: Final = """
.sq{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
 color:var(--ink,#1c2330)}
.sq text{fill:currentColor}.sq .dim{fill:var(--dim,#5d6675)}.sq .mid{text-anchor:middle}
.sq .end{text-anchor:end}.sq .head rect{fill:var(--raised,#fff);stroke:var(--line,#cfd6e0)}
.sq .head text{font-weight:600;font-size:13px}.sq .life{stroke:var(--line,#cfd6e0)}
.sq .frame{fill:none;stroke:var(--line-strong,#9aa5b5)}.sq .back{fill:var(--raised,#fff);
 stroke:var(--line,#cfd6e0)}.sq .tab{fill:var(--accent,#2456a6)}
.sq .tabtext{fill:var(--on-accent,#fff);font-weight:600}.sq .band{fill:var(--band,#8a94a61c)}
.sq .phase{font-weight:600;font-size:11px;letter-spacing:.06em}.sq .kind{font-weight:600}
.sq .halo{paint-order:stroke;stroke:var(--page,#fff);stroke-width:4px;stroke-linejoin:round}
.sq .m path{fill:none;stroke-width:1.8}.sq .m polygon{stroke:none}
"""
_DASHES: Final[dict[Form, str]] = {
    "plain": "", "protected": "9 3", "share": "4 3", "masked": "10 3 2 3", "output": "",
    "control": "1 4",
}  # fmt: skip
COLOURS: Final[dict[Form, str]] = {
    "plain": "#c0392b", "protected": "#b7791f", "share": "#2b6cb0", "masked": "#6b46c1",
    "output": "#2f855a", "control": "#718096",
}  # fmt: skip

WIDTH: Final = 980
FIRST_X: Final = 190
SPACING: Final = 215
HEAD_HEIGHT: Final = 30
ROW: Final = 36
PHASE_ROW: Final = 22
FRAME_TOP: Final = 44
GAP: Final = 30


def sequence_svg(events: Iterable[Event], policy: Policy, limit: int = MESSAGES_SHOWN) -> str:
    """Return the folded sequence diagram of a journal; at most `limit` messages are drawn."""
    shown, missing = cap(folds(events), limit)
    parts: list[str] = []
    y: float = HEAD_HEIGHT + 26
    for fold in shown:
        drawn, y = _frame(fold, y, policy)
        parts += drawn
    if missing:
        parts.append(_text(WIDTH / 2, y + 4, left_out_note(missing), "dim mid"))
        y += GAP
    if not shown:
        parts.append(_text(WIDTH / 2, y + 14, "No message was sent.", "dim mid halo"))
        y += 2 * GAP
    frame = [*_lifelines(y, policy), *_heads(8, policy), *_heads(y, policy)]
    return _document(WIDTH, y + HEAD_HEIGHT + 8, [*frame, *parts], "Messages between the parties")


def legend_svg() -> str:
    """Return the key to the forms of messages."""
    parts = []
    for index, (form, meaning) in enumerate(FORMS.items()):
        x, y = 12 + 325 * (index % 3), 16 + 24 * (index // 3)
        parts.append(f'<g class="m">{_line(form, x, x + 64, y)}{_point(form, x + 64, y, 1)}</g>')
        parts.append(_text(x + 76, y + 4, meaning))
    return _document(WIDTH, 56, parts, "What colour and dash of an arrow mean")


def _document(width: int, height: float, parts: Sequence[str], title: str) -> str:
    head = (
        f'<svg class="sq" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_n(height)}" '
        f'role="img" aria-label="{escape(title)}"><style>{_STYLE}</style>'
    )
    return "\n".join([head, *parts, "</svg>"])


def _lifelines(bottom: float, policy: Policy) -> Iterator[str]:
    for party in policy.parties:
        yield f'<path class="life" d="M{_n(_x(party, policy))} {HEAD_HEIGHT + 8}V{_n(bottom)}"/>'


def _heads(y: float, policy: Policy) -> Iterator[str]:
    for party in policy.parties:
        x = _x(party, policy)
        box = f'<rect x="{x - 68}" y="{_n(y)}" width="136" height="{HEAD_HEIGHT}" rx="7"/>'
        yield f'<g class="head">{box}{_text(x, y + 20, party_name(party), "mid")}</g>'


def _frame(fold: Fold, top: float, policy: Policy) -> tuple[list[str], float]:
    """Draw one fold below `top`; return its parts and where the next one begins."""
    rows: list[str] = []
    y = top + FRAME_TOP
    for phase, messages in phases_of(fold.messages):
        drawn, y = _band(phase, messages, y, policy)
        rows += drawn
    height = y - top
    return [*_frame_box(fold, top, height), *rows], y + (GAP if fold.sessions == 1 else GAP + 8)


def _frame_box(fold: Fold, top: float, height: float) -> Iterator[str]:
    """Draw the frame, with a stack of sheets behind it where it stands for many sessions."""
    title = fold_title(fold)
    width = 22 + 7.4 * len(title)
    for shift in (8, 4) if fold.sessions > 1 else ():
        x, y = 8 + shift, top + shift
        yield f'<path class="frame" d="M{x} {_n(y + height)}H{960 + shift}V{_n(y)}" opacity=".45"/>'
    yield f'<rect class="frame" x="8" y="{_n(top)}" width="952" height="{_n(height)}" rx="4"/>'
    yield f'<rect class="tab" x="8" y="{_n(top)}" width="{_n(width)}" height="24" rx="4"/>'
    yield _text(19, top + 16, title, "tabtext")
    yield _text(20 + width, top + 16, fold_summary(fold), "dim halo")


def _band(
    phase: str, messages: Sequence[Event], top: float, policy: Policy
) -> tuple[list[str], float]:
    """Draw one phase of a session: a band, round labels and one row per message."""
    height = PHASE_ROW + ROW * len(messages)
    begin = min(event.at_s for event in messages)
    parts = [
        f'<rect class="band" x="14" y="{_n(top)}" width="940" height="{_n(height)}" rx="3"/>',
        _text(24, top + 16, phase.upper(), "phase"),
    ]
    y, round_ = top + PHASE_ROW, None
    for event in messages:
        if event.round and event.round != round_:
            parts.append(_text(24, y + 24, f"round {event.round}", "dim"))
        round_ = event.round
        parts.append(_message(event, y + 20, event.at_s - begin, policy))
        y += ROW
    return parts, y + 6


def _message(event: Event, y: float, after_s: float, policy: Policy) -> str:
    begin, end = _x(event.sender, policy), _x(event.receiver, policy)
    way = 1 if end > begin else -1
    tip = end - 2 * way
    label = (
        f'<text class="mid halo" x="{_n((begin + end) / 2)}" y="{_n(y - 5)}">'
        f'<tspan class="kind">{escape(event.kind)}</tspan>{_bytes_span(event)}</text>'
    )
    time = _text(946, y + 4, f"+{1e3 * after_s:,.1f} ms", "dim end") if after_s else ""
    arrow = _line(event.form, begin + 3 * way, tip - 7 * way, y) + _point(event.form, tip, y, way)
    return f'<g class="m">{_tooltip(event, policy)}{arrow}{label}{time}</g>'


def _bytes_span(event: Event) -> str:
    return f'<tspan class="dim"> {size(event.payload_bytes)}</tspan>' if event.payload_bytes else ""


def _tooltip(event: Event, policy: Policy) -> str:
    flow = flow_of(event, policy)
    meaning = "not in the flow policy" if flow is None else f"{flow.carries}. Why: {flow.why}"
    shapes = ", ".join(f"{name} {list(shape)}" for name, shape in event.shapes.items())
    lines = [
        f"{event.kind}, {event.form}: {meaning}",
        f"{party_name(event.sender)} to {party_name(event.receiver)}, step {event.step}",
        f"{event.payload_bytes:,} bytes payload, {event.wire_bytes:,} on the wire",
        shapes,
    ]
    return f"<title>{escape(chr(10).join(line for line in lines if line))}</title>"


def _line(form: Form, begin: float, end: float, y: float) -> str:
    dash = f' stroke-dasharray="{_DASHES[form]}"' if _DASHES[form] else ""
    return f'<path d="M{_n(begin)} {_n(y)}H{_n(end)}" stroke="{_colour(form)}"{dash}/>'


def _point(form: Form, x: float, y: float, way: int) -> str:
    corners = f"{_n(x)},{_n(y)} {_n(x - 9 * way)},{_n(y - 4.5)} {_n(x - 9 * way)},{_n(y + 4.5)}"
    return f'<polygon points="{corners}" fill="{_colour(form)}"/>'


def _colour(form: Form) -> str:
    return f"var(--{form},{COLOURS[form]})"


def _text(x: float, y: float, text: str, css: str = "") -> str:
    attribute = f' class="{css}"' if css else ""
    return f'<text{attribute} x="{_n(x)}" y="{_n(y)}">{escape(text)}</text>'


def _x(party: str, policy: Policy) -> int:
    names: tuple[str, ...] = policy.parties
    return FIRST_X + SPACING * names.index(party)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
