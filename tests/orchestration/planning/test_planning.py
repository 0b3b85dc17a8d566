"""Plans of large galleries: bytes by formula, time by rate, machines by both."""

from __future__ import annotations

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from orchestration.cli.main import main
from orchestration.planning.needs import Machine, Need, need, traffic
from orchestration.planning.rates import Rates, line, measure_rates
from protocol.search.protocols import protocol_names
from reports.planning import need_lines
from scenarios.resources import party_memory_bytes
from scenarios.schema import load_scenario
from scenarios.specs import Scenario

RATES = Rates(
    entries=(1000, 2000), probes=1, server_fixed_s=1e-3, server_row_s=1e-7, offline_row_s=2e-7
)
SMALL = Machine(memory_gib=1.0, cores=2, link_gbps=1.0, round_trip_ms=1.0)


def templates(protocol: str = "dealer", **search: object) -> Scenario:
    scenario = load_scenario("templates-100k")
    fields = {"protocol": protocol, **search}
    return msgspec.structs.replace(
        scenario, search=msgspec.structs.replace(scenario.search, **fields)
    )


def planned(entries: int, within_s: float = 0.5, machine: Machine = SMALL) -> Need:
    return need(templates(), entries, RATES, machine, within_s)


def test_bytes_of_a_search_are_those_of_the_benchmarks() -> None:
    found = traffic(templates(), 100_000, 1)
    assert found.rounds == 6
    assert found.busiest_bytes / 100_000 == pytest.approx(4.26, abs=0.01)
    assert found.offline_bytes / 100_000 == pytest.approx(6.25, abs=0.01)
    assert found.upload_bytes == 512 * 4
    assert found.enrol_bytes > 100_000 * 512 * 2


@pytest.mark.parametrize("protocol", protocol_names())
def test_every_protocol_can_be_planned_for_a_billion(protocol: str) -> None:
    small, large = (traffic(templates(protocol), n, 1) for n in (10**6, 10**9))
    assert large.online_bytes == pytest.approx(1000 * small.online_bytes, rel=0.01)
    found = need(templates(protocol), 10**9, RATES, Machine(), 5.0)
    assert found.machines is not None
    assert found.traffic.rounds == traffic(templates(protocol), 10**9 // found.machines, 1).rounds


def test_a_batch_moves_its_probes_together() -> None:
    one, many = (traffic(templates(), 10_000, probes) for probes in (1, 32))
    assert many.rounds == one.rounds
    assert many.online_bytes == pytest.approx(32 * one.online_bytes, rel=0.05)


def test_memory_is_that_of_a_scenario_of_this_size() -> None:
    scenario = templates()
    sized = msgspec.structs.replace(
        scenario,
        data=msgspec.structs.replace(scenario.data, entries=5000, mated=1, unmated=0, batch=1),
        search=msgspec.structs.replace(scenario.search, pool=1, low_water=1),
    )
    found = planned(5000).memory_bytes
    assert found == {
        party: size
        for party, size in party_memory_bytes(sized).items()
        if party not in {"client", "evaluator"}
    }


def test_more_machines_where_memory_or_time_asks_for_them() -> None:
    assert planned(10_000).machines == 1
    assert planned(10_000).bound_by == "nothing"
    full = planned(1_000_000, machine=msgspec.structs.replace(SMALL, cores=64))
    assert (full.machines, full.bound_by) == (2, "memory")
    slow = planned(1_000_000, within_s=0.02, machine=msgspec.structs.replace(SMALL, memory_gib=99))
    assert slow.bound_by == "time"
    assert slow.latency_s is not None
    assert slow.latency_s <= 0.02
    assert slow.machines is not None
    assert slow.machines > 1


def test_rounds_cannot_be_divided() -> None:
    found = planned(1000, within_s=0.003)
    assert found.machines is None
    assert "rounds and upload alone take 4 ms" in found.bound_by
    assert "none" in need_lines([found], RATES, SMALL)[1]


@given(st.integers(1, 10**10), st.floats(0.01, 10))
def test_a_plan_keeps_its_promises(entries: int, within_s: float) -> None:
    found = planned(entries, within_s)
    assert found.machines is not None
    assert found.machine_bytes is not None
    assert found.latency_s is not None
    assert found.latency_s <= within_s * (1 + 1e-9)
    assert found.machine_bytes <= 0.8 * 2**30 + 1
    assert found.machine_bytes * found.machines >= max(found.memory_bytes.values())


def test_a_line_passes_through_both_ends() -> None:
    assert line((10, 30), [3.0, 7.0]) == pytest.approx((1.0, 0.2))
    assert line((10, 30), [1.0, 6.0]) == (0.0, 0.2)
    assert line((10, 30), [5.0, 4.0]) == (5.0, 0.0)


def test_rates_are_measured_on_real_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.planning.rates.MEASURED", (2000, 40_000))
    scenario = templates()
    scenario = msgspec.structs.replace(
        scenario, data=msgspec.structs.replace(scenario.data, dimension=64)
    )
    found = measure_rates(scenario, 2, lambda _: None)
    assert found.entries == (2000, 40_000)
    assert found.probes == 2
    assert found.server_row_s > 0


def test_the_command_prints_a_line_for_each_gallery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.planning.rates.measure_rates", lambda *_: RATES)
    asked = ["plan", "--entries", "1000", "--entries", "1000000000"]
    found = CliRunner().invoke(main, asked)
    assert found.exit_code == 0, found.output
    assert "1,000,000,000" in found.output
    assert "model_provider 1.09 TB" in found.output
    as_json = msgspec.json.decode(CliRunner().invoke(main, [*asked, "--json"]).stdout)
    assert [entry["entries"] for entry in as_json["needs"]] == [1000, 10**9]


def test_a_wrong_field_is_refused() -> None:
    found = CliRunner().invoke(main, ["plan", "--set", "search.protocol=magic"])
    assert found.exit_code == 2
    assert "search.protocol" in found.output
