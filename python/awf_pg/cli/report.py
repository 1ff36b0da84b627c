"""awf-pg report: an experiment's variations side by side."""

from __future__ import annotations

from datetime import date

import click

from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.base import day, format_option, out_option, with_api

# What a table leaves out when a dimension is not asked for.
_COLUMNS = {"variation": ("variation_key",), "locale": ("locale",), "phase": ("phase", "expected_percent")}


@click.command()
@click.argument("experiment")
@click.option("--from", "first", type=day, metavar="DATE", help="First day (UTC).")
@click.option("--to", "last", type=day, metavar="DATE", help="Last day (UTC), included.")
@click.option(
    "--by", default="variation,locale", show_default=True, help="Any of variation, locale and phase."
)
@format_option("table", "json", "csv")
@out_option
@with_api
def report(
    api: Api, experiment: str, first: date | None, last: date | None, by: str, fmt: str, out: str | None
) -> None:
    """Report an experiment by variation and locale, or by phase too.

    \b
    Example:
      awf-pg report token-budget-test --by phase,variation
      awf-pg report token-budget-test --from 2025-01-01 --to 2025-01-31 --format csv --out report.csv
    """
    grouped_by = [name.strip() for name in by.split(",") if name.strip()]
    rows = api.experiment_report(experiment, first, last, grouped_by)
    hidden = [column for name, columns in _COLUMNS.items() if name not in grouped_by for column in columns]
    output.write_rows(rows, output.REPORT.without(*hidden), fmt=fmt, out=out)
