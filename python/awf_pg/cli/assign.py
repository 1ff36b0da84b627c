"""awf-pg assign: which variation a session or a player gets."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.base import format_option, json_value, moment, pair, with_api
from awf_pg.settings import Settings


@click.command()
@click.argument("experiment")
@click.option("--session", metavar="ID", help="Session id.")
@click.option("--player-hash", metavar="HEX", help="Player hash, 64 hex digits.")
@click.option("--player-id", metavar="ID", help="Player id; hashed here with AWF_PLAYER_HASH_KEY if set.")
@click.option("--attributes", type=json_value, default="{}", metavar="JSON", help="Attributes of the turn.")
@click.option(
    "--attribute",
    "more",
    type=pair,
    multiple=True,
    metavar="KEY=JSON",
    help="One attribute of the turn: locale, world, adventure, model or another. Repeat it.",
)
@click.option("--at", type=moment, metavar="TIME", help="Ask for another time than now; ISO 8601.")
@format_option("table", "json")
@with_api
def assign(
    api: Api,
    experiment: str,
    session: str | None,
    player_hash: str | None,
    player_id: str | None,
    attributes: Any,
    more: tuple[tuple[str, Any], ...],
    at: datetime | None,
    fmt: str,
) -> None:
    """Say which variation a session or a player gets.

    \b
    Example:
      awf-pg assign token-budget-test --session session-42
      awf-pg assign token-budget-test --session session-42 --attribute locale=de-DE --attribute level=12
    """
    if session is None and player_hash is None and player_id is None:
        raise click.UsageError("Whom? Give --session, --player-hash or --player-id.")
    if not isinstance(attributes, dict):
        raise click.UsageError("--attributes is no JSON object.")
    if player_id is not None:
        player_hash = _hash(api, player_id)
    variation = api.assign(experiment, session, player_hash, attributes | dict(more), at)
    if fmt == "json":
        output.write_document({"experiment": experiment, "variation": variation})
    elif variation is not None:
        click.echo(variation)
    else:
        click.echo(f"not assigned: {experiment} is not in force for this unit and these attributes", err=True)


def _hash(api: Api, player_id: str) -> str:
    """With our own key where there is one, or else with the key that the database keeps."""
    settings = Settings.from_env()
    if settings.player_hash_key is not None:
        return settings.hash_player(player_id).hex()
    return api.hash_player(player_id)
