from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import DataError
from reports.intervals import Estimate, fpir_cutoff, wilson_interval
from reports.metrics import (
    Ranking,
    open_set_curve,
    person_mean,
    proportion,
    rank_k,
    rank_k_difference,
    rank_k_per_person,
    rank_probes,
    tar_at_far,
    tpir_at_fpir,
    tpir_difference,
)
from reports.operating import decision_rates
from reports.verification import verification_accuracy

Array = np.ndarray[Any, Any]

# Four entries of people 0..3; probes: two of person 0, one of person 2, two strangers.
GALLERY = np.array([0, 1, 2, 3])
PROBES = np.array([0, 0, 2, -1, -1])
SCORES = np.array(
    [
        [9, 1, 2, 3],  # right at once
        [5, 6, 2, 1],  # beaten by person 1
        [7, 7, 7, 1],  # ties with two impostors
        [4, 0, 0, 0],
        [0, 8, 0, 0],
    ]
)


def ranking(scores: Array = SCORES, probes: Array = PROBES, gallery: Array = GALLERY) -> Any:
    return rank_probes(scores, probes, gallery)


def test_rank_k_counts_ties_against_the_mate() -> None:
    counts = [rank_k(ranking(), k).count for k in (1, 2, 3, 4)]
    assert counts == [1, 2, 3, 3]
    assert rank_k(ranking(), 1).total == 3


def test_rank_1_per_person_lets_each_person_weigh_one() -> None:
    mean = rank_k_per_person(ranking(), 1)
    assert (mean.people, mean.value) == (2, 0.25)  # person 0: 1 of 2; person 2: 0 of 1


def test_several_entries_of_one_person_do_not_push_each_other_down() -> None:
    scores = np.array([[3.0, 9.0, 5.0]])
    found = rank_probes(scores, np.array([0]), np.array([0, 0, 1]))
    assert rank_k(found, 1).count == 1
    assert (found.mate[0], found.impostor[0]) == (9.0, 5.0)


@pytest.mark.parametrize(
    ("fpir", "threshold", "false_alarms", "found"),
    [(0.0, 8.0, 0, 1), (0.49, 8.0, 0, 1), (0.5, 4.0, 1, 3), (1.0, None, 2, 3)],
)
def test_tpir_at_fpir_by_hand(
    fpir: float, threshold: float | None, false_alarms: int, found: int
) -> None:
    rate = tpir_at_fpir(ranking(), fpir)
    assert rate is not None
    assert rate.threshold == threshold
    assert (rate.fpir.count, rate.fpir.total) == (false_alarms, 2)
    assert (rate.tpir.count, rate.tpir.total) == (found, 3)
    assert rate.resolved is (fpir >= 0.5)


def test_identification_needs_the_mate_to_be_first() -> None:
    rate = tpir_at_fpir(ranking(), 0.5, first_rank_only=True)
    assert rate is not None
    assert rate.tpir.count == 1


def test_the_cutoff_must_be_exceeded_even_when_impostors_tie() -> None:
    assert fpir_cutoff(np.array([5.0, 5.0, 5.0, 1.0]), 0.25) == 5.0
    assert fpir_cutoff(np.array([5.0, 4.0, 3.0, 1.0]), 0.25) == 4.0


def test_decision_rates_by_hand() -> None:
    rates = decision_rates(SCORES >= 7, PROBES, GALLERY)
    assert (rates.tpir.count, rates.tpir.total) == (2, 3)
    assert (rates.fpir.count, rates.fpir.total) == (1, 2)
    assert rates.wrong_entry.count == 1
    assert rates.exact.count == 2  # the first probe and the first stranger
    assert rates.tpir_per_person.value == 0.75


def test_tar_at_far_by_hand() -> None:
    # genuine 9, 5, 7; impostors in order 8, 7, 7, 6, 4, ... (17 of them)
    rate = tar_at_far(SCORES, PROBES, GALLERY, 3 / 17)
    assert rate is not None
    assert (rate.threshold, rate.tar.count, rate.far.count) == (6.0, 2, 3)
    strict = tar_at_far(SCORES, PROBES, GALLERY, 0.0)
    assert strict is not None
    assert (strict.threshold, strict.tar.count, strict.far.count) == (8.0, 1, 0)


def test_what_cannot_be_measured_is_none() -> None:
    empty = np.empty((0, 4))
    nobody = np.empty(0, dtype=np.int64)
    found = ranking(empty, nobody)
    assert rank_k(found).value is None
    assert rank_k_per_person(found).value is None
    assert tpir_at_fpir(found, 0.1) is None
    assert open_set_curve(found) is None
    assert tar_at_far(empty, nobody, GALLERY, 0.1) is None
    rates = decision_rates(empty.astype(bool), nobody, GALLERY)
    assert rates.tpir.value is None
    assert rates.fpir.low is None
    only_mated = ranking(SCORES[:3], PROBES[:3])
    assert tpir_at_fpir(only_mated, 0.1) is None
    assert rank_k(only_mated).total == 3


