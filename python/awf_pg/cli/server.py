"""awf-pg server: a PostgreSQL of its own in a folder."""

from __future__ import annotations

import click

from awf_pg import embedded
from awf_pg.cli import output
from awf_pg.cli.base import format_option

data_dir_option = click.option(
    "--data-dir", metavar="DIR", required=True, help="Folder of the server's data; made when new."
)


@click.group()
def server() -> None:
    """Run the embedded PostgreSQL (extra: embedded).

    \b
    Example:
      export AWF_DATABASE_URL=$(awf-pg server start --data-dir ./pg | tail -n 1)
    """


@server.command()
@data_dir_option
def start(data_dir: str) -> None:
    """Start the server and leave it running; the last line is its DSN.

    \b
    Example:
      awf-pg server start --data-dir ./pg
    """
    running = embedded.start(data_dir)
    click.echo(f"PostgreSQL runs in {running.data_dir}, process {running.pid}")
    click.echo(running.dsn)


@server.command()
@data_dir_option
def stop(data_dir: str) -> None:
    """Stop the server; its data stay.

    \b
    Example:
      awf-pg server stop --data-dir ./pg
    """
    click.echo("stopped" if embedded.stop(data_dir) else "it was not running")


@server.command()
@data_dir_option
@format_option("table", "json")
def status(data_dir: str, fmt: str) -> None:
    """Say whether the server runs, and its DSN.

    \b
    Example:
      awf-pg server status --data-dir ./pg --format json
    """
    running = embedded.status(data_dir)
    document = {
        "running": running is not None,
        "pid": running and str(running.pid),
        "dsn": running and running.dsn,
    }
    if fmt == "json":
        output.write_document(document)
    else:
        click.echo(output.as_pairs(document))
