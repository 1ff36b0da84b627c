"""awf-pg experiment override and overrides: variations forced on named units."""

from __future__ import annotations

import click

from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.base import format_option, hash_player, out_option, with_api


@click.command()
@click.argument("key")
@click.argument("unit")
@click.argument("variation", required=False)
@click.option("--player-id", is_flag=True, help="UNIT is a player id; it is hashed here.")
@click.option("--note", metavar="TEXT", help="Who asked for it, and what for.")
@click.option("--remove", is_flag=True, help="Let the unit go where it would go by itself.")
@with_api
def override(
    api: Api,
    key: str,
    unit: str,
    variation: str | None,
    player_id: bool,
    note: str | None,
    remove: bool,
) -> None:
    """Force a variation on a unit, for trying it out; the unit's turns do not count.

    UNIT is a session id or a player hash, as the experiment's hash basis says.

    \b
    Example:
      awf-pg experiment override token-budget-test session-qa-1 high-budget --note "for Ana, by hand"
      awf-pg experiment override token-budget-test session-qa-1 --remove
    """
    if (variation is None) != remove:
        raise click.UsageError("Give the VARIATION that the unit shall get, or --remove.")
    if player_id:
        unit = hash_player(api, unit)
    api.set_override(key, unit, variation, note)
    said = "has no override" if remove else f"gets {variation}"
    click.echo(f"unit {unit} {said} in experiment {key}")


@click.command()
@click.argument("key")
@format_option("table", "json", "csv")
@out_option
@with_api
def overrides(api: Api, key: str, fmt: str, out: str | None) -> None:
    """List the units on which a variation is forced.

    \b
    Example:
      awf-pg experiment overrides token-budget-test
    """
    if output.write_rows(api.list_overrides(key), output.OVERRIDES, fmt=fmt, out=out) == 0:
        click.echo("no overrides", err=True)
