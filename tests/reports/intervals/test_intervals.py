from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.intervals import (
    Estimate,
    FoldedPairs,
    OpenSearch,
    PairRate,
    PairTotals,
    Share,
    difference,
    enough_strangers,
    estimate,
    fpir_cutoff,
    wilson_interval,
)
from reports.verification import verification_accuracy

Array = np.ndarray[Any, Any]
NORMAL_TAIL_1_PERCENT = 2.3263478740408408


def search(rng: np.random.Generator, people: int, strangers: int, shift: float) -> OpenSearch:
    """Return a search with three probes per person, alike as pictures of one person are."""
    person = np.repeat(np.arange(people), 3)
    own = shift + 0.9 * rng.standard_normal(people)[person]
    mate = own + math.sqrt(1 - 0.81) * rng.standard_normal(person.size)
    return OpenSearch(person, mate, np.arange(strangers), rng.standard_normal(strangers), 0.01)


def normal_share_above(bound: float) -> float:
    return 0.5 * math.erfc(bound / math.sqrt(2))


@pytest.mark.slow
def test_the_interval_covers_the_true_rate_where_wilson_at_the_threshold_does_not() -> None:
    rng, shift = np.random.default_rng(11), 3.0
    truth = normal_share_above(NORMAL_TAIL_1_PERCENT - shift)
    covered, by_wilson, trials = 0, 0, 200
    for _ in range(trials):
        made = search(rng, 150, 600, shift)
        found = estimate(made)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
        hits = made.mate > fpir_cutoff(made.impostor, 0.01)
        low, high = wilson_interval(int(hits.sum()), hits.size)
        by_wilson += low <= truth <= high
    assert 0.90 <= covered / trials <= 0.99
    assert by_wilson / trials < 0.75


@pytest.mark.slow
def test_the_paired_interval_is_narrower_than_two_intervals_and_covers_the_difference() -> None:
    rng, covered, trials = np.random.default_rng(5), 0, 50
    spread = math.sqrt(1 + 0.2**2)  # of the other system's mates; its strangers are as the first's
    truth = normal_share_above(NORMAL_TAIL_1_PERCENT - 3.0)
    truth -= normal_share_above((NORMAL_TAIL_1_PERCENT - 2.8) / spread)
    paired, unpaired = 0.0, 0.0
    for _ in range(trials):
        one = search(rng, 150, 600, 3.0)
        mate = one.mate - 0.2 + 0.2 * rng.standard_normal(one.mate.size)
        noise = 0.2 * rng.standard_normal(one.impostor.size)
        impostor = math.sqrt(1 - 0.2**2) * one.impostor + noise
        other = OpenSearch(one.person, mate, one.stranger, impostor, 0.01)
        found = difference(one, other)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
        paired += found.high - found.low
        unpaired += math.hypot(*(width(estimate(system)) for system in (one, other)))
    assert covered / trials >= 0.9
    assert paired < 0.75 * unpaired


def width(found: Estimate) -> float:
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


def pair_rate(rng: np.random.Generator, people: int, pictures: int, far: float) -> PairRate:
    """Return all pairs of `pictures` pictures each of people in eight dimensions."""
    person = np.repeat(np.arange(people), pictures)
    centre = rng.standard_normal((people, 8))
    found = centre[person] + 0.5 * rng.standard_normal((person.size, 8))
    units = found / np.linalg.norm(found, axis=1, keepdims=True)
    first, second = np.triu_indices(person.size, 1)
    scores, same = (units @ units.T)[first, second], person[first] == person[second]
    counts = np.bincount(person).astype(np.float64)
    return PairRate(
        genuine=scores[same],
        owner=person[first[same]],
        impostor=scores[~same],
        first=person[first[~same]],
        second=person[second[~same]],
        people=(people,),
        far=far,
        totals=PairTotals(counts, counts, unordered=True),
    )


@pytest.mark.slow
def test_all_pairs_of_few_people_are_less_certain_than_their_number_says() -> None:
    truth_rng, rng = np.random.default_rng(1), np.random.default_rng(2)
    truth = estimate_value(pair_rate(truth_rng, 1000, 2, 0.01))
    covered, by_wilson, trials = 0, 0, 60
    for _ in range(trials):
        made = pair_rate(rng, 25, 6, 0.01)
        found = estimate(made)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
        low, high = wilson_interval(round(found.value * made.genuine.size), made.genuine.size)
        by_wilson += low <= truth <= high
    assert covered / trials >= 0.85
    assert by_wilson / trials < 0.6


def estimate_value(rate: PairRate) -> float:
    return float(rate.at(np.ones((1, rate.people[0])))[0])


def test_the_highest_impostor_pairs_are_enough() -> None:
    made = pair_rate(np.random.default_rng(3), 40, 4, 0.002)
    order = np.argsort(-made.impostor)[:300]
    short = PairRate(
        genuine=made.genuine,
        owner=made.owner,
        impostor=made.impostor[order],
        first=made.first[order],
        second=made.second[order],
        people=made.people,
        far=made.far,
        totals=made.totals,
    )
    whole = PairRate(**{**vars(made), "totals": None})
    assert estimate(short) == estimate(made) == estimate(whole)


