"""awf-pg retry-rejected: refused events once more, after a fix."""

from __future__ import annotations

from datetime import datetime

import click

from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.base import ERROR, confirm, format_option, moment, not_empty, tell, with_api, yes_option


@click.command("retry-rejected")
@click.option(
    "--reason", metavar="REASON", callback=not_empty, help="Only events with this reason, such as bad_ts."
)
@click.option(
    "--limit", type=click.IntRange(min=0), metavar="NUMBER", help="At most this many; 10,000 without it."
)
@format_option("table", "json")
@click.pass_context
@with_api
def retry_rejected(api: Api, ctx: click.Context, reason: str | None, limit: int | None, fmt: str) -> None:
    """Try refused events again, after a fix.

    The oldest come first. What is stored now leaves awf.rejected_events; what is refused again stays, with
    its present reason. Events of which something had to be cut or taken out are not tried. awf-pg stats
    shows how many were refused, by reason. Events that were corrected where they came from and sent again
    are others than those kept here: dismiss these, or both are stored. The exit status is 1 when any is
    refused again.

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
        if done["incomplete"]:
            tell(
                f"{done['incomplete']:,} cannot be tried, because something was taken out of them: send them "
                "again from where they came; awf-pg dismiss-rejected lets go of them"
            )
    if done["rejected"]:
        ctx.exit(ERROR)


@click.command("dismiss-rejected")
@click.option(
    "--reason", metavar="REASON", callback=not_empty, help="Only events with this reason, such as not_json."
)
@click.option("--before", type=moment, metavar="TIME", help="Only events refused before this time; ISO 8601.")
@click.option("--dry-run", is_flag=True, help="Only say how many there are.")
@yes_option
@with_api
def dismiss_rejected(api: Api, reason: str | None, before: datetime | None, dry_run: bool, yes: bool) -> None:
    """Delete refused events that nobody will try again.

    Those that stay are deleted by the job "retention" when they are older than the setting
    rejected_keep_days.

    \b
    Example:
      awf-pg dismiss-rejected --reason not_json --dry-run
      awf-pg dismiss-rejected --before 2025-01-15 --yes
    """
    there = api.dismiss_rejected(reason, before, True)
    if dry_run:
        click.echo(f"{there:,} refused events would be deleted")
        return
    confirm(f"Delete {there:,} refused events for good?", yes)
    click.echo(f"{api.dismiss_rejected(reason, before):,} refused events deleted")
