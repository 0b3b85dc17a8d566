"""The few lines that `bauta run` prints at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from reports.answers import level_text
from reports.summary import Summary
from reports.wording import changed, size

__all__ = ["render"]

Row = Mapping[str, Any]
NOT_MEASURED = "–"
MINUS = "  minus unprotected"
HEADS = {
    "secure": "secure",
    "quantised": "quantised",
    "protected_plain": "protected",
    "baseline": "unprotected",
}
FPIR_SHOWN = (0.01, 0.001)
FAR_SHOWN = (0.001,)
AT_THRESHOLD = (
    ("TPIR", "operating", "tpir"), ("FPIR", "operating", "fpir"),
    ("detected", "detection", "detected"), ("FPIR", "detection", "fpir"),
    ("TAR", "verification", "tar"), ("FAR", "verification", "far"),
)  # fmt: skip
KILO = 1000


def render(summary: Summary) -> RenderableType:
    """Return what a run found: accuracy, protection, cost, checks, and where the report is."""
    return Group(
        _heading(summary),
        *_banner(summary["protection"]),
        _accuracy(summary["accuracy"], summary["secure_minus_unprotected"]),
        "",
        _facts(summary),
        "",
        *_checks(summary["checks"]),
        *_closing(summary),
    )


def _heading(summary: Summary) -> Text:
    run = summary["run"]
    text = Text.assemble((summary["scenario"], "bold"), f": {run['entries']:,} enrolled, ")
    text.append(f"{run['mated']:,} mated and {run['unmated']:,} unmated probes, ")
    text.append(f"{run['runtime']} runtime, {_seconds(run['wall_s'])}")
    if run["changes"]:
        text.append(f"\nrows between searches: {changed(run['changes'])}")
    return text


def _banner(protection: Row) -> Iterator[Text]:
    if protection["insecure"]:
        shortcuts = ", ".join(protection["insecure"])
        yield Text(f"INSECURE: this run takes shortcuts: {shortcuts}", style="bold red")
    if protection["synthetic_data"]:
        text = "SYNTHETIC DATA: its accuracy says nothing about real people"
        yield Text(text, style="bold yellow")


def _accuracy(accuracy: Row, differences: Row | None) -> RenderableType:
    columns = {name: accuracy[name] for name in HEADS if accuracy[name] is not None}
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for name in columns:
        table.add_column(HEADS[name], justify="right", no_wrap=True)
    table.add_column("95 % interval of secure", justify="right", style="dim")
    for name, rates, difference in _accuracy_rows(list(columns.values()), differences or {}):
        if any(rate is not None for rate in rates):
            table.add_row(name, *map(_rate, rates), _interval(rates[0]))
        if difference is not None:
            others = [""] * (len(columns) - 1)
            table.add_row(MINUS, _points(difference), *others, _interval(difference), style="dim")
    return table


AccuracyRow = tuple[str, list[Row | None], Row | None]


def _accuracy_rows(columns: list[Row], minus: Row) -> Iterator[AccuracyRow]:
    for name in ("rank_1", "rank_5", "rank_1_per_person"):
        title = name.replace("_", "-", 1).replace("_", " ")
        yield title, [column[name] for column in columns], minus.get(name)
    for fpir in FPIR_SHOWN:
        difference = _at_target(minus.get("tpir_at_fpir", ()), fpir)
        rates = [_tpir(column, fpir) for column in columns]
        yield f"TPIR at FPIR {100 * fpir:g} %", rates, difference
    for far in FAR_SHOWN:
        difference = _at_target(minus.get("tar_at_far", ()), far)
        yield f"TAR at FAR {100 * far:g} %", [_tar(column, far) for column in columns], difference
    for name, part, rate in AT_THRESHOLD:
        yield f"{name} at the threshold", [_operating(each, part, rate) for each in columns], None


def _facts(summary: Summary) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in (
        ("protection", _protection(summary["protection"])),
        ("trust model", summary["protection"]["trust_model"]),
        ("answer", _answer(summary["run"])),
        ("query budget", _queries(summary["queries"])),
        ("time", _stages(summary["latency"])),
        ("latency per probe", _latency(summary["latency"])),
        ("bytes per probe", _bytes(summary["traffic"]["per_probe_bytes"])),
    ):
        table.add_row(name, value)
    return table


def _protection(protection: Row) -> str:
    element, image = protection["element_epsilon"], protection["image_epsilon"]
    total, mapping = protection["total_epsilon"], f"mapping {protection['mapping']['kind']}"
    if not isinstance(element, (int, float)):
        return f"no noise on the features, so no ε; {mapping}"
    finite = isinstance(total, (int, float))
    whole = f"{total:,.4g} in total" if finite else "none in total: colour has no noise"
    person = _person(protection)
    return f"ε ≤ {element:,.4g} per element, {image:,.4g} per image, {whole}{person}; {mapping}"


def _person(protection: Row) -> str:
    """Return the sum over one person's pictures; nothing where there is no promise."""
    uploads, summed = protection["person_uploads"], protection["person_epsilon"]
    if uploads < 2 or not isinstance(summed, (int, float)):
        return ""
    return f", {summed:,.4g} for the {uploads:,} pictures sent of one person"


