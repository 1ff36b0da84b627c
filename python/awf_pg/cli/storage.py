"""awf-pg storage: partitions of events, how long they stay, and what everything takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

import click

from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.base import day, format_option, out_option, with_api

_MB = 1_000_000


@click.group()
def storage() -> None:
    """Partitions of events, how long they stay, and what everything takes.

    \b
    Example:
      awf-pg storage report
    """


@storage.command()
@click.option(
    "--days-ahead",
    type=click.IntRange(0, 36500),
    metavar="DAYS",
    help="How far the forecast looks; 30 without it.",
)
@format_option("table", "json", "csv")
@out_option
@with_api
def report(api: Api, days_ahead: int | None, fmt: str, out: str | None) -> None:
    """Sizes by table and day, growth, forecast, vacuums and locks.

    \b
    Example:
      awf-pg storage report --days-ahead 90
      awf-pg storage report --format csv --out storage.csv
    """
    _write(api.storage_report(days_ahead), output.STORAGE, fmt, out)


@storage.command()
@click.option("--from", "first", type=day, metavar="DATE", help="First of the days; today (UTC) without it.")
@click.option(
    "--to",
    "last",
    type=day,
    metavar="DATE",
    help="Last of the days; without it as far ahead as the setting partitions_ahead_days says.",
)
@format_option("table", "json", "csv")
@out_option
@with_api
def partitions(api: Api, first: date | None, last: date | None, fmt: str, out: str | None) -> None:
    """Make the partitions of the days to come, and show them.

    \b
    Example:
      awf-pg storage partitions
      awf-pg storage partitions --from 2025-01-01 --to 2025-01-31 --format json
    """
    _write(api.ensure_partitions(first, last), output.PARTITIONS, fmt, out)


@storage.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option(
    "--max-days",
    type=click.IntRange(min=0),
    metavar="DAYS",
    help="Drop at most this many days; 31 without it.",
)
@format_option("table", "json", "csv")
@out_option
@with_api
def retention(api: Api, dry_run: bool, max_days: int | None, fmt: str, out: str | None) -> None:
    """Drop the events of days that are older than they are kept.

    The settings events_keep_days, archive_required and rejected_keep_days say what goes; while they are not
    set nothing does. Totals, exposures and reports stay. A day that cannot go now is left for the next run.

    \b
    Example:
      awf-pg storage retention --dry-run
      awf-pg storage retention
    """
    rows = api.apply_retention(dry_run, max_days)
    _write(rows, output.RETENTION, fmt, out)
    if not rows:
        click.echo("nothing to drop", err=True)


def _write(rows: Iterable[output.Row], view: output.View, fmt: str, out: str | None) -> None:
    output.write_rows(_in_megabytes(rows) if fmt == "table" else rows, view, fmt=fmt, out=out)


def _in_megabytes(rows: Iterable[output.Row]) -> Iterator[output.Row]:
    for row in rows:
        sizes = {name: row[name] for name in row if name.endswith("bytes") and row[name] is not None}
        yield {**row, **{name: size / _MB for name, size in sizes.items()}}
