"""awf-pg stats: how the pipeline does."""

from __future__ import annotations

import click

from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.base import format_option, out_option, with_api


@click.command()
@format_option("table", "json")
@out_option
@with_api
def stats(api: Api, fmt: str, out: str | None) -> None:
    """Show how the pipeline does.

    What came in, what was refused, what waits to be rolled up, which jobs fail. JSON has more of the jobs,
    and awf-pg jobs list a table of them.

    \b
    Example:
      awf-pg stats --format json
    """
    document = api.analytics_stats()
    # The database keeps no order of its own.
    document = dict(sorted(document.items(), key=lambda item: _ORDER.get(item[0], len(_ORDER))))
    if fmt == "json" or out is not None:
        output.write_document(document, out=out)
    else:
        failing = [name for name, job in document["jobs"].items() if job["failing"]]
        document["jobs"] = {"failing": ", ".join(failing) or None}
        click.echo(output.as_pairs(document))


_ORDER = {
    name: place
    for place, name in enumerate(
        ["version", "revision", "lastEventAt", "eventsPerMinute", "events", "batches", "rejected"]
    )
}