def test_a_gallery_of_one_works() -> None:
    found = ranking(np.array([[3], [1]]), np.array([0, -1]), np.array([0]))
    assert rank_k(found).value == 1.0
    rate = tpir_at_fpir(found, 0.01)
    assert rate is not None
    assert rate.tpir.value == 1.0


def test_wilson_interval_matches_published_values() -> None:
    low, high = wilson_interval(81, 263)  # Newcombe 1998, table I, method 3
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    low, high = wilson_interval(0, 20)
    assert (low, round(high, 4)) == (0.0, 0.1611)
    assert wilson_interval(0, 0) == (0.0, 1.0)


@given(st.integers(1, 500), st.data())
def test_wilson_contains_the_share_and_mirrors(total: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, total))
    low, high = wilson_interval(count, total)
    assert 0 <= low <= count / total <= high <= 1
    mirrored = wilson_interval(total - count, total)
    assert mirrored == pytest.approx((1 - high, 1 - low))


def test_view_2_judges_each_fold_with_the_thresholds_of_the_others() -> None:
    same = [True, False] * 10
    scores = [0.8 if label else 0.2 for label in same]
    perfect = verification_accuracy(scores, same)
    assert (perfect.mean, perfect.std, len(perfect.folds)) == (1.0, 0.0, 10)
    assert perfect.thresholds == [0.5] * 10
    # Fold 0 holds the two pairs that lie; the eighteen others cannot know.
    scores[0], scores[1] = 0.1, 0.9
    worse = verification_accuracy(scores, same)
    assert worse.folds[0] == 0.0
    assert worse.mean == pytest.approx(0.9)


def test_view_2_of_constant_scores_is_the_larger_class() -> None:
    result = verification_accuracy([1.0] * 20, [True] * 15 + [False] * 5, folds=2)
    assert result.folds == [1.0, 0.5]


@pytest.mark.parametrize(("scores", "same", "folds"), [([1.0], [True], 2), ([1.0, 2.0], [True], 2)])
def test_view_2_refuses_pairs_that_do_not_fit(
    scores: list[float], same: list[bool], folds: int
) -> None:
    with pytest.raises(DataError):
        verification_accuracy(scores, same, folds)


def test_person_mean_of_one_person_says_nothing_about_others() -> None:
    mean = person_mean(np.array([True, False]), np.array([4, 4]))
    assert (mean.people, mean.value, mean.low, mean.high) == (1, 0.5, None, None)


def test_proportion_of_nothing_is_none_throughout() -> None:
    nothing = proportion(np.empty(0, dtype=bool))
    assert (nothing.count, nothing.total) == (0, 0)
    assert nothing.value is nothing.low is nothing.high is None


@st.composite
def searches(draw: st.DrawFn) -> tuple[Array, Array, Array]:
    """Return integer scores with many ties, probes and gallery."""
    entries, probes = draw(st.integers(1, 6)), draw(st.integers(1, 8))
    gallery = np.array(draw(st.lists(st.integers(0, 3), min_size=entries, max_size=entries)))
    people = st.sampled_from([-1, *sorted(set(gallery.tolist()))])
    identity = np.array(draw(st.lists(people, min_size=probes, max_size=probes)))
    flat = draw(st.lists(st.integers(-3, 3), min_size=entries * probes, max_size=entries * probes))
    return np.array(flat).reshape(probes, entries), identity, gallery


@settings(max_examples=30)
@given(searches(), st.randoms(use_true_random=False), st.sampled_from([0.0, 0.2, 0.5]))
def test_no_measure_depends_on_the_order_of_probes_or_entries(
    search: tuple[Array, Array, Array], shuffler: Any, fpir: float
) -> None:
    scores, probes, gallery = search
    rows, columns = list(range(len(probes))), list(range(len(gallery)))
    shuffler.shuffle(rows)
    shuffler.shuffle(columns)
    turned = (scores[np.ix_(rows, columns)], probes[rows], gallery[columns])
    one, two = rank_probes(*search), rank_probes(*turned)
    for k in (1, 2):
        assert rank_k(one, k) == rank_k(two, k)
    assert tpir_at_fpir(one, fpir) == tpir_at_fpir(two, fpir)
    assert tar_at_far(*search, fpir) == tar_at_far(*turned, fpir)
    assert decision_rates(scores > 0, *search[1:]).exact == (
        decision_rates(turned[0] > 0, *turned[1:]).exact
    )


@settings(max_examples=40)
@given(searches(), st.sampled_from([0.0, 0.2, 0.5, 0.9]))
def test_the_target_fpir_is_never_exceeded_and_decisions_at_it_agree(
    search: tuple[Array, Array, Array], fpir: float
) -> None:
    scores, probes, gallery = search
    rate = tpir_at_fpir(rank_probes(*search), fpir)
    if rate is None:
        return
    assert rate.fpir.value is not None
    assert rate.fpir.value <= fpir
    bits = decision_rates(scores > (rate.threshold or -math.inf), probes, gallery)
    if rate.threshold is not None and rate.threshold != 0:
        assert bits.tpir.count == rate.tpir.count
        assert bits.fpir.count == rate.fpir.count


