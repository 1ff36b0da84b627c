"""awf-pg archive and restore-archive: days of events out into Parquet files, and back."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from pathlib import Path

import click

from awf_pg import archive as archives
from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.base import day, format_option, tell, with_api

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option(
    "--before",
    type=day,
    metavar="DATE",
    help="First day that stays (UTC); without it as events_keep_days says.",
)
@click.option("--to", "folder", type=_FOLDER, required=True, metavar="DIR", help="Folder of the files.")
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@click.option("--keep", is_flag=True, help="Leave the detached tables; a later run drops them.")
@format_option("table", "json")
@with_api
def archive(api: Api, before: date | None, folder: Path, dry_run: bool, keep: bool, fmt: str) -> None:
    """Write days of events to Parquet files and drop them from the database.

    For each day before DATE, the oldest first: detach it (later events of it are kept aside as rejected
    events), write DIR/turn_events_YYYYMMDD.parquet, read it back, have the database compare, note it in
    DIR/manifest.json, and only then drop. Whatever breaks in between, the next run goes on from there.
    Reports over archived days still work, from the rollups. Needs the extra: pip install 'awf-pg[archive]'

    \b
    Example:
      mkdir -p archive
      awf-pg archive --before 2025-01-01 --to archive --dry-run
      awf-pg archive --before 2025-01-01 --to archive
    """
    try:
        done = archives.run(api, before, folder, keep=keep, dry_run=dry_run, on_day=_shown(fmt))
    except KeyboardInterrupt:
        tell("nothing is lost: the next run goes on with the day at hand")
        raise
    if fmt == "json":
        output.write_document([asdict(one) for one in done])
    elif not done:
        click.echo("nothing to do")
    if any(one.action in ("waits", "busy") for one in done):
        click.echo("some days could not be had: run it again later", err=True)


def _shown(fmt: str) -> archives.OnDay:
    def show(one: archives.Archived) -> None:
        if fmt == "table":
            rows = "" if one.rows is None else f", {one.rows:,} events"
            size = "" if one.bytes is None else f", {one.bytes:,} bytes"
            click.echo(f"{one.day} {one.action}: {one.file}{rows}{size}")

    return show


@click.command("restore-archive")
@click.argument("date_", metavar="DAY", type=day)
@click.option("--from", "folder", type=_FOLDER, required=True, metavar="DIR", help="Folder of the files.")
@format_option("table", "json")
@with_api
def restore_archive(api: Api, date_: date, folder: Path, fmt: str) -> None:
    """Bring the events of an archived day back into the database.

    The file must be the one that the database remembers, to the last byte. Players who were forgotten since
    are erased again. A day whose table was kept is attached again, without its file.

    \b
    Example:
      awf-pg restore-archive 2024-12-24 --from archive
    """
    done = archives.restore(api, date_, folder)
    if fmt == "json":
        output.write_document(asdict(done))
        return
    source = (
        "attached again" if done.source is None else f"{done.events:,} events restored from {done.source}"
    )
    click.echo(f"{done.day}: {source}")
    if done.erased_players:
        click.echo(
            f"{done.erased_players:,} forgotten players with {done.erased_events:,} events erased again"
        )
