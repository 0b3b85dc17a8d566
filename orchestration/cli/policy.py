"""`bauta policy`: who may say what to whom, as the endpoints enforce it."""

from __future__ import annotations

import click

__all__ = ["policy"]


@click.command(short_help="Print the flow policy of a search protocol.")
@click.argument("protocol", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of Markdown.")
def policy(protocol: str | None, *, as_json: bool) -> None:
    """Print flows, openings, who learns what, and coalitions of PROTOCOL, or of all protocols."""
    import msgspec

    from protocol.search.policies import policy_named, policy_names
    from reports.policy_text import policy_markdown

    known = policy_names()
    if protocol is not None and protocol not in known:
        raise click.UsageError(f"there is no protocol {protocol}; known: {', '.join(known)}")
    chosen = [policy_named(name) for name in ([protocol] if protocol else known)]
    if as_json:
        plain = [msgspec.to_builtins(_plain(table)) for table in chosen]
        click.echo(msgspec.json.format(msgspec.json.encode(plain), indent=2).decode())
        return
    click.echo("\n".join(policy_markdown(table) for table in chosen), nl=False)


def _plain(value: object) -> object:
    """Return named tuples as dictionaries, all the way down."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return value
