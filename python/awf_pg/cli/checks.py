"""awf-pg experiment simulate and verify: the split that an experiment gives, and the one that it gave."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.base import (
    ERROR,
    attributes_of,
    attributes_options,
    format_option,
    number,
    out_option,
    with_api,
)


@click.command()
@click.argument("key")
@click.option(
    "--units", type=click.IntRange(min=1), default=10_000, show_default=True, help="Units to assign."
)
@attributes_options
@format_option("table", "json", "csv")
@out_option
@with_api
def simulate(
    api: Api,
    key: str,
    units: int,
    attributes: Any,
    more: tuple[tuple[str, Any], ...],
    fmt: str,
    out: str | None,
) -> None:
    """Assign made-up units by the definition of today, drafts too, and show the split.

    \b
    Example:
      awf-pg experiment simulate token-budget-test --units 20000
      awf-pg experiment simulate token-budget-test --attribute locale=de-DE
    """
    rows = api.simulate_assignment(key, units, attributes_of(attributes, more))
    output.write_rows(rows, output.SIMULATION, fmt=fmt, out=out)


@click.command()
@click.argument("key")
@click.option(
    "--grace",
    type=number,
    metavar="SECONDS",
    help="How late a client may have learned of a change; 60 without it.",
)
@format_option("table", "json", "csv")
@out_option
@click.pass_context
@with_api
def verify(api: Api, ctx: click.Context, key: str, grace: Any, fmt: str, out: str | None) -> None:
    """List stored exposures whose variation the experiment did not give at their time.

    The exit status is 1 when there are any.

    \b
    Example:
      awf-pg experiment verify token-budget-test --grace 120
    """
    rows = api.verify_assignments(key, None if grace is None else _interval(grace))
    if output.write_rows(rows, output.DISAGREEMENTS, fmt=fmt, out=out):
        click.echo(f"exposures that disagree with experiment {key}: {len(rows):,}", err=True)
        ctx.exit(ERROR)
    click.echo(f"every exposure agrees with experiment {key}", err=True)


def _interval(seconds: Any) -> timedelta:
    try:
        if seconds >= 0:
            return timedelta(seconds=float(seconds))
    except OverflowError:
        pass
    raise click.BadParameter(f"{seconds} is no number of seconds to wait", param_hint="--grace")
