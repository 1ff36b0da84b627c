"""awf-pg config: what the clients evaluate."""

from __future__ import annotations

import click

from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.base import out_option, with_api


@click.command()
@out_option
@with_api
def config(api: Api, out: str | None) -> None:
    """Print the configuration of the running experiments, as every client has it.

    \b
    Example:
      awf-pg config --out config.json
    """
    output.write_document(api.active_config(), out=out)
