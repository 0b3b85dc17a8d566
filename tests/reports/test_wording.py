from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.wording import (
    NOT_MEASURED,
    count,
    counted,
    decimal,
    duration,
    listed,
    party_name,
    percent,
    size,
)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 B"),
        (1023, "1,023 B"),
        (0.128, "0.13 B"),
        (1024, "1.00 KiB"),
        (100_000, "97.7 KiB"),
        (1024**2 - 1, "1.00 MiB"),
        (3 * 1024**3, "3.00 GiB"),
        (5000 * 1024**4, "5,000 TiB"),
    ],
)
def test_sizes(amount: float, text: str) -> None:
    assert size(amount) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.0000004, "0.40 µs"),
        (0.00056, "560 µs"),
        (0.0199, "19.9 ms"),
        (1.654, "1.65 s"),
        (119.4, "119 s"),
        (125, "2 min 05 s"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize("show", [size, duration, percent, count, decimal])
@pytest.mark.parametrize("nothing", [None, math.nan, math.inf])
def test_what_was_not_measured_says_so(show: object, nothing: float | None) -> None:
    assert callable(show)
    assert show(nothing) == NOT_MEASURED


@given(st.floats(0, 1e17))
def test_sizes_keep_three_digits(amount: float) -> None:
    value, unit = size(amount).replace(",", "").split()
    scale = 1024 ** ("B", "KiB", "MiB", "GiB", "TiB").index(unit)
    assert float(value) * scale == pytest.approx(amount, rel=0.006, abs=0.006)


def test_words() -> None:
    assert (percent(0.9777), percent(0.01, 0), count(1680.2)) == (
        "97.8\u00a0%",
        "1\u00a0%",
        "1,680",
    )
    assert (counted(1, "message"), counted(2, "search")) == ("1 message", "2 searches")
    assert (listed([]), listed(["a"]), listed(["a", "b", "c"])) == ("", "a", "a, b and c")
    assert (party_name("gallery_holder"), party_name("?")) == ("Gallery holder", "?")
