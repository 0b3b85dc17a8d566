from __future__ import annotations

import inspect
from collections.abc import Mapping

import numpy as np
import pytest
import toy_parties
from toy_parties import PARTIES

from orchestration.journal import Event, audit_hash
from orchestration.progress import Progress
from orchestration.runtime.memory import run_in_memory
from orchestration.runtime.outcome import PartyOutcome
from orchestration.runtime.ray import run_on_ray
from orchestration.runtime.ray_actor import PartyActor
from protocol.errors import (
    DataError,
    InfrastructureError,
    LocalProtocolError,
    PeerMisbehaviourError,
    PolicyViolationError,
)
from protocol.parties import Party

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]


class Aborted:
    """Keeps the journals that a failed run leaves."""

    def __init__(self) -> None:
        self.journals: Mapping[Party, list[Event]] = {}

    def keep(self, journals: Mapping[Party, list[Event]]) -> None:
        self.journals = dict(journals)


def on_ray(fault: str = "", **options: object) -> dict[Party, PartyOutcome]:
    return run_on_ray(
        toy_parties.briefs(fault),
        run="toy",
        insecure=frozenset(),
        builder="toy_parties:build",
        **options,  # type: ignore[arg-type]
    )


def fixed(outcomes: Mapping[Party, PartyOutcome]) -> str:
    return audit_hash(event for outcome in outcomes.values() for event in outcome.events)


def test_ray_and_memory_give_the_same_journal_and_observations() -> None:
    ray = on_ray()
    memory = run_in_memory(toy_parties.programs(), run="toy", insecure=frozenset(), seed=3)
    assert fixed(ray) == fixed(memory)
    for party in PARTIES:
        assert ray[party].observed.keys() == memory[party].observed.keys()
        for name, array in ray[party].observed.items():
            assert array.dtype == memory[party].observed[name].dtype
            np.testing.assert_array_equal(array, memory[party].observed[name])


def test_all_parties_share_one_clock() -> None:
    outcomes = on_ray()
    events = [event for outcome in outcomes.values() for event in outcome.events]
    sent = {(e.sender, e.receiver, e.sequence): e.at_s for e in events if e.event == "sent"}
    for event in events:
        if event.event == "received":
            assert sent[event.sender, event.receiver, event.sequence] < event.at_s + 0.005
    assert all(0 <= event.at_s < 60 for event in events)


def test_progress_counts_the_clients_sessions() -> None:
    seen: list[Progress] = []
    on_ray("slow", on_progress=seen.append)
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert [seen[0].stage, seen[-1].stage] == ["start", "search"]


@pytest.mark.parametrize(
    ("fault", "kind", "text"),
    [
        ("twice", PeerMisbehaviourError, "dealer -> model_provider.*SeedGrant.*twice"),
        ("unasked", PeerMisbehaviourError, "SeedGrant nobody asked for"),
        ("forbidden", PolicyViolationError, "not in the flow policy"),
        ("missing-data", DataError, "data.path: no pictures here .put some there"),
        ("bug", LocalProtocolError, "dealer: ValueError in orchestration.*this is a bug"),
    ],
)
def test_the_first_failure_is_raised_as_it_was_there(
    fault: str, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text) as caught:
        on_ray(fault)
    assert toy_parties.SECRET not in str(caught.value)


def test_a_deadline_names_who_waited_for_whom() -> None:
    text = "gallery_holder waits for QueryCorrections from dealer in search-0000.*waited 2 s"
    with pytest.raises(InfrastructureError, match=text):
        on_ray("silent", receive_timeout_s=2.0)


def test_a_killed_party_is_named_and_the_others_journals_survive() -> None:
    aborted = Aborted()
    with pytest.raises(InfrastructureError, match="actor of dealer is gone"):
        on_ray("killed-later", on_abort=aborted.keep)
    assert set(aborted.journals) == set(PARTIES) - {"dealer"}
    requests = [e for e in aborted.journals["model_provider"] if e.kind == "MaterialRequest"]
    assert len(requests) == 2


def test_no_actor_outlives_its_run() -> None:
    from ray.util import list_named_actors

    on_ray()
    with pytest.raises(DataError):
        on_ray("missing-data")
    assert list_named_actors(all_namespaces=True) == []


def test_actor_methods_take_and_return_bytes_only() -> None:
    methods = {
        name: method
        for name, method in inspect.getmembers(PartyActor, inspect.isfunction)
        if not name.startswith("_") or name == "__init__"
    }
    assert set(methods) > {"__init__", "prepare", "play", "deliver", "journal", "observe"}
    for name, method in methods.items():
        signature = inspect.signature(method)
        taken = [
            p.annotation
            for p in signature.parameters.values()
            if not p.name.startswith(("self", "_ray"))
        ]
        assert set(taken) <= {"bytes"}, name
        assert signature.return_annotation == ("None" if name == "__init__" else "bytes"), name
