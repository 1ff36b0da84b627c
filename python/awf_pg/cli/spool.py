"""awf-pg spool: what waits on a client's disk for the database."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from awf_pg.cli import output
from awf_pg.cli.base import dsn_option, format_option, progress, require_dsn
from awf_pg.cli.ingest import ends_on_sigterm, write_batch
from awf_pg.connect import Source
from awf_pg.copy import Writer, Written
from awf_pg.errors import translated
from awf_pg.spool import Spool, SpoolError


@click.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--replay", is_flag=True, help="Send what is in the spool to the database, the oldest first.")
@format_option("table", "json")
@dsn_option
def spool(path: Path, replay: bool, fmt: str, dsn: str | None) -> None:
    """Show what waits in a client's spool (AWF_SPOOL_FILE), or send it.

    The database is needed for --replay alone. A spool is replayed by one process at a time; while a game does
    it, there is nothing to do here. What was stored already is not stored twice. A file is there only while
    it holds something.

    \b
    Example:
      awf-pg spool awf.spool
      awf-pg spool awf.spool --replay
    """
    opened = Spool(path)
    if not opened.was_used():
        raise click.ClickException(f"there is no spool {path}, and never was")
    try:
        if replay:
            _replay(opened, require_dsn(dsn))
        elif fmt == "json":
            output.write_document(asdict(opened.status()))
        else:
            click.echo(output.as_pairs(asdict(opened.status())))
    except SpoolError as error:
        raise click.ClickException(f"{path}: {error}") from error
    finally:
        opened.stop_replaying()


def _replay(opened: Spool, dsn: str) -> None:
    if not opened.try_to_replay():
        raise click.ClickException(f"another process replays {opened.path} at this moment")
    status = opened.status()
    source = Source(dsn, None, "awf-pg spool")
    writer = Writer(source)
    total = Written("direct", 0)
    try:
        with (
            ends_on_sigterm(),
            translated(source.target),
            progress(status.events - status.unreadable, "replay") as advance,
        ):
            while (batch := opened.next()) is not None:
                total += write_batch(writer, batch.events)
                status = opened.remove(batch.seq)
                advance(len(batch.events))
    finally:
        # After an interruption too: what has landed has landed, and the rest waits on.
        writer.close()
        click.echo(
            f"{total.accepted:,} accepted, {total.duplicate:,} duplicate, {total.rejected:,} rejected, "
            f"{status.events:,} left"
        )
