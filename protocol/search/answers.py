"""Answers over stable row numbers instead of slots."""

from __future__ import annotations

import numpy as np

from protocol.gallery import SlotTable
from protocol.plan import RunPlan
from protocol.search.sides import Answers, spread

__all__ = ["ABSENT_SCORE", "by_row_number"]

ABSENT_SCORE = -(1 << 31)


def by_row_number(found: Answers, table: SlotTable, plan: RunPlan) -> Answers:
    """Return answers by row number; a verification's single column becomes `verified` [B]."""
    result = dict(found)
    if plan.task == "verify":
        result["verified"] = result.pop("match")[:, 0]
        return result
    if "match" in result:
        result["match"] = spread(result["match"], table, plan.rows, absent=0)
    if "scores" in result:
        result["scores"] = spread(result["scores"], table, plan.rows, absent=ABSENT_SCORE)
    if "identity" in result:
        slots = result["identity"]
        result["identity"] = np.where(slots < 0, -1, table.rows[slots])
    return result
