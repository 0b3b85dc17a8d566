"""The course of a scenario: sessions that fit each other, reproducible, fair to every age."""

from __future__ import annotations

from collections import Counter

import pytest

from protocol.errors import ScenarioError
from protocol.gallery import SlotTable
from scenarios.course import Course, scenario_course
from scenarios.datasets import open_scenario_data, split_scenario_data
from scenarios.schema import parse_scenario

LIFE = """
name: life
data: {kind: templates, entries: 30, mated: 40, unmated: 20, dimension: 8, batch: 6, enrol_batch: 4}
life: {every: 2, update: 5, delete: 3, enrol: 4, refresh: 6}
network: {kind: identity}
search: {threshold: 0.6}
insecure: [trusted_dealer]
"""


def course(*overrides: str) -> Course:
    scenario = parse_scenario(LIFE, overrides)
    dataset = open_scenario_data(scenario, None)
    split = split_scenario_data(dataset, scenario.data, scenario.seed, scenario.newcomers)
    return scenario_course(scenario, split, dataset)


def test_every_step_finds_its_rows_and_names_are_unique() -> None:
    drawn, table = course(), SlotTable()
    for step in drawn.steps:
        if step.kind == "delete":
            table.delete(step.rows)
        elif step.kind != "search":
            assert len(table.apply(step)) == step.size
        assert step.kind in {"enrol", "search"} or len(step.rows) == step.size
    assert len({step.session for step in drawn.steps}) == len(drawn.steps)
    assert max(step.size for step in drawn.steps if step.kind != "search") == 4


def test_the_gallery_changes_between_searches_as_often_as_asked() -> None:
    drawn = course()
    kinds = [step.kind for step in drawn.steps]
    rows = {kind: sum(s.size for s in drawn.steps if s.kind == kind) for kind in set(kinds)}
    assert kinds.count("search") == 10
    assert rows == {
        "enrol": 30 + 4 * 4, "update": 4 * 5, "delete": 4 * 3, "refresh": 4 * 6, "search": 60,
    }  # fmt: skip
    assert kinds[-1] == kinds[-2] == "search"
    assert len(drawn.people) == len(set(drawn.people)) == 46
    assert len(drawn.gallery) == 46 + 20


def test_an_update_is_another_picture_of_the_same_person_and_no_probe() -> None:
    drawn = course()
    version = 0
    current: dict[int, str] = {}
    for step in drawn.steps:
        numbers = range(len(current), len(current) + step.size)
        rows = {"enrol": numbers, "update": step.rows}.get(step.kind, ())
        for row in rows:
            picture = drawn.gallery[version]
            assert picture.startswith(f"{drawn.people[row]}/")
            assert picture != current.get(row)
            current[row] = picture
            version += 1
    assert version == len(drawn.gallery)
    assert not set(drawn.gallery) & {picture for _, picture in drawn.probes}


def test_a_person_with_no_other_picture_is_enrolled_again_from_the_same() -> None:
    class OnePicture:
        def __getattr__(self, name: str) -> object:
            return getattr(dataset, name)

        def pictures_of(self, identity: str) -> list[str]:
            return [f"{identity}/0"]

    scenario = parse_scenario(LIFE)
    dataset = open_scenario_data(scenario, None)
    split = split_scenario_data(dataset, scenario.data, scenario.seed, scenario.newcomers)
    drawn = scenario_course(scenario, split, OnePicture())  # type: ignore[arg-type]
    assert len(drawn.gallery) == 66
    assert len(set(drawn.gallery)) == 46


def test_the_seed_settles_everything() -> None:
    assert course() == course()
    assert course("seed=8") != course()


def test_mated_and_unmated_probes_meet_the_gallery_at_every_age() -> None:
    drawn = course()
    known = [identity in drawn.people for identity, _ in drawn.probes]
    assert 0 < sum(known[:20]) < 20
    assert 0 < sum(known[-20:]) < 20
    late = set(drawn.people[30:])
    assert late & {identity for identity, _ in drawn.probes}


def test_without_a_life_all_are_enrolled_and_mated_probes_come_first() -> None:
    drawn = course("life={}")
    kinds = [step.kind for step in drawn.steps]
    assert kinds == ["enrol"] * 8 + ["search"] * 10
    known = [identity in drawn.people for identity, _ in drawn.probes]
    assert known == [True] * 40 + [False] * 20


def test_a_verification_claims_ones_own_row_while_it_lives() -> None:
    drawn, probe = course("search.task=verify"), 0
    live: set[int] = set()
    row_of: dict[str, int] = {}
    for step in drawn.steps:
        if step.kind == "enrol":
            numbers = range(len(row_of), len(row_of) + step.size)
            row_of |= {drawn.people[row]: row for row in numbers}
            live |= set(numbers)
        elif step.kind == "delete":
            live -= set(step.rows)
        for claim in step.rows if step.kind == "search" else ():
            own = row_of.get(drawn.probes[probe][0], -1)
            assert claim in live
            assert own not in live or claim == own
            probe += 1
    assert probe == 60


@pytest.mark.parametrize(
    ("life", "where", "says"),
    [
        ("{update: 3}", "life.every", "never changes"),
        ("{every: 2}", "life", "nothing changes"),
        ("{every: 10, update: 3}", "life.every", "there are 10"),
        ("{every: 2, delete: 30}", "life.delete", "change 1 finds 30 rows"),
        ("{every: 2, delete: 9}", "life.delete", "change 4 finds 3 rows"),
        ("{every: 2, update: 31}", "life.update", "change 1 finds 30 rows"),
        ("{every: 2, update: 28, delete: 3}", "life.update", "change 1 finds 30 rows"),
        ("{every: 2, delete: 1, refresh: 30}", "life.refresh", "change 1 finds 30 rows"),
        ("{every: -1}", "life.every", ">= 0"),
        ("{evry: 1}", "life.evry", "did you mean 'every'?"),
    ],
)
def test_a_life_that_cannot_be_is_refused(life: str, where: str, says: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(LIFE, [f"life={life}"])
    assert caught.value.where == where
    assert says in str(caught.value)


def test_every_picture_that_is_sent_counts_for_its_person() -> None:
    """Picture ids of templates are `person/number`; updates send a person's pictures again."""
    drawn = course()
    pictures = [*drawn.gallery, *(picture for _, picture in drawn.probes)]
    assert drawn.uploads() == Counter(picture.partition("/")[0] for picture in pictures)
    assert sum(drawn.uploads().values()) == 46 + 20 + 60
