"""The first screen: verdict, key numbers, and everything that limits what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from reports.answers import level_text
from reports.html.accuracy import open_set_rate, tpir_label
from reports.wording import NOT_MEASURED, changed, count, counted, duration, percent, size

__all__ = [
    "Banner",
    "Tile",
    "banners",
    "check_name",
    "epsilon",
    "target_fpir",
    "tiles",
    "verdict",
]

DEFAULT_FPIR: Final = 0.01
_INSECURE: Final = {
    "crypten_first_party": (
        "CrypTen's first party provides",
        "the model provider knows every mask, so it can read gallery, probes and decisions",
    ),
    "open_scores": (
        "Scores are opened",
        "the client receives every score, to measure accuracy; in operation they must stay shared",
    ),
    "trusted_dealer": (
        "Trusted dealer",
        "one party makes all masks; whoever colludes with it sees through them",
    ),
    "weak_generators": (
        "Weak generators",
        "masks come from Mersenne Twisters with 64-bit seeds; who sees some can predict the rest",
    ),
    "test_randomness": (
        "Test randomness",
        "masks and keys come from a seeded generator: nothing in this run was secret",
    ),
}


_CHECKS: Final = {
    "oracle_equal": "Secure result equals the plaintext oracle",
    "traffic_reconciled": "Every byte sent was received",
    "costs_equal_declared": "Traffic equals the declared formulas",
    "sequences_gapless": "No message lost, repeated or reordered",
    "nothing_undeclared": "Nothing outside the flow policy",
}


class Tile(NamedTuple):
    """A key number with what it means and what to compare it with."""

    name: str
    value: str
    notes: tuple[str, ...]


class Banner(NamedTuple):
    """A limitation to know before reading on."""

    kind: Literal["failed", "insecure", "synthetic", "trust"]
    title: str
    text: str


def verdict(summary: Mapping[str, Any]) -> tuple[bool, str]:
    """Return whether all checks passed, and that as a sentence."""
    failed = [check for check in summary["checks"] if not check["passed"]]
    total = len(summary["checks"])
    if not total:
        return False, "Nothing was checked"
    if failed:
        return False, f"{len(failed)} of {counted(total, 'check')} failed"
    return True, f"All {total} checks passed"


def banners(summary: Mapping[str, Any]) -> Iterator[Banner]:
    """Yield failed checks, insecure shortcuts, synthetic data and the trust model."""
    for check in summary["checks"]:
        if not check["passed"]:
            yield Banner("failed", f"Check failed: {check_name(check['name'])}", check["detail"])
    protection = summary["protection"]
    for entry in protection["insecure"]:
        title, text = _INSECURE.get(entry, (entry, "an insecure shortcut of this scenario"))
        yield Banner("insecure", f"Insecure: {title[0].lower()}{title[1:]}", f"{text} ({entry})")
    if protection["synthetic_data"]:
        text = "faces or templates are generated; accuracy says nothing about real people"
        yield Banner("synthetic", "Synthetic data", text)
    yield Banner("trust", "Trust model", _trust(summary))


def check_name(name: str) -> str:
    """Return what a check shows, in words; an unknown name stays readable."""
    return _CHECKS.get(name, name.replace("_", " ").capitalize())


def target_fpir(scenario: Mapping[str, Any]) -> float:
    """Return the false-alarm rate the scenario aims at."""
    search = scenario.get("search")
    wanted = search.get("fpir") if isinstance(search, Mapping) else None
    return float(wanted) if isinstance(wanted, (int, float)) and wanted > 0 else DEFAULT_FPIR


def tiles(summary: Mapping[str, Any], scenario: Mapping[str, Any]) -> list[Tile]:
    """Return the key numbers: accuracy, latency, bytes, privacy, size."""
    return [
        _accuracy(summary, scenario),
        _latency(summary["latency"]),
        _bytes(summary["traffic"]["per_probe_bytes"]),
        _privacy(summary["protection"]),
        _extent(summary["run"]),
    ]


def epsilon(value: float | str | None) -> str:
    """Return a privacy budget for people; without a number there is no promise, and why."""
    if isinstance(value, str):
        return "no noise, no promise" if value == "no noise" else f"no promise: ε is {value}"
    return "no promise" if value is None else f"ε = {_number(value)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


_AT_THRESHOLD: Final = {
    "verified": ("TAR at the threshold", "verification", "tar", "far", "FAR", "impostors' claims"),
    "any": ("Detected at the threshold", "detection", "detected", "fpir", "FPIR", "unmated probes"),
    "count": (
        "Detected at the threshold",
        "detection",
        "detected",
        "fpir",
        "FPIR",
        "unmated probes",
    ),
    "identity": ("Named at the threshold", "operating", "tpir", "fpir", "FPIR", "unmated probes"),
    "match": ("TPIR at the threshold", "operating", "tpir", "fpir", "FPIR", "unmated probes"),
}


def _accuracy(summary: Mapping[str, Any], scenario: Mapping[str, Any]) -> Tile:
    """Return how often the answer is right; of a bitmap also at the rate of false alarms aimed at.

    Other answers only exist at the threshold that was used.
    """
    secure, baseline = (summary["accuracy"].get(name) for name in ("secure", "baseline"))
    level = summary["run"]["answer"]
    if level != "match":
        return _operating(secure, level, opened=summary["run"]["scores_opened"])
    for target in (target_fpir(scenario), DEFAULT_FPIR):
        found = open_set_rate(secure, target)
        if found is not None:
            beside = open_set_rate(baseline, target)
            note = _beside(None if beside is None else beside["tpir"]["value"])
            coarse = () if found["resolved"] else ("too few unmated probes to resolve this",)
            return Tile(tpir_label(target), percent(found["tpir"]["value"]), (note, *coarse))
    return _operating(secure, level, opened=summary["run"]["scores_opened"])


def _operating(secure: Mapping[str, Any] | None, level: str, *, opened: bool) -> Tile:
    title, rates, hit, miss, rate, missing = _AT_THRESHOLD[level]
    measured = (secure or {}).get(rates) or {}
    found, wrong = ((measured.get(name) or {}).get("value") for name in (hit, miss))
    note = f"no {missing}" if wrong is None else f"at {rate} {percent(wrong)}"
    told = level_text(level, scores_opened=opened)
    beside = (_beside(None),) if level == "match" else (told,)
    return Tile(title, percent(found), (note, *beside))


def _beside(baseline: float | None) -> str:
    return f"unprotected baseline {NOT_MEASURED if baseline is None else percent(baseline)}"


def _latency(latency: Mapping[str, Any]) -> Tile:
    """Return the time of one probe; in a batch that is its share, and the batch is named too."""
    many = latency["batch"] > 1
    name = "Time per probe" if many else "Latency per probe"
    if latency["first"] is None:
        return Tile(name, NOT_MEASURED, ("no probe was searched",))
    whole, search, batch = (
        _typical(latency, key) for key in ("probe_s", "search_probe_s", "batch_s")
    )
    notes = [f"of it private search {duration(search)}"]
    if many:
        notes.append(f"batch of {latency['batch']} answered in {duration(batch)}")
    if latency["probe_s"]["median"] is None:
        notes.append("one search only, warm-up included")
    elif not many:
        notes.append(f"95 % within {duration(latency['probe_s']['p95'])}")
    return Tile(name, duration(whole), tuple(notes))


def _typical(latency: Mapping[str, Any], key: str) -> float:
    """Return the median of the searches after the first, or the first if there is no other."""
    middle = latency[key]["median"]
    return float(latency["first"][key] if middle is None else middle)


def _bytes(per_probe: Mapping[str, Any]) -> Tile:
    if per_probe["online"] is None:
        return Tile("Online bytes per probe", NOT_MEASURED, ("no probe was searched",))
    notes = [f"{size(per_probe['offline'])} more beforehand"]
    if per_probe["upload"] is not None:
        notes.append(f"client uploads {size(per_probe['upload'])}")
    if per_probe["evaluation"]:
        notes.append(f"and {size(per_probe['evaluation'])} to evaluate")
    return Tile("Online bytes per probe", size(per_probe["online"]), tuple(notes))


def _privacy(protection: Mapping[str, Any]) -> Tile:
    element, image = protection["element_epsilon"], protection["image_epsilon"]
    mapping = protection["mapping"].get("kind", "none")
    mapped = "no identity-specific mapping" if mapping == "none" else f"mapping: {mapping}"
    if not isinstance(element, (int, float)):
        return Tile("Noise on features", "none", ("no differential privacy", mapped))
    return Tile(
        "largest ε of an element", _number(element), (f"{epsilon(image)} per image", mapped)
    )


def _extent(run: Mapping[str, Any]) -> Tile:
    probes = f"{counted(run['probes'], 'probe')} searched"
    notes = [probes, f"{count(run['mated'])} mated, {count(run['unmated'])} unmated"]
    if run["changes"]:
        notes.append(f"rows between searches: {changed(run['changes'])}")
    return Tile("Enrolled entries", count(run["entries"]), tuple(notes))


def _trust(summary: Mapping[str, Any]) -> str:
    text = str(summary["protection"]["trust_model"])
    runtime = summary["run"]["runtime"]
    alone = "The parties ran in one trust domain"
    return f"{text[:1].upper()}{text[1:]}. {alone} ({runtime}): their isolation is modelled."
