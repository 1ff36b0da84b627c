"""awf-pg assign and assign-many: which variation a session, a player or many of them get."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, BinaryIO

import click

from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.base import (
    attributes_of,
    attributes_options,
    format_option,
    hash_player,
    is_terminal,
    moment,
    out_option,
    progress,
    size_of,
    with_api,
)
from awf_pg.errors import InvalidArgument

# Units of one call to the database.
_BATCH = 10_000


@click.command()
@click.argument("experiment")
@click.option("--session", metavar="ID", help="Session id.")
@click.option("--player-hash", metavar="HEX", help="Player hash, 64 hex digits.")
@click.option("--player-id", metavar="ID", help="Player id; hashed here with AWF_PLAYER_HASH_KEY if set.")
@attributes_options
@click.option("--at", type=moment, metavar="TIME", help="Ask for another time than now; ISO 8601.")
@click.option("--opted-in/--opted-out", default=None, help="What the player said to experiments.")
@click.option("--explain", is_flag=True, help="Say step by step why the unit is in or out.")
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
    opted_in: bool | None,
    explain: bool,
    fmt: str,
) -> None:
    """Say which variation a session or a player gets.

    \b
    Example:
      awf-pg assign token-budget-test --session session-42
      awf-pg assign token-budget-test --session session-42 --attribute locale=de-DE --attribute level=12
      awf-pg assign token-budget-test --session session-42 --at 2025-01-15T12:00Z --explain
    """
    if session is None and player_hash is None and player_id is None:
        raise click.UsageError("Whom? Give --session, --player-hash or --player-id.")
    if player_id is not None:
        player_hash = hash_player(api, player_id)
    turn = (experiment, session, player_hash, attributes_of(attributes, more), at, opted_in)
    if explain:
        output.write_rows(api.explain_assignment(*turn), output.EXPLANATION, fmt=fmt)
        return
    variation = api.assign(*turn)
    if fmt == "json":
        output.write_document({"experiment": experiment, "variation": variation})
    elif variation is not None:
        click.echo(variation)
    else:
        click.echo(f"not assigned: this unit is not in {experiment}; --explain says why", err=True)


@click.command("assign-many")
@click.argument("experiment")
@click.option(
    "--units-file",
    "file",
    type=click.File("rb"),
    default="-",
    metavar="FILE",
    help="Units (session ids or player hashes), one a line; standard input without it.",
)
@attributes_options
@click.option("--at", type=moment, metavar="TIME", help="Ask for another time than now; ISO 8601.")
@format_option("csv", "json", "table")
@out_option
@with_api
def assign_many(
    api: Api,
    experiment: str,
    file: BinaryIO,
    attributes: Any,
    more: tuple[tuple[str, Any], ...],
    at: datetime | None,
    fmt: str,
    out: str | None,
) -> None:
    """Say which variations many units get, in the order of the units.

    \b
    Example:
      awf-pg assign-many token-budget-test --units-file sessions.txt --out assigned.csv
      printf 'session-1\\nsession-2\\n' | awf-pg assign-many token-budget-test --format table
    """
    shared = attributes_of(attributes, more)

    def rows() -> Iterator[output.Row]:
        # Rows on the terminal and a bar on the same terminal would overwrite each other.
        shown = out is not None or not is_terminal(sys.stdout)
        with progress(size_of(file), "assign", shown=shown) as advance:
            units = _units(file, advance)
            batch = list(islice(units, _BATCH))
            yield from api.assign_many(experiment, batch, shared, at)  # Without units it still minds the key.
            while batch := list(islice(units, _BATCH)):
                yield from api.assign_many(experiment, batch, shared, at)

    output.write_rows(rows(), output.ASSIGNED, fmt=fmt, out=out)


def _units(file: BinaryIO, advance: Callable[[int], None]) -> Iterator[str]:
    """The lines without their ends; empty ones are none."""
    name = getattr(file, "name", "<stdin>")
    for number, raw in enumerate(file, start=1):
        advance(len(raw))
        try:
            unit = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise InvalidArgument(f"line {number} of {name} is not UTF-8: {error.reason}") from error
        if "\0" in unit:
            raise InvalidArgument(f"line {number} of {name} has a NUL character")
        if unit:
            yield unit
