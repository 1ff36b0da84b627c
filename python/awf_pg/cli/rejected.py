"""awf-pg retry-rejected: refused events once more, after a fix."""

from __future__ import annotations

import click

from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.base import format_option, not_empty, with_api


@click.command("retry-rejected")
@click.option(
    "--reason", metavar="REASON", callback=not_empty, help="Only events with this reason, such as bad_ts."
)
@click.option(
    "--limit", type=click.IntRange(min=0), metavar="NUMBER", help="At most this many; 10,000 without it."
)
@format_option("table", "json")
@with_api
def retry_rejected(api: Api, reason: str | None, limit: int | None, fmt: str) -> None:
    """Try refused events again, after a fix.

    The oldest come first. What is stored now leaves awf.rejected_events; what is refused again stays, with
    its present reason. Events of which something had to be cut or taken out are not tried. awf-pg stats
    shows how many were refused, by reason.

    \b
    Example:
      awf-pg retry-rejected --reason unknown_variation
      awf-pg retry-rejected --limit 1000 --format json
    """
    done = api.retry_rejected(reason, limit)
    if fmt == "json":
        output.write_document(done)
    else:
        accepted, duplicate, rejected = (done[name] for name in ("accepted", "duplicate", "rejected"))
        click.echo(f"{accepted:,} accepted, {duplicate:,} duplicate, {rejected:,} rejected again")
