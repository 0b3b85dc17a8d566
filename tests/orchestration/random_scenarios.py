"""Small scenarios at random: most of them can be run, the rest have to be refused as such."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["random_scenario", "random_scenarios"]

PROTOCOLS = {"dealer": ["trusted_dealer"], "replicated": []}


def random_scenarios(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield documents; the same seed yields the same ones."""
    for number in range(count):
        yield random_scenario(np.random.default_rng([seed, number]), f"random-{number}")


def random_scenario(rng: np.random.Generator, name: str) -> dict[str, Any]:
    """Return one document; some break a rule that ties fields together."""

    def one(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    def upto(most: int, least: int = 0) -> int:
        return int(rng.integers(least, most + 1))

    protocol = one(*PROTOCOLS)
    task = one("identify", "identify", "identify", "verify")
    output = one("any", "count", "identity", "bitmap") if task == "identify" else "bitmap"
    insecure = [*PROTOCOLS[protocol], *one([], ["open_scores"], ["test_randomness"])]
    mated, unmated, batch = upto(5, 1), upto(5), upto(4, 1)
    life = one({}, {"every": 1, "update": upto(1), "delete": upto(1), "enrol": upto(2),
                    "refresh": upto(2, 1)})  # fmt: skip
    search = {
        "protocol": protocol,
        "task": task,
        "output": one(*[output] * 19, "any"),
        "top_k": upto(5, 1) if output == "identity" else one(*[1] * 19, 2),
        "ring_bits": one(16, 32),
        "scale": one(*[None] * 9, 1, 2, 60, 127, 200),
        "radix": one(1, 2, 3, 4),
        "threshold": one(*[0.0, 0.3, 0.99, -0.9] * 5, None),
        "check_inputs": one(False, False, True),
        "pool": one(None, 2, 3),
        "low_water": one(None, None, 1, 2),
    }
    if mated + unmated <= batch:
        life = {}
    return {
        "name": name,
        "seed": upto(1000),
        "runtime": "memory",
        "data": {
            "kind": one(*["templates"] * 19, "synthetic"),
            "entries": upto(9, 3),
            "mated": mated,
            "unmated": unmated,
            "dimension": one(8, 16, 33),
            "noise": one(0.0, 0.5, 10.0),
            "batch": batch,
            "enrol_batch": upto(4, 1),
            "per_person": one(None, None, None, 1, 3),
        },
        "life": life,
        "network": {"kind": "identity"},
        "mapping": one(
            {}, {}, {"kind": "polyprotect", "cohort": 4}, {"kind": "folded", "blocks": 4}
        ),
        "search": search,
        "insecure": insecure,
        "budget": one(None, None, 100, 100, 5),
        "capture": one("none", "none", "payloads"),
        "report": one(True, False),
    }