@settings(max_examples=40)
@given(searches())
def test_rank_k_grows_with_k_to_everyone(search: tuple[Array, Array, Array]) -> None:
    found = rank_probes(*search)
    counts = [rank_k(found, k).count for k in range(1, len(search[2]) + 1)]
    assert counts == sorted(counts)
    assert counts[-1] == int((search[1] >= 0).sum())


def test_ranking_in_blocks_equals_ranking_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ranking()
    monkeypatch.setattr("reports.metrics.BLOCK_ELEMENTS", 8)
    for one, two in zip(whole, ranking(), strict=True):
        assert np.array_equal(one, two)


def test_the_curve_holds_the_operating_points() -> None:
    curve = open_set_curve(ranking())
    assert curve is not None
    assert curve.fpir == [0.0, 0.5]
    assert curve.tpir == pytest.approx([1 / 3, 1.0])


def wide(mates: Array, strangers: Array, probes: int = 1) -> Ranking:
    """Return a search where person i's `probes` probes score `mates[i]`."""
    mate = np.repeat(mates, probes)
    identity = np.concatenate([np.repeat(np.arange(len(mates)), probes), -np.ones(len(strangers))])
    scores = np.full((len(identity), len(mates)), -9.0)
    scores[np.arange(len(mate)), identity[: len(mate)].astype(int)] = mate
    scores[len(mate) :, 0] = strangers
    return rank_probes(scores, identity.astype(np.int64), np.arange(len(mates)))


def test_the_threshold_of_tpir_is_estimated_too() -> None:
    rng = np.random.default_rng(3)
    found = tpir_at_fpir(wide(rng.normal(2.4, 0.2, 400), rng.standard_normal(400)), 0.01)
    assert found is not None
    assert found.tpir.low is not None
    assert found.tpir.high is not None
    low, high = wilson_interval(found.tpir.count, found.tpir.total)
    assert found.tpir.high - found.tpir.low > 2 * (high - low)
    assert (found.resolved, found.bounded) == (True, True)
    assert (found.fpir.value, found.fpir.low) == (0.01, None)


def test_fewer_strangers_than_a_rate_takes_are_told() -> None:
    rng = np.random.default_rng(4)
    found = tpir_at_fpir(wide(rng.normal(3, 1, 50), rng.standard_normal(300)), 0.01)
    assert found is not None
    assert (found.resolved, found.bounded) == (True, False)


def test_pictures_of_one_person_are_not_independent() -> None:
    rng = np.random.default_rng(5)
    mates = np.where(rng.random(40) < 0.7, 2.0, -10.0)
    one, many = (rank_k(wide(mates, np.zeros(3), probes)) for probes in (1, 10))
    assert (one.value, many.total) == (many.value, 400)
    low, high = wilson_interval(one.count, one.total)
    assert (one.low, one.high) == (low, high)
    assert many.low == pytest.approx(low, abs=0.05)
    assert many.high == pytest.approx(high, abs=0.05)


def test_systems_are_compared_on_the_same_resamples() -> None:
    rng = np.random.default_rng(6)
    mates, strangers = rng.normal(2.4, 0.5, 200), rng.standard_normal(300)
    one = wide(mates, strangers)
    other = wide(mates - 0.05 * rng.random(200), strangers)
    assert tpir_difference(one, one, 0.1) == Estimate(value=0.0, low=0.0, high=0.0)
    found, alone = tpir_difference(one, other, 0.1), tpir_at_fpir(one, 0.1)
    assert found is not None
    assert alone is not None
    assert None not in (found.low, found.high, alone.tpir.low, alone.tpir.high)
    paired = found.high - found.low  # type: ignore[operator]
    assert paired < alone.tpir.high - alone.tpir.low  # type: ignore[operator]
    reverse = tpir_difference(other, one, 0.1)
    assert reverse is not None
    assert reverse.value == pytest.approx(-found.value)
    assert rank_k_difference(one, one) == Estimate(value=0.0, low=0.0, high=0.0)


def test_strangers_with_several_pictures_are_drawn_whole() -> None:
    rng = np.random.default_rng(7)
    level = rng.standard_normal(60)
    strangers = np.repeat(level, 8)
    made = wide(rng.normal(2, 0.5, 100), strangers)
    person = made.person.copy()
    person[100:] = 100 + np.repeat(np.arange(60), 8)
    widths = []
    for ranking in (made, made._replace(person=person)):
        found = tpir_at_fpir(ranking, 0.1)
        assert found is not None
        widths.append(found.tpir.high - found.tpir.low)  # type: ignore[operator]
    assert widths[1] > 1.5 * widths[0]
