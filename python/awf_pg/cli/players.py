"""awf-pg forget-player, reapply-erasures and set-player-key: what concerns a player's identity."""

from __future__ import annotations

import sys

import click

from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.base import confirm, format_option, hash_player, is_terminal, not_empty, with_api, yes_option
from awf_pg.settings import Settings


@click.command("forget-player")
@click.option("--player-hash", metavar="HEX", callback=not_empty, help="Player hash, 64 hex digits.")
@click.option(
    "--player-id",
    metavar="ID",
    callback=not_empty,
    help="Player id; hashed here with AWF_PLAYER_HASH_KEY if set. - reads it from standard input.",
)
@yes_option
@format_option("table", "json")
@with_api
def forget_player(api: Api, player_hash: str | None, player_id: str | None, yes: bool, fmt: str) -> None:
    """Erase a player: events, exposures, refused events, overrides; the totals are repaired.

    There is no way back. An id on the command line can be seen in the list of processes; on standard input
    (--player-id -) it cannot. Neither the id nor its hash is shown or logged. What no call can reach, such as
    backups and spools, is listed in docs/privacy.md.

    \b
    Example:
      awf-pg forget-player --player-hash 4f1b0c6b61d6aa1e1c47fdd5ea4a2a3d13d64b29a1b8c4f6d2a7c9be52b1a0e3
      awf-pg forget-player --player-id - --yes < player.txt
    """
    if (player_hash is None) == (player_id is None):
        raise click.UsageError("Whom? Give either --player-hash or --player-id.")
    if player_id == "-":
        player_id = _asked_for("Player id", yes)
    if player_id is not None:
        player_hash = hash_player(api, player_id)
    confirm("Erase all that is stored of this player, for good?", yes)
    assert player_hash is not None
    done = api.forget_player(player_hash)
    if fmt == "json":
        output.write_document(done)
    else:
        click.echo(
            f"{done['events']:,} events, {done['exposures']:,} exposures and {done['rejected']:,} refused "
            f"events erased, {done['days']:,} days repaired"
        )
    if not any(done.values()):
        click.echo("nothing was stored of this player; was the hash made with another key?", err=True)


@click.command("reapply-erasures")
@format_option("table", "json")
@with_api
def reapply_erasures(api: Api, fmt: str) -> None:
    """Erase players who were forgotten and are there again: after a restore, or a late replay.

    \b
    Example:
      awf-pg reapply-erasures
    """
    done = api.reapply_erasures()
    if fmt == "json":
        output.write_document(done)
    else:
        click.echo(f"{done['players']:,} players with {done['events']:,} events erased again")


@click.command("set-player-key")
@yes_option
@with_api
def set_player_key(api: Api, yes: bool) -> None:
    """Keep the player hash key in the database, for services that let the database hash.

    The key is taken from AWF_PLAYER_HASH_KEY, or asked for; never from the command line. Another key than
    before makes every player another one: see docs/privacy.md.

    \b
    Example:
      awf-pg set-player-key
    """
    key = Settings.from_env().player_hash_key
    if key is None:
        if not is_terminal(sys.stdin):
            raise click.UsageError(
                "AWF_PLAYER_HASH_KEY is not set, and there is no terminal to ask for the key."
            )
        key = click.prompt("Player hash key", hide_input=True, confirmation_prompt=True, err=True)
    confirm("Store this key? With another one than before every player becomes another one.", yes)
    api.set_player_hash_key(key)
    click.echo("player hash key stored")


def _asked_for(what: str, yes: bool) -> str:
    """A line that nobody sees, of the terminal or of standard input."""
    if is_terminal(sys.stdin):
        typed: str = click.prompt(what, hide_input=True, err=True)
        return typed
    if not yes:
        raise click.UsageError("Standard input cannot bring the player and the answer too: give --yes.")
    text, *more = (sys.stdin.read() if sys.stdin is not None else "").rstrip("\r\n").splitlines() or [""]
    if not text:
        raise click.UsageError("Standard input is empty.")
    if more:
        raise click.UsageError(f"Standard input has {len(more) + 1} lines; one player at a time.")
    return text
