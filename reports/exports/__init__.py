"""Runs and policies in the formats of other tools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from reports.exports.chrome import chrome_trace
from reports.exports.dataflow import dataflow_svg
from reports.exports.linddun import linddun_markdown
from reports.exports.pytm import pytm_model
from reports.policy_text import policy_markdown
from reports.records import RunFiles
from reports.sequence import mermaid
from reports.sequence_svg import sequence_svg

__all__ = ["FORMATS"]

FORMATS: Final[dict[str, Callable[[RunFiles], str]]] = {
    "mermaid": lambda run: mermaid(run.events, run.policy),
    "sequence": lambda run: sequence_svg(run.events, run.policy),
    "dataflow": lambda run: dataflow_svg(run.events, run.policy),
    "pytm": lambda run: pytm_model(run.events, run.policy),
    "chrome-trace": lambda run: chrome_trace(run.events, run.policy),
    "linddun": lambda run: linddun_markdown(run.policy),
    "policy": lambda run: policy_markdown(run.policy),
}
