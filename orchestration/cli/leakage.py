"""`bauta leakage`: how many answers of an output level give a gallery row away."""

from __future__ import annotations

import click

from orchestration.cli.options import FiniteRange

__all__ = ["leakage"]


@click.command(short_help="Measure how many answers give a gallery row away.")
@click.option(
    "--dimension",
    type=click.IntRange(2, 1024),
    default=128,
    show_default=True,
    help="Length of a row.",
)
@click.option(
    "--scale",
    type=click.IntRange(1, 2**24),
    default=127,
    show_default=True,
    help="Norm of rows in ring units.",
)
@click.option(
    "--cosine",
    type=FiniteRange(0, 1, min_open=True, max_open=True),
    default=0.3,
    show_default=True,
    help="Threshold as a cosine.",
)
@click.option(
    "--templates",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    help="Rows to attack.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def leakage(*, dimension: int, scale: int, cosine: float, templates: int, as_json: bool) -> None:
    """Attack random rows with exact scores, and with match bits, which every output level gives.

    The figures are of these two textbook attacks: an upper bound of what an attacker needs.
    """
    import msgspec

    from orchestration.leakage import measure_leakage

    measured = [
        measure_leakage(
            dimension=dimension,
            scale=scale,
            threshold=round(cosine * scale**2),
            level=level,
            templates=templates,
        )
        for level in ("scores", "match bit")
    ]
    if None in measured:
        text = "a scale this small rounds rows of this length, or the threshold, to nothing"
        raise click.UsageError(f"{text}; raise --scale")
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(measured), indent=2).decode())
        return
    for found in measured:
        if found is None:
            text = "a scale this small rounds rows of this length to nothing; raise --scale"
            raise click.UsageError(text)
        click.echo(
            f"{found.level}: {found.queries:,} queries, cosine {found.cosine} with the true row "
            f"({found.attack}; median of {found.templates} rows)"
        )
