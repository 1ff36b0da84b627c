"""awf-pg: the command line. One verb, one SQL function."""

from __future__ import annotations

import click

from awf_pg.cli import (
    archive,
    assign,
    checks,
    config,
    demo,
    experiment,
    ingest,
    install,
    jobs,
    layer,
    overrides,
    phases,
    players,
    rejected,
    report,
    rollup,
    server,
    spool,
    stats,
    storage,
    template,
    variation,
)
from awf_pg.cli.base import RootGroup


@click.group(
    cls=RootGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option("--dsn", metavar="DSN", envvar="AWF_DATABASE_URL", help="PostgreSQL connection string.")
@click.version_option(package_name="awf-pg", prog_name="awf-pg")
def main(dsn: str | None) -> None:
    """Experiments and turn analytics inside PostgreSQL.

    The database is given by --dsn, here or behind the verb, or by AWF_DATABASE_URL.

    \b
    Example:
      export AWF_DATABASE_URL=postgresql://admin@localhost/game
      awf-pg experiment list
    """


for command in (
    demo.demo,
    server.server,
    install.install,
    experiment.experiment,
    variation.variation,
    layer.layer,
    template.template,
    assign.assign,
    assign.assign_many,
    config.config,
    ingest.ingest,
    rejected.retry_rejected,
    rejected.dismiss_rejected,
    rollup.rollup,
    report.report,
    report.activity,
    report.overview,
    rollup.backfill,
    archive.archive,
    archive.restore_archive,
    stats.stats,
    jobs.jobs,
    storage.storage,
    spool.spool,
    players.forget_player,
    players.reapply_erasures,
    players.set_player_key,
):
    main.add_command(command)

# How an experiment goes on and how its split is checked; each in a module beside the experiment's own.
for command in (
    phases.phase,
    phases.phases,
    phases.ramp,
    phases.advance,
    overrides.override,
    overrides.overrides,
    checks.simulate,
    checks.verify,
):
    experiment.experiment.add_command(command)
