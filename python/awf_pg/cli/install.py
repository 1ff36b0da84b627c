"""awf-pg install: the SQL core into a database."""

from __future__ import annotations

import click

from awf_pg import installer
from awf_pg.cli.base import dsn_option, require_dsn


@click.command()
@dsn_option
@click.option("--owner", metavar="ROLE", help="A trusted role that owns, or is to own, schema awf.")
@click.option("--roles", is_flag=True, help="Also make awf_reader, awf_analyst, awf_writer and awf_admin.")
@click.option("--store-player-hash-key", is_flag=True, help="Keep AWF_PLAYER_HASH_KEY in the database.")
def install(dsn: str | None, owner: str | None, roles: bool, store_player_hash_key: bool) -> None:
    """Install the SQL core, or upgrade it.

    A superuser installs as the role awf_owner, made when missing, and refuses a schema awf of any other role
    unless --owner names it; anybody else owns what he installs. The variables EXPERIMENTS_HASH_BASIS,
    AWF_MODEL_MAX_OUTPUT_TOKENS and AWF_TOOL_MAX_CALLS_PER_TURN become settings of the database where they
    are set.

    \b
    Example:
      awf-pg install --roles --dsn postgresql://postgres@localhost/game
    """
    report = installer.install(
        require_dsn(dsn), owner=owner, roles=roles, store_player_hash_key=store_player_hash_key
    )
    click.echo(_headline(report))
    for step, name in report.steps:
        click.echo(f"  storage step {step:04} {name}")
    for name, value in report.settings.items():
        click.echo(f"  setting {name} = {value}")
    if roles:
        click.echo("  roles awf_reader, awf_analyst, awf_writer, awf_admin")
    if store_player_hash_key:
        click.echo("  player hash key stored")


def _headline(report: installer.InstallReport) -> str:
    if report.previous_version is None:
        return f"awf {report.version} installed, owner {report.owner}"
    if report.previous_version == report.version:
        return f"awf {report.version} installed again, owner {report.owner}"
    return f"awf upgraded from {report.previous_version} to {report.version}, owner {report.owner}"
