from __future__ import annotations

import asyncio
from threading import Thread

import numpy as np
import pytest

from orchestration.benchmarks.search import memory
from orchestration.benchmarks.search.cells import (
    Cell,
    Gallery,
    Options,
    plan_of,
    protocol_cells,
    rounds_of,
    scenario_of,
    skip_reason,
)
from orchestration.benchmarks.search.memory import (
    cell_memory_bytes,
    memory_groups,
    peer_memory_bytes,
)
from orchestration.benchmarks.search.rows import Row, skipped_row, with_ratios
from orchestration.benchmarks.search.samples import journal_samples
from orchestration.benchmarks.search.turns import AbandonedError, ThreadTurns
from orchestration.benchmarks.search.workload import (
    BLOCK_ROWS,
    TemplateBlocks,
    make_workload,
    searches,
)
from orchestration.runtime.memory import run_in_memory
from protocol.channel import Channel
from protocol.mapping import PlainForm
from protocol.parties import Party
from protocol.roles import Observation
from protocol.search import plaintext
from scenarios.resources import gallery_memory_bytes

OPTIONS = Options(
    entries=(1000,),
    dimensions=(64,),
    rings=(16,),
    batches=(1, 32),
    protocols=("dealer",),
    peers=("faiss", "crypten", "plaintext"),
    runtimes=("memory", "ray"),
    threads=1,
    repeats=9,
    warmups=2,
    seed=7,
)
GALLERY = Gallery(1000, 64, 16)


def test_any_block_of_templates_can_be_made_alone() -> None:
    blocks = TemplateBlocks(3, BLOCK_ROWS + 5, 8)
    made = dict(iter(blocks))
    assert [len(block) for block in made.values()] == [BLOCK_ROWS, 5]
    assert np.array_equal(blocks.load(BLOCK_ROWS, 5), made[BLOCK_ROWS])
    assert np.allclose(np.linalg.norm(made[BLOCK_ROWS], axis=1), 1)
    assert not np.array_equal(made[0][:5], made[BLOCK_ROWS])


def test_the_oracle_is_the_plaintext_search_over_all_blocks() -> None:
    entries, form = BLOCK_ROWS + 13, PlainForm(16, 16, 127)
    workload = make_workload(form, seed=1, entries=entries, probes=6, keep_rows=True)
    assert workload.rows is not None
    assert workload.rows.shape == (entries, 16)
    scores = plaintext.scores(workload.rows, workload.integer_probes)
    wanted = plaintext.matches(scores, workload.threshold)
    found = np.unpackbits(workload.oracle, axis=1, count=entries, bitorder="little")
    assert np.array_equal(found, wanted)
    # Even probes are near a template, and some unrelated rows lie above the threshold too.
    assert scores[::2].max(axis=1).min() > 0.8 * 127**2
    assert wanted.sum() > 6


def test_every_batch_size_is_searched_once_per_repetition() -> None:
    turns = searches((1, 4), 3)
    assert [(turn.repeat, turn.batch) for turn in turns] == [
        (0, 1), (0, 4), (1, 1), (1, 4), (2, 1), (2, 4),
    ]  # fmt: skip
    covered = np.concatenate([np.arange(15)[turn.probes] for turn in turns])
    assert np.array_equal(covered, np.arange(15))


def test_large_crypten_searches_are_repeated_less_and_huge_ones_skipped() -> None:
    large = Gallery(100_000, 512, 16)
    assert rounds_of(OPTIONS, "crypten", GALLERY, 1) == rounds_of(OPTIONS, "dealer", large, 1) == 11
    assert rounds_of(OPTIONS, "crypten_ttp", large, 1) == 3
    assert skip_reason("crypten", large) == skip_reason("dealer", large) == ""
    huge = Gallery(1_000_000, 512, 16)
    reason = skip_reason("crypten by itself", huge)
    assert "100,000" in reason
    row = skipped_row("crypten by itself", "plain", huge, 32, reason)
    assert row.online_s_median is None
    assert row.skipped == reason
    assert not row.failed


