"""awf-pg rollup and backfill: daily totals."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

import click

from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.base import day, format_option, is_terminal, out_option, progress, tell, with_api
from awf_pg.errors import EventsGone, InvalidDateRange

# A backfill is asked for in this many parts at most, so that progress shows and no transaction runs for long.
_PARTS = 100


@click.group()
def rollup() -> None:
    """Daily totals of the turns.

    \b
    Example:
      awf-pg rollup daily 2025-01-15
    """


@rollup.command()
@click.argument("date_", metavar="DATE", type=day)
@format_option("table", "json", "csv")
@out_option
@with_api
def daily(api: Api, date_: date, fmt: str, out: str | None) -> None:
    """Roll up one day and show it.

    \b
    Example:
      awf-pg rollup daily 2025-01-15 --format csv --out 2025-01-15.csv
    """
    _write(api, api.rollup_daily(date_), fmt, out)


@rollup.command("backfill")
@click.argument("days", type=click.IntRange(min=1))
@click.option("--until", type=day, metavar="DATE", help="Last of the days; today (UTC) without it.")
@format_option("table", "json", "csv")
@out_option
@with_api
def backfill_days(api: Api, days: int, until: date | None, fmt: str, out: str | None) -> None:
    """Roll up the last DAYS days again, from the events.

    \b
    Example:
      awf-pg rollup backfill 7
    """
    last = until or datetime.now(UTC).date()
    try:
        first = last - timedelta(days=days - 1)
    except OverflowError as error:
        raise InvalidDateRange(
            f"{days} days up to {last} begin before the year 1",
            hint="ask for fewer days, or name the first one: awf-pg backfill FROM TO",
        ) from error
    _write(api, _backfill(api, first, last, out), fmt, out)


@rollup.command()
@with_api
def refresh(api: Api) -> None:
    """Add the batches that came since the last refresh to the totals.

    \b
    Example:
      awf-pg rollup refresh
    """
    done = api.refresh_rollups()
    click.echo(f"{done['batches']:,} batches, {done['events']:,} events, {done['days']:,} days refreshed")


@click.command()
@click.argument("first", metavar="FROM", type=day)
@click.argument("last", metavar="TO", type=day)
@format_option("json", "csv", "table")
@out_option
@with_api
def backfill(api: Api, first: date, last: date, fmt: str, out: str | None) -> None:
    """Roll up a range of days again, from the events, and show them by experiment, locale and world.

    Both ends belong to it. It goes on in steps: when it ends early, it says with which day to go on.

    \b
    Example:
      awf-pg backfill 2025-01-01 2025-01-31 --format json --out january.json
    """
    _write(api, _backfill(api, first, last, out), fmt, out)


def _write(api: Api, rows: Iterable[output.Row], fmt: str, out: str | None) -> None:
    if output.write_rows(rows, output.ROLLUP, fmt=fmt, out=out) == 0:
        events = api.analytics_stats()["events"]
        there_is = (
            f"data from {events['firstDay']} to {events['lastDay']}" if events["firstDay"] else "no data yet"
        )
        click.echo(f"no rows: there is {there_is}", err=True)


def _backfill(api: Api, first: date, last: date, out: str | None) -> Iterator[output.Row]:
    parts = list(_parts(first, last))
    # Rows on the terminal and a bar on the same terminal would overwrite each other.
    with progress(len(parts), "backfill", shown=out is not None or not is_terminal(sys.stdout)) as advance:
        for first_day, last_day in parts:
            try:
                rows = api.backfill(first_day, last_day)
            except BaseException as error:
                if first_day > first:
                    said = f"{first} to {first_day - timedelta(days=1)} are done"
                    # What is gone is gone at the next attempt as well.
                    if not isinstance(error, EventsGone):
                        said += f"; go on with: awf-pg backfill {first_day} {last}"
                    tell(said)
                raise
            yield from rows
            advance(1)


def _parts(first: date, last: date) -> Iterator[tuple[date, date]]:
    """The range in pieces; a reversed one in a single piece, for the database to refuse."""
    days = (last - first).days + 1
    step = timedelta(days=max(1, -(-days // _PARTS)))
    while last - first >= step:
        yield first, first + step - timedelta(days=1)
        first += step
    yield first, last
