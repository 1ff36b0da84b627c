"""awf-pg report, activity and overview: what the totals tell."""

from __future__ import annotations

from datetime import date

import click

from awf_pg.admin import Api, Rows
from awf_pg.cli import output
from awf_pg.cli.base import day, format_option, out_option, tell, with_api

# What a table leaves out when a dimension is not asked for.
_REPORT_COLUMNS = {
    "variation": ("variation_key",),
    "locale": ("locale",),
    "phase": ("phase", "expected_percent"),
}
_ACTIVITY_COLUMNS = {"locale": "locale", "world": "world_ref", "adventure": "adventure_ref", "model": "model"}
_UNITS = {"day", "week", "month"}

_from_option = click.option("--from", "first", type=day, metavar="DATE", help="First day.")
_to_option = click.option("--to", "last", type=day, metavar="DATE", help="Last day, included.")
_zone_option = click.option(
    "--zone", default="UTC", show_default=True, help="Time zone of the days, such as Europe/Berlin."
)
_quantiles_option = click.option(
    "--quantiles", is_flag=True, help="A table shows quantiles, not averages; JSON and CSV have both."
)


@click.command()
@click.argument("experiment")
@_from_option
@_to_option
@click.option(
    "--by",
    multiple=True,
    default=["variation,locale"],
    show_default=True,
    help="Any of variation, locale and phase.",
)
@_zone_option
@_quantiles_option
@format_option("table", "json", "csv")
@out_option
@with_api
def report(
    api: Api,
    experiment: str,
    first: date | None,
    last: date | None,
    by: tuple[str, ...],
    zone: str,
    quantiles: bool,
    fmt: str,
    out: str | None,
) -> None:
    """Report an experiment by variation and locale, or by phase too.

    \b
    Example:
      awf-pg report token-budget-test --by phase,variation
      awf-pg report token-budget-test --by variation --quantiles
      awf-pg report token-budget-test --from 2025-01-01 --to 2025-01-31 --zone Europe/Berlin
      awf-pg report token-budget-test --from 2025-01-01 --to 2025-01-31 --format csv --out report.csv
    """
    grouped_by = _names(by)
    rows = api.experiment_report(experiment, first, last, grouped_by, zone)
    hidden = [
        column for name, columns in _REPORT_COLUMNS.items() if name not in grouped_by for column in columns
    ]
    _write(rows, output.REPORT.without(*hidden), quantiles, fmt, out)
    _explain_absent(rows, quantiles, grouped_by, zone)


@click.command()
@_from_option
@_to_option
@click.option(
    "--by",
    multiple=True,
    default=["day"],
    show_default=True,
    help="One of day, week, month; and locale and world, or adventure, or model.",
)
@_zone_option
@_quantiles_option
@format_option("table", "json", "csv")
@out_option
@with_api
def activity(
    api: Api,
    first: date | None,
    last: date | None,
    by: tuple[str, ...],
    zone: str,
    quantiles: bool,
    fmt: str,
    out: str | None,
) -> None:
    """Report all turns, in experiments or not: how many, how long, how many tokens.

    \b
    Example:
      awf-pg activity --from 2025-01-01 --to 2025-01-31
      awf-pg activity --by week,locale --zone America/New_York
      awf-pg activity --by model --format csv --out models.csv
    """
    grouped_by = _names(by)
    rows = api.activity_report(first, last, grouped_by, zone)
    hidden = [column for name, column in _ACTIVITY_COLUMNS.items() if name not in grouped_by]
    units = [name for name in grouped_by if name in _UNITS]
    view = output.ACTIVITY.headed("day", units[0]) if units else output.ACTIVITY
    _write(rows, view.without(*hidden, *([] if units else ["day"])), quantiles, fmt, out)
    _explain_absent(rows, quantiles, grouped_by, zone)


@click.group()
def overview() -> None:
    """Experiments and days at a glance, as of a few minutes ago.

    The job "views" brings them up to date.

    \b
    Example:
      awf-pg overview experiments
    """


@overview.command("experiments")
@format_option("table", "json", "csv")
@out_option
@with_api
def overview_experiments(api: Api, fmt: str, out: str | None) -> None:
    """All experiments, the running ones first, with their totals.

    \b
    Example:
      awf-pg overview experiments --format json
    """
    output.write_rows(api.experiment_overview(), output.OVERVIEW, fmt=fmt, out=out)


@overview.command("days")
@click.option("--days", type=int, default=30, show_default=True, help="How many; 92 at most.")
@format_option("table", "json", "csv")
@out_option
@with_api
def overview_days(api: Api, days: int, fmt: str, out: str | None) -> None:
    """The last days (UTC) with turns, with their players.

    \b
    Example:
      awf-pg overview days --days 7
    """
    output.write_rows(api.daily_activity(days), output.LAST_DAYS, fmt=fmt, out=out)


@overview.command("refresh")
@format_option("table", "json", "csv")
@out_option
@with_api
def overview_refresh(api: Api, fmt: str, out: str | None) -> None:
    """Bring the overviews up to date now.

    \b
    Example:
      awf-pg overview refresh
    """
    output.write_rows(api.refresh_views(), output.VIEWS, fmt=fmt, out=out)


def _write(rows: Rows, view: output.View, quantiles: bool, fmt: str, out: str | None) -> None:
    output.write_report(rows, view.with_quantiles() if quantiles else view, fmt=fmt, out=out)


def _explain_absent(rows: Rows, quantiles: bool, grouped_by: list[str], zone: str) -> None:
    """Say why there are no quantiles where they were asked for."""
    if not quantiles or all(row["quantiles"] is not None for row in rows):
        return
    without = [name for name in grouped_by if name in ("world", "adventure", "model")]
    if without:
        tell(f"quantiles are kept by time and locale: activity by {' and '.join(without)} has none")
    elif zone != "UTC":
        tell(f"quantiles are kept by days of UTC: a range of days in {zone} has none")


def _names(texts: tuple[str, ...]) -> list[str]:
    """What --by names, in one list or given several times."""
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]
