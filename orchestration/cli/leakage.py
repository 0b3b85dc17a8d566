"""`bauta leakage`: how many answers of an output level give a gallery row away."""

from __future__ import annotations

import click

__all__ = ["leakage"]


@click.command(short_help="Measure how many answers give a gallery row away.")
@click.option("--dimension", default=128, show_default=True, help="Length of a row.")
@click.option("--scale", default=127, show_default=True, help="Norm of rows in ring units.")
@click.option("--cosine", default=0.3, show_default=True, help="Threshold as a cosine.")
@click.option("--templates", default=20, show_default=True, help="Rows to attack.")
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
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(measured), indent=2).decode())
        return
    for found in measured:
        if found is None:
            raise click.UsageError("rows of more than 1,024 elements are not attacked")
        click.echo(
            f"{found.level}: {found.queries:,} queries, cosine {found.cosine} with the true row "
            f"({found.attack}; median of {found.templates} rows)"
        )
