"""95 % intervals by resampling people, for one system and for the difference of two."""

from reports.intervals.accuracy import FoldedPairs
from reports.intervals.open_set import OpenSearch, enough_strangers
from reports.intervals.pairs import PairRate, PairTotals, tail_size
from reports.intervals.quantiles import cutoffs, fpir_cutoff
from reports.intervals.resampling import (
    Estimate,
    Statistic,
    difference,
    estimate,
    numbered,
)
from reports.intervals.shares import Share
from reports.intervals.wilson import CONFIDENCE, wilson_interval

__all__ = [
    "CONFIDENCE",
    "Estimate",
    "FoldedPairs",
    "OpenSearch",
    "PairRate",
    "PairTotals",
    "Share",
    "Statistic",
    "cutoffs",
    "difference",
    "enough_strangers",
    "estimate",
    "fpir_cutoff",
    "numbered",
    "tail_size",
    "wilson_interval",
]
