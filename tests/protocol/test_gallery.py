"""The slot table against a dictionary: stable row numbers, dense slots, whatever happens."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import LocalProtocolError
from protocol.gallery import SlotTable
from protocol.plan import Step


@given(st.data())
def test_slots_stay_dense_and_numbers_stable(data: st.DataObject) -> None:
    table, contents, slots = SlotTable(), dict[int, str](), dict[int, str]()
    given_out, deleted = 0, False
    for _ in range(data.draw(st.integers(1, 12))):
        live = sorted(contents)
        remove: bool = data.draw(st.booleans())
        if live and remove:
            rows = data.draw(st.lists(st.sampled_from(live), unique=True, max_size=4))
            for source, target in table.delete(rows):
                slots[target] = slots[source]
                del slots[source]
            for row in rows:
                del contents[row]
            deleted |= bool(rows)
        else:
            count = data.draw(st.integers(1, 5))
            for number, slot in enumerate(table.apply(Step("s", count, "enrol")), given_out):
                contents[number] = slots[int(slot)] = f"row {number}"
            given_out += count
        assert len(table) == len(contents) == len(slots)
        assert table.in_order is not deleted
        assert deleted or list(table.rows) == list(range(given_out))
        assert sorted(slots) == list(range(len(table)))
        assert [slots[slot] for slot in range(len(table))] == [contents[r] for r in table.rows]
        updated = table.apply(Step("u", 2, "update", tuple(contents)[:2]))
        assert [slots[int(slot)] for slot in updated] == list(contents.values())[:2]


@pytest.mark.parametrize("row", [-1, 1, 3, 10**9])
def test_a_row_that_is_not_there_is_named(row: int) -> None:
    table = SlotTable()
    table.apply(Step("e", 3, "enrol"))
    table.delete([1])
    for use in (table.slots, table.delete):
        with pytest.raises(LocalProtocolError, match=f"row {row} is not"):
            use([0, row])


def test_a_large_gallery_takes_sixteen_bytes_per_row() -> None:
    table = SlotTable()
    for _ in range(10):
        table.apply(Step("e", 10_000, "enrol"))
    assert np.array_equal(table.rows, np.arange(100_000))
    assert table.nbytes <= 2 * 16 * 100_000