def test_copies_of_a_person_are_no_impostors_of_each_other() -> None:
    counts = np.array([[2.0, 1.0, 0.0]])
    pictures = np.array([3.0, 1.0, 5.0])
    assert PairTotals(pictures, pictures, unordered=True).at(counts).tolist() == [2 * 3 * 1]
    assert PairTotals(pictures, pictures).at(counts).tolist() == [2 * (2 * 3 * 1)]
    met = np.outer(pictures, pictures)
    assert PairTotals(pictures, pictures, met=met).at(counts).tolist() == [12]


def test_a_resample_of_pairs_is_the_rate_of_the_copied_people() -> None:
    made = pair_rate(np.random.default_rng(7), 6, 3, 0.1)
    counts = np.array([2, 0, 1, 1, 2, 0])
    repeated = np.repeat(made.impostor, counts[made.first] * counts[made.second])
    genuine = np.repeat(made.genuine, counts[made.owner])
    expected = (genuine > fpir_cutoff(repeated, 0.1)).mean()
    assert made.at(counts[None].astype(np.float64))[0] == pytest.approx(expected)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(-3, 3)), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 4), st.integers(-3, 3)), min_size=1, max_size=12),
    st.sampled_from([0.0, 0.1, 0.3, 1.0]),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_intervals_contain_the_value_ignore_order_and_repeat(
    mated: list[tuple[int, int]],
    unmated: list[tuple[int, int]],
    fpir: float,
    per_person: bool,
    shuffler: Any,
) -> None:
    def made(people: list[tuple[int, int]], others: list[tuple[int, int]]) -> OpenSearch:
        (person, mate), (stranger, impostor) = np.array(people).T, np.array(others).T
        return OpenSearch(person, mate * 1.0, stranger, impostor * 1.0, fpir, per_person)

    one = made(mated, unmated)
    found = estimate(one)
    assert found == estimate(one)
    if found.low is not None and found.high is not None:
        assert 0 <= found.low <= found.value <= found.high <= 1
    itself = difference(one, one)
    assert itself.value == 0
    assert (itself.low, itself.high) in ((0.0, 0.0), (None, None))
    shuffler.shuffle(mated)
    shuffler.shuffle(unmated)
    turned = estimate(made(mated, unmated))
    assert turned.value == pytest.approx(found.value)
    if found.low is not None and found.high is not None:
        assert (turned.low, turned.high) == pytest.approx((found.low, found.high))
    renamed = estimate(made([(7 - p, s) for p, s in mated], [(9 - p, s) for p, s in unmated]))
    assert renamed.value == pytest.approx(found.value)


def test_other_names_of_people_move_an_interval_by_chance_only() -> None:
    one = search(np.random.default_rng(4), 200, 900, 3.0)
    renamed = OpenSearch(-one.person, one.mate, -one.stranger, one.impostor, one.fpir)
    found, other = estimate(one), estimate(renamed)
    assert (found.low, found.high) == pytest.approx((other.low, other.high), abs=0.01)
    assert estimate(one, seed=1) != found
    assert estimate(one, seed=1) == estimate(one, seed=1)


def test_one_person_says_nothing_about_others() -> None:
    found = estimate(Share(np.array([4, 4]), np.array([True, False])))
    assert (found.value, found.low, found.high) == (0.5, None, None)
    lonely = OpenSearch(np.array([1, 2]), np.array([0.5, 0.6]), np.array([3]), np.array([0.1]), 0.1)
    assert estimate(lonely).low is None


def test_success_of_everybody_leaves_room_for_the_next_person() -> None:
    found = estimate(Share(np.repeat(np.arange(20), 5), np.ones(100, dtype=np.bool_)))
    assert found.low == pytest.approx(wilson_interval(20, 20)[0])
    assert (found.value, found.high) == (1.0, 1.0)
    nobody = estimate(Share(np.arange(20), np.zeros(20, dtype=np.bool_)))
    assert (nobody.value, nobody.low) == (0.0, 0.0)
    assert nobody.high == pytest.approx(wilson_interval(0, 20)[1])


def test_people_count_as_one_only_where_that_is_asked_for() -> None:
    person, hits = np.array([0, 0, 0, 1]), np.array([True, True, True, False])
    assert estimate(Share(person, hits)).value == 0.75
    assert estimate(Share(person, hits, per_person=True)).value == 0.5


def test_different_people_are_not_paired() -> None:
    hits = np.array([True, False])
    with pytest.raises(ValueError, match="same people"):
        difference(Share(np.array([0, 1]), hits), Share(np.array([0, 0]), hits))


def test_too_few_strangers_bound_nothing_from_below() -> None:
    assert enough_strangers(3688, 0.001)
    assert not enough_strangers(3687, 0.001)


def test_folds_find_their_thresholds_again() -> None:
    rng = np.random.default_rng(6)
    same = np.tile([True, False], 60)
    scores = np.round(np.where(same, 0.6, 0.4) + 0.15 * rng.standard_normal(120), 2)
    fold = np.repeat(np.arange(10), 12)
    first = np.repeat(np.arange(60), 2)
    second = np.where(same, first, (first + 1) % 60)
    pairs = FoldedPairs(scores, same, fold, first, second, 60)
    found = estimate(pairs)
    assert found.value == pytest.approx(verification_accuracy(scores, same, 10).mean)
    assert found.low is not None
    assert found.high is not None
    assert 0.1 < width(found) < 0.4
