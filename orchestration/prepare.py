"""Everything that is settled before the first message: split, networks, threshold, plan, briefs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from orchestration.acquaintance import acquaintance
from orchestration.assembly import PartyBrief, brief_with
from orchestration.brightness import Brightness, calibration_brightness
from orchestration.calibration import public_pictures
from orchestration.cohort import LOAD_BATCH, Cohort
from orchestration.evaluation import cosine_scores
from orchestration.networks import Networks, find_networks
from orchestration.pictures import check_pictures
from orchestration.progress import OnProgress, Progress
from orchestration.remembered import Memory, pictures_digest
from orchestration.stages import Stages
from protocol.features import Calibration, PrivacyBudget, privacy_budget
from protocol.mapping import RowForm
from protocol.parties import Party
from protocol.plan import RunPlan, Step
from protocol.search.bounds import check_bounds
from protocol.search.policies import policy_named
from protocol.sharing.prg import RandomBytes, keyed_random_bytes
from protocol.tensors import Tensor
from scenarios.checks import scenario_warnings
from scenarios.course import Course, scenario_course
from scenarios.datasets import DataSet, Split, open_scenario_data, split_scenario_data
from scenarios.resources import PREPARED_BYTES, material_bytes
from scenarios.specs import Scenario

__all__ = ["Preparation", "journal_key", "prepare"]

BASELINE: Final = "baseline"


class Preparation(NamedTuple):
    """A run that only has to be started.

    `gallery` holds the identity of each row number, `probes` that of each probe; `baseline` the
    unprotected network's cosines [P,V] of probes and enrolled pictures, where there is one;
    `brightness` that of the people the threshold was calibrated on.
    """

    plan: RunPlan
    briefs: dict[Party, bytes]
    gallery: tuple[str, ...]
    probes: tuple[str, ...]
    baseline: npt.NDArray[np.float32] | None
    budget: PrivacyBudget | None
    networks: Networks
    form: RowForm
    notes: tuple[str, ...]
    brightness: Brightness | None = None


def prepare(
    scenario: Scenario,
    data_root: Path | None,
    on_progress: OnProgress,
    views: Path | None = None,
    clock: Stages | None = None,
) -> Preparation:
    """Settle a run: open data, find or adapt networks, calibrate, plan and brief the parties.

    `views` is the folder for recorded views, where they are wanted; `clock` is told of the stages.

    Raises:
        ScenarioError: the scenario cannot be run with these data.
        DataError: a data set or weight file is missing or malformed.
    """
    dataset = open_scenario_data(scenario, data_root)
    split = split_scenario_data(dataset, scenario.data, scenario.seed, scenario.newcomers)
    course = scenario_course(scenario, split, dataset)
    public = public_pictures(scenario, dataset)
    chosen = (*public.mapping, *public.threshold)
    used = [picture for _, picture in (*chosen, *course.probes)]
    looked = check_pictures(dataset, (*used, *course.gallery), on_progress)
    networks = find_networks(scenario, data_root, dataset, on_progress)
    clock = clock or Stages()
    clock.ended("load")
    # What is written into a cache would outlive a run whose every trace is to be audited.
    memory = Memory(active=views is None)
    noise = partial(_calibration_bytes, scenario)
    cohort = Cohort(scenario, dataset, networks, public, memory, noise, on_progress)
    found = cohort.settle()
    clock.ended("calibrate", from_cache=bool(memory.used))
    plan = _plan(scenario, course.steps, found.form, found.threshold)
    check_bounds(plan)
    briefs = _briefs(scenario, data_root, plan, course, networks, found.mapped)
    if views is not None:
        folder = str(views.resolve())
        briefs = {party: brief_with(brief, views=folder) for party, brief in briefs.items()}
    clock.ended("plan")
    baseline = _baseline(dataset, course, networks, memory, on_progress)
    clock.ended(BASELINE, from_cache=BASELINE in memory.used)
    return Preparation(
        plan,
        briefs,
        course.people,
        tuple(identity for identity, _ in course.probes),
        baseline,
        _budget(scenario, networks.calibration, course),
        networks,
        found.form,
        (
            *scenario_warnings(scenario),
            *_met_before(networks, dataset, split, data_root),
            *looked,
            *found.notes,
        ),
        calibration_brightness(dataset, [picture for _, picture in public.threshold], memory),
    )


def _plan(scenario: Scenario, steps: tuple[Step, ...], form: RowForm, threshold: int) -> RunPlan:
    search = scenario.search
    pool = _pool(scenario, steps) if search.pool is None else search.pool
    return RunPlan(
        run=_run_name(scenario),
        protocol=search.protocol,
        ring_bits=search.ring_bits,
        dimension=form.dimension,
        threshold=threshold,
        radix=search.radix,
        steps=steps,
        open_scores="open_scores" in scenario.insecure,
        task=search.task,
        output=search.output,
        top_k=search.top_k,
        scale=search.ring_scale,
        check_inputs=search.check_inputs,
        pool=pool,
        low_water=max(1, pool // 2) if search.low_water is None else search.low_water,
    )


def _run_name(scenario: Scenario) -> str:
    """Return a run identifier of fixed length, so that envelopes of all runs have equal size."""
    if "test_randomness" in scenario.insecure:
        return blake2b(_test_key(scenario), digest_size=8).hexdigest()
    return uuid4().hex[:16]


def _pool(scenario: Scenario, steps: Sequence[Step]) -> int:
    """Return how many searches' material fits the memory set aside for it."""
    searches = [step.size for step in steps if step.kind == "search"]
    largest = material_bytes(scenario, max(searches, default=1))
    return max(1, min(len(searches), PREPARED_BYTES // largest))


def _briefs(
    scenario: Scenario,
    data_root: Path | None,
    plan: RunPlan,
    course: Course,
    networks: Networks,
    cohort: npt.NDArray[np.float64] | None,
) -> dict[Party, bytes]:
    """Tell each party only what it needs."""
    shared = None if cohort is None else Tensor.of(cohort.astype(np.float32))
    root = None if data_root is None else str(data_root.resolve())
    needs: dict[Party, dict[str, Any]] = {
        "client": {
            "data_root": root,
            "calibration": _npz(networks.calibration),
            "cohort": shared,
            "gallery": course.gallery,
            "probes": tuple(picture for _, picture in course.probes),
        },
        "model_provider": {"network": networks.student_path, "cohort": shared},
    }
    key = _test_key(scenario) if "test_randomness" in scenario.insecure else None
    return {
        party: PartyBrief(
            party=party, plan=plan, scenario=scenario, test_key=key, **needs.get(party, {})
        ).to_bytes()
        for party in policy_named(plan.protocol).parties
    }


def _baseline(
    dataset: DataSet,
    course: Course,
    networks: Networks,
    memory: Memory,
    on_progress: OnProgress,
) -> npt.NDArray[np.float32] | None:
    """Return cosine scores [P,V] of the unprotected RGB network on the same pictures.

    Embeddings are remembered of generated people alone: those of real ones are personal data.
    """
    rgb = networks.rgb
    if rgb is None:
        return None
    ids = [*course.gallery, *(picture for _, picture in course.probes)]

    def work() -> npt.NDArray[np.float32]:
        found = []
        for start in range(0, len(ids), LOAD_BATCH):
            on_progress(Progress(BASELINE, start, len(ids)))
            found.append(rgb.embed_pictures(dataset.load(ids[start : start + LOAD_BATCH])))
        return np.concatenate(found)

    def depends() -> dict[str, Any]:
        return {"network": rgb.digest, "pictures": pictures_digest(dataset, ids)}

    shape = (len(ids), rgb.dimension)
    kept = depends if dataset.synthetic else None
    embeddings = memory.recall(BASELINE, kept, work, lambda known: known.shape == shape)
    on_progress(Progress(BASELINE, len(ids), len(ids)))
    rows = len(course.gallery)
    return cosine_scores(embeddings[:rows], embeddings[rows:])


def _met_before(
    networks: Networks, dataset: DataSet, split: Split, data_root: Path | None
) -> tuple[str, ...]:
    """Say whom of this run the network's record knows."""
    people = split.persons
    found = acquaintance(networks.record, dataset, people, data_root)
    return tuple(found.notes(len(people)))


def _budget(
    scenario: Scenario, calibration: Calibration | None, course: Course
) -> PrivacyBudget | None:
    """Account for one picture, and for all pictures this run sends of one person."""
    if calibration is None:
        return None
    most = max(course.uploads().values(), default=0)
    return privacy_budget(scenario.features, calibration).of_person(most)


def _calibration_bytes(scenario: Scenario) -> RandomBytes:
    if "test_randomness" in scenario.insecure:
        return keyed_random_bytes(_test_key(scenario), "calibration")
    return os.urandom


def journal_key(scenario: Scenario) -> bytes | None:
    """Return the key of a run's journal digests where it is to repeat; None: a fresh one."""
    if "test_randomness" not in scenario.insecure:
        return None
    return keyed_random_bytes(_test_key(scenario), "journal")(32)


def _test_key(scenario: Scenario) -> bytes:
    return blake2b(f"bauta test randomness {scenario.seed}".encode(), digest_size=32).digest()


def _npz(calibration: Calibration | None) -> bytes | None:
    if calibration is None:
        return None
    buffer = BytesIO()
    np.savez(buffer, **calibration.to_arrays())  # type: ignore[arg-type]
    return buffer.getvalue()