def _answer(run: Row) -> str:
    told = level_text(run["answer"], scores_opened=run["scores_opened"])
    return f"{told}; at most {run['answer_bits_per_probe']:,.6g} bits per probe"


def _queries(queries: Row) -> str:
    budget, asked = queries["budget"], queries["probes"]
    if budget is None:
        return "none: nothing limits how often a client asks"
    if queries["ledger"] is None:
        return f"{budget:,} probes, {asked:,} asked; counted for this run alone"
    before = queries["spent_before"]
    return (
        f"{budget:,} probes over the runs of ledger {queries['ledger']}: {before:,} before, "
        f"{asked:,} in this run, {max(0, budget - before - asked):,} left"
    )


def _stages(latency: Row) -> str:
    """Return what each stage of the job took, and which came from the cache of earlier runs."""
    cached = latency["from_cache"]
    return ", ".join(
        f"{stage} {_seconds(seconds)}{' (from the cache)' if stage in cached else ''}"
        for stage, seconds in latency["stages_s"].items()
    )


def _latency(latency: Row) -> str:
    warm, search = latency["probe_s"], latency["search_probe_s"]
    rounds = f"{latency['online_rounds']} rounds"
    if warm["median"] is None:
        first = latency["first"]
        if first is None:
            return NOT_MEASURED
        return f"{_seconds(first['probe_s'])} in the only search (warm-up included), {rounds}"
    return (
        f"median {_seconds(warm['median'])}, p95 {_seconds(warm['p95'])}, of it search "
        f"{_seconds(search['median'])}; {rounds}; in batches of {latency['batch']}, "
        f"each {_seconds(latency['batch_s']['median'])}"
    )


def _bytes(traffic: Row) -> str:
    upload, online = size(traffic["upload"]), size(traffic["online"])
    parts = [f"online {online} (upload {upload})", f"offline {size(traffic['offline'])}"]
    if traffic["evaluation"]:
        parts.append(f"evaluation only {size(traffic['evaluation'])}")
    return ", ".join(parts)


def _checks(checks: list[Row]) -> Iterator[Text]:
    for check in checks:
        mark, style = ("✓", "green") if check["passed"] else ("✗", "bold red")
        name = check["name"].replace("_", " ")
        yield Text.assemble((f"{mark} {name}", style), f": {check['detail']}")


def _closing(summary: Summary) -> Iterator[Text]:
    for warning in summary["warnings"]:
        yield Text.assemble(("note", "yellow"), f": {warning}")
    report = summary.report or summary.path
    yield Text.assemble(("report", "bold"), f": {report}")


def _tpir(column: Row, fpir: float) -> Row | None:
    found = [rate["tpir"] for rate in column["tpir_at_fpir"] if rate["fpir_target"] == fpir]
    return found[0] if found else None


def _tar(column: Row, far: float) -> Row | None:
    found = [rate["tar"] for rate in column["tar_at_far"] if rate["far_target"] == far]
    return found[0] if found else None


def _operating(column: Row, rates: str, name: str) -> Row | None:
    if column[rates] is None or column[rates][name]["value"] is None:
        return None
    rate: Row = column[rates][name]
    return rate


def _rate(rate: Row | None) -> str:
    return NOT_MEASURED if rate is None else f"{100 * rate['value']:.2f} %"


def _at_target(differences: Sequence[Row], target: float) -> Row | None:
    return next((each["difference"] for each in differences if each["target"] == target), None)


def _points(difference: Row) -> str:
    return f"{100 * difference['value']:+.2f}"


def _interval(rate: Row | None) -> str:
    if rate is None or rate["low"] is None or rate["high"] is None:
        return ""
    return f"{100 * rate['low']:.1f} – {100 * rate['high']:.1f}"


def _seconds(value: float) -> str:
    if value < 1:
        return f"{value * KILO:.3g} ms"
    return f"{value:.1f} s"
