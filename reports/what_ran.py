"""What a run did, in one paragraph, from what it resolved to and nothing its author wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reports.answers import level_text
from reports.wording import changed, count, counted

__all__ = ["what_ran"]

Section = Mapping[str, Any]
_PEOPLE: Final = {
    "synthetic": "generated people",
    "lfw": "people of Labeled Faces in the Wild",
    "folder": "people of a folder of pictures",
    "templates": "random templates, no pictures",
}
_POOLS: Final = {"test": "people set aside for tests", "all": "training people among them"}


def what_ran(scenario: Section, run: Section, protection: Section) -> str:
    """Return one paragraph about a run, for its report.

    Args:
        scenario: the resolved scenario as plain values.
        run: the `run` section of the summary.
        protection: its `protection` section.
    """
    sentences = (
        _who(scenario, run),
        _how(scenario, run),
        _input(scenario),
        _answer(run, protection),
    )
    return " ".join(sentence for sentence in sentences if sentence)


def _who(scenario: Section, run: Section) -> str:
    data = _section(scenario, "data")
    kind = data.get("kind", "synthetic")
    about = [_PEOPLE.get(kind, str(kind))]
    if kind in {"lfw", "folder"} and data.get("people") in _POOLS:
        about.append(_POOLS[data["people"]])
    if data.get("reverse"):
        about.append("halves exchanged")
    text = (
        f"{counted(run['entries'], 'row')} enrolled ({', '.join(about)}); "
        f"{count(run['mated'])} mated and {count(run['unmated'])} unmated probes in batches of "
        f"{run['batch']}"
    )
    between = f"; rows between searches: {changed(run['changes'])}" if run["changes"] else ""
    return f"{text}{between}."


def _how(scenario: Section, run: Section) -> str:
    search = _section(scenario, "search")
    task = "Verification" if search.get("task") == "verify" else "Identification"
    threshold = search.get("threshold")
    at = "calibrated" if threshold is None else f"a cosine of {threshold:g}"
    where = "in one process" if run["runtime"] == "memory" else f"on {run['runtime']}"
    return (
        f"{task} by protocol {search.get('protocol', 'dealer')} in a {run['ring_bits']}-bit ring "
        f"{where}; threshold {at}."
    )


def _input(scenario: Section) -> str:
    if _section(scenario, "network").get("kind") == "identity":
        return f"{_mapping(scenario)}."
    features = _section(scenario, "features")
    parts = [str(features.get("fusion", "maxabs"))]
    if features.get("colour", "none") != "none":
        parts.append(str(features["colour"]))
    noise = ", ".join(_noise(features)) or "without noise"
    return f"Input {' and '.join(parts)}, {noise}; {_mapping(scenario).lower()}."


def _noise(features: Section) -> Iterator[str]:
    for key, where in (
        ("epsilon", "a frequency element"),
        ("colour_epsilon", "a colour bit"),
        ("pixel_epsilon", "a pixel value"),
    ):
        if features.get(key) is not None:
            yield f"noise of ε = {features[key]:g} for {where}"


def _mapping(scenario: Section) -> str:
    kind = _section(scenario, "mapping").get("kind", "none")
    return "No identity-specific mapping" if kind == "none" else f"Templates mapped by {kind}"


def _answer(run: Section, protection: Section) -> str:
    opened = "open_scores" in protection["insecure"]
    return f"The client learns {level_text(run['answer'], scores_opened=opened)}."


def _section(scenario: Section, name: str) -> Section:
    found = scenario.get(name)
    return found if isinstance(found, Mapping) else {}
