"""Rules that tie several fields of a scenario together, each with its field path and a hint."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from protocol.search.policies import policy_named
from scenarios.validation import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenarios.specs import Scenario, SearchSpec

__all__ = ["check_fields", "scenario_warnings"]


def check_fields(scenario: Scenario) -> list[Problem]:
    """Return every impossible combination in a scenario; empty when it can be run."""
    rules = (_check_data, _check_life, _check_network, _check_search, _check_budget)
    return [problem for rule in rules for problem in rule(scenario)]


def _check_data(scenario: Scenario) -> Iterator[Problem]:
    data = scenario.data
    if data.kind == "folder" and data.path is None:
        hint = "data.path: a folder or zip of identity/picture at 112x112"
        yield Problem("data.path", "a folder data set needs a path", hint)
    if data.kind != "folder" and data.path is not None:
        hint = "use data.kind: folder, or set BAUTA_DATA for lfw"
        yield Problem("data.path", f"data.kind {data.kind} takes no path", hint)
    if data.reverse and data.kind != "lfw":
        message = f"data.kind {data.kind} has no second half to swap with"
        yield Problem("data.reverse", message, "leave it out, or use data.kind: lfw")
    if data.mated + data.unmated == 0:
        hint = "set data.mated or data.unmated to 1 or more"
        yield Problem("data.mated", "the scenario has no probes", hint)
    if data.per_person is not None and data.per_person * data.entries < data.mated:
        most = data.per_person * data.entries
        message = f"{data.entries} people with at most {data.per_person} probes give {most} probes"
        yield Problem("data.mated", message, "raise data.per_person or lower data.mated")


def _check_life(scenario: Scenario) -> Iterator[Problem]:
    life = scenario.life
    changed = life.update + life.delete + life.enrol + life.refresh
    if changed and not life.every:
        hint = "set life.every to the searches between two changes"
        yield Problem("life.every", "the gallery never changes", hint)
    if life.every and not changed:
        hint = "set life.update, life.delete, life.enrol or life.refresh"
        yield Problem("life", "nothing changes in the gallery", hint)
    if changed and life.every >= scenario.searches > 0:
        message = f"the gallery changes between searches, and there are {scenario.searches}"
        yield Problem("life.every", message, "lower life.every or data.batch")
    yield from _check_rows(scenario)


def _check_rows(scenario: Scenario) -> Iterator[Problem]:
    """Require that every change finds the rows it takes, and leaves the gallery some."""
    life, rows = scenario.life, scenario.data.entries
    for number in range(1, scenario.changes + 1):
        left = rows - life.delete + life.enrol
        taken = {"delete": life.delete + 1, "update": life.update + life.delete}
        short = [name for name, needed in taken.items() if needed > rows]
        short += ["refresh"] if life.refresh > left else []
        for name in short:
            message = f"change {number} finds {rows} rows, too few for these changes"
            yield Problem(f"life.{name}", message, f"lower life.{name} or raise data.entries")
        if short:
            return
        rows = left


def _check_network(scenario: Scenario) -> Iterator[Problem]:
    network, templates = scenario.network, scenario.data.kind == "templates"
    if network.kind == "identity" and not templates:
        message = "the identity network only passes templates through; pictures need a network"
        yield Problem("network.kind", message, "use shipped or student, or data.kind: templates")
    if templates and network.kind != "identity":
        message = f"templates are no pictures, network {network.kind} cannot read them"
        yield Problem("network.kind", message, "use network.kind: identity")
    if network.weights is not None and network.kind != "student":
        message = f"network {network.kind} takes no weights file"
        yield Problem("network.weights", message, "use network.kind: student")


def _check_search(scenario: Scenario) -> Iterator[Problem]:
    search = scenario.search
    limit = 2 ** (search.ring_bits - 1)
    if 2 * search.ring_scale**2 >= limit:
        largest = math.isqrt((limit - 1) // 2)
        message = (
            f"a {search.ring_bits}-bit ring is too small for scores of templates with norm "
            f"{search.ring_scale}: 2*scale^2 must stay below {limit}"
        )
        wider = " or search.ring_bits: 32" if search.ring_bits == 16 else ""
        yield Problem("search.scale", message, f"use at most {largest}{wider}")
    if search.threshold is None and scenario.data.kind == "templates":
        message = "there are no training people to calibrate a threshold on"
        yield Problem("search.threshold", message, "give a cosine, for example 0.5")
    for shortcut in policy_named(search.protocol).shortcuts:
        if shortcut not in scenario.insecure:
            message = f"protocol {search.protocol} rests on {shortcut}; say so"
            yield Problem("insecure", message, f"add {shortcut} to insecure")
    yield from _check_output(search)
    repeated = {name for name in scenario.insecure if scenario.insecure.count(name) > 1}
    for name in sorted(repeated):
        yield Problem("insecure", f"{name} is listed twice", "list it once")


def _check_budget(scenario: Scenario) -> Iterator[Problem]:
    most = scenario.enrolment_budget
    if most is not None and scenario.enrolments > most:
        message = f"a budget of {most:,} does not cover the {scenario.enrolments:,} enrolments"
        hint = "raise enrolment_budget, or lower data.entries, life.enrol or life.update"
        yield Problem("enrolment_budget", message, hint)
    if scenario.ledger is not None and scenario.budget is None:
        message = "a ledger counts a budget, and there is none"
        yield Problem("ledger", message, "set budget to the probes that may be asked in all")


def _check_output(search: SearchSpec) -> Iterator[Problem]:
    if search.task == "verify" and search.output != "bitmap":
        message = f"a verification answers with one bit, output {search.output} makes no sense"
        yield Problem("search.output", message, "use search.output: bitmap")
    if search.top_k != 1 and search.output != "identity":
        message = f"top_k names rows, output {search.output} names none"
        yield Problem("search.top_k", message, "use search.output: identity")
    most = policy_named(search.protocol).top_k
    if most is not None and search.top_k > most:
        message = f"protocol {search.protocol} names at most {most} of the best rows"
        yield Problem("search.top_k", message, f"use search.top_k: {most}")
    kinds = {flow.kind for flow in policy_named(search.protocol).flows}
    if search.check_inputs and "RevealedBits" not in kinds:
        message = f"protocol {search.protocol} cannot check inputs inside the computation"
        yield Problem("search.check_inputs", message, "use protocol dealer or replicated, or false")
    if search.low_water is not None and search.low_water > (search.pool or search.low_water):
        message = f"the low-water mark {search.low_water} lies above the pool of {search.pool}"
        yield Problem("search.low_water", message, f"use at most {search.pool}")


def scenario_warnings(scenario: Scenario) -> list[str]:
    """Return what a reader of the results must know; for run.json and the report."""
    return [*_data_warnings(scenario), *_metric_warnings(scenario)]


def _data_warnings(scenario: Scenario) -> Iterator[str]:
    data, network = scenario.data, scenario.network
    if data.kind == "synthetic":
        yield "Synthetic faces from a generator: accuracy says nothing about real people."
    if data.kind == "templates":
        yield "Random templates, no faces: the run measures cost and correctness, not accuracy."
    if data.kind == "lfw" and network.teacher == "ms1m" and network.kind == "student":
        yield "The ms1m teacher very likely saw LFW people; the casia teacher is the fairer one."
    if data.kind in ("lfw", "folder") and network.kind == "shipped":
        yield "The shipped network was trained on synthetic faces only; expect poor accuracy here."


def _metric_warnings(scenario: Scenario) -> Iterator[str]:
    if "open_scores" not in scenario.insecure:
        yield "Scores stay secret: rank-1 and curves need insecure: [open_scores]."
    if scenario.mapping.kind != "none" and scenario.search.ring_bits == 16:
        yield "Mapped rows lose accuracy in a 16-bit ring; prefer search.ring_bits: 32."
    features = scenario.features
    bare_colour = features.colour != "none" and features.colour_epsilon is None
    if features.epsilon is not None and bare_colour:
        yield "Colour maps carry no noise: the total privacy budget is unbounded."