def test_the_plan_enrols_in_blocks_and_gives_each_search_material_of_its_own() -> None:
    scenario = scenario_of(Cell("dealer", "memory", GALLERY), OPTIONS)
    plan = plan_of(scenario, 99, searches((1, 32), 2))
    assert plan.rows == GALLERY.entries
    assert [step.size for step in plan.searches] == [1, 32, 1, 32]
    assert plan.pool == 1
    assert plan.threshold == 99


def test_groups_hold_as_many_cells_as_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = protocol_cells(OPTIONS, GALLERY)
    one = cell_memory_bytes(cells[0], OPTIONS)
    assert one >= gallery_memory_bytes(scenario_of(cells[0], OPTIONS))
    peers = peer_memory_bytes(OPTIONS, GALLERY)
    monkeypatch.setattr(memory, "available_memory_bytes", lambda: int((peers + 1.5 * one) / 0.9))
    assert list(memory_groups(cells, OPTIONS)) == [[cells[0]], [cells[1]]]
    monkeypatch.setattr(memory, "available_memory_bytes", lambda: int((peers + 2.5 * one) / 0.9))
    assert list(memory_groups(cells, OPTIONS)) == [cells]
    assert list(memory_groups([], OPTIONS)) == [[]]


def row(name: str, online_s: float, batch: int = 1, servers_s: float | None = None) -> Row:
    return Row(
        name=name, runtime="plain", entries=10, dim=8, batch=batch, ring=16,
        online_s_median=online_s, servers_online_s_median=servers_s,
    )  # fmt: skip


def test_rows_are_compared_at_equal_batch_size_only() -> None:
    mine, alone, *_ = with_ratios(
        [
            row("dealer", 2.0, servers_s=1.0), row("dealer", 5.0, batch=3),
            row("faiss range_search", 0.8), row("faiss search k=1", 0.5),
            row("crypten", 60.0), row("crypten by itself", 40.0),
        ]
    )  # fmt: skip
    assert (mine.ratio_to_faiss, mine.servers_ratio_to_faiss) == (4.0, 2.0)
    assert mine.ratio_to_crypten == 20.0
    assert alone.ratio_to_faiss is alone.ratio_to_crypten is None


def test_no_search_gives_no_sample() -> None:
    assert journal_samples((), (), (), ()) == []


class Resting:
    """A server that waits for its client's first answer, or the client that has it."""

    def __init__(self, turns: ThreadTurns, order: list[str], *, client: bool) -> None:
        self.turns, self.order, self.client = turns, order, client

    async def run(self, channel: Channel) -> Observation:
        assert channel is not None
        if self.client:
            self.order.append("client")
            self.turns.ended()
        else:
            await self.turns.rest(1)
            self.order.append("server")
        return {}


@pytest.mark.parametrize("seed", range(6))
def test_a_resting_server_lets_the_others_run_until_the_client_has_its_answer(seed: int) -> None:
    turns, order = ThreadTurns(), list[str]()
    programs: dict[Party, Resting] = {
        "client": Resting(turns, order, client=True),
        "model_provider": Resting(turns, order, client=False),
    }
    run_in_memory(programs, run="r", insecure=frozenset(), seed=seed)
    assert order == ["client", "server"]


def test_an_abandoned_client_stops_at_its_pause() -> None:
    turns, seen = ThreadTurns(), []

    def body() -> None:
        try:
            asyncio.run(turns.wait())
            seen.append("a turn")
            asyncio.run(turns.wait())
        except AbandonedError:
            seen.append("abandoned")
        turns.end()

    thread = Thread(target=body)
    thread.start()
    assert turns.over(5)
    assert not turns.over(0.01)
    turns.go()
    assert turns.over(5)
    turns.abandon()
    thread.join(5)
    assert seen == ["a turn", "abandoned"]
    assert turns.over(5)
