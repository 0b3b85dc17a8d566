from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.progress import Progress, SessionCount, with_totals
from orchestration.runtime.ray_wire import (
    DeadlineError,
    PeerGoneError,
    Report,
    decode_array,
    decode_report,
    encode,
    encode_array,
    report_of,
)
from protocol import errors
from protocol.errors import BautaError, LocalProtocolError, PeerMisbehaviourError

SECRET = "share-0123456789"  # noqa: S105 - a canary, not a password
KINDS = [name for name in errors.__all__ if name != "BautaError"]


@given(
    dtype=st.sampled_from(["bool", "<i4", "<i8", "<f4", "<f8", "<u2"]),
    shape=st.lists(st.integers(0, 4), max_size=3).map(tuple),
    seed=st.integers(0, 99),
)
def test_arrays_come_back_whole(dtype: str, shape: tuple[int, ...], seed: int) -> None:
    array = np.random.default_rng(seed).integers(0, 2, shape).astype(dtype)
    copy = decode_array(encode_array(array))
    assert copy.dtype == array.dtype
    np.testing.assert_array_equal(copy, array)


@pytest.mark.parametrize("array", [np.array([object()]), np.array(["text"])])
def test_arrays_of_anything_but_numbers_are_refused(array: npt.NDArray[Any]) -> None:
    with pytest.raises(LocalProtocolError, match="no plain numbers"):
        encode_array(array)


@pytest.mark.parametrize("name", KINDS)
def test_our_errors_cross_with_class_and_text(name: str) -> None:
    error: BautaError = getattr(errors, name)("what", where="there", hint="do this")
    copy = decode_report(encode(report_of(error, "client"))).exception()
    assert type(copy) is type(error)
    assert (copy.message, copy.where, copy.hint) == ("what", "there", "do this")


def test_an_error_without_a_place_gets_its_party() -> None:
    assert report_of(PeerMisbehaviourError("lied"), "dealer").where == "dealer"


def test_texts_of_foreign_errors_stay_behind() -> None:
    try:
        int(SECRET)
    except ValueError as error:
        report = report_of(error, "client")
    assert report.error == "LocalProtocolError"
    assert report.message == "ValueError outside of our code"
    assert SECRET.encode() not in encode(report)


@pytest.mark.parametrize(
    ("error", "consequence", "stalled"),
    [(PeerGoneError("gone"), True, False), (DeadlineError("late"), False, True)],
)
def test_failures_that_need_a_second_look_are_marked(
    error: BautaError, consequence: bool, stalled: bool
) -> None:
    report = report_of(error, "client")
    assert report.error == "InfrastructureError"
    assert (report.consequence, report.stalled) == (consequence, stalled)


def test_an_unknown_class_becomes_an_infrastructure_error() -> None:
    assert isinstance(Report(error="Nonsense").exception(), errors.InfrastructureError)


def test_sessions_are_counted_by_stage_when_the_next_begins() -> None:
    count = SessionCount()
    seen = []
    for session in ("setup", "enrol-0000", "enrol-0000", "enrol-0001", "search-0000"):
        count.saw(session)
        seen.append(count.progress()[:2])
    assert seen == [("setup", 0), ("enrol", 0), ("enrol", 0), ("enrol", 1), ("search", 0)]


def test_totals_are_filled_in_where_they_are_missing() -> None:
    seen: list[Progress] = []
    report = with_totals(seen.append, {"enrol": 7})
    for progress in (Progress("enrol", 1), Progress("enrol", 1, 3), Progress("else", 1)):
        report(progress)
    assert [progress.total for progress in seen] == [7, 3, 0]
