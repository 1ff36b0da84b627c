"""awf-pg jobs: what has to happen again and again, and what came of it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from awf_pg import archive
from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.base import (
    ERROR,
    dsn_option,
    format_option,
    not_empty,
    out_option,
    require_dsn,
    tell,
    with_api,
)
from awf_pg.connect import Source, execute
from awf_pg.errors import translated
from awf_pg.jobs import EVERY_S, Archive, Bell, Jobs, Run, Runner, Task

cron_dsn_option = click.option(
    "--cron-dsn",
    metavar="DSN",
    callback=not_empty,
    help="The database in which pg_cron lives, as a superuser, where it is not this one.",
)
role_option = click.option(
    "--role",
    metavar="ROLE",
    callback=not_empty,
    help="With --cron-dsn: the admin as whom pg_cron runs the jobs; who connects here without it.",
)


@click.group()
def jobs() -> None:
    """What has to happen again and again: refresh, partitions, retention.

    Either pg_cron runs the jobs (schedule), or a process that does nothing else (run).

    \b
    Example:
      awf-pg jobs list
      awf-pg jobs run --once
    """


@jobs.command("list")
@format_option("table", "json", "csv")
@out_option
@with_api
def list_jobs(api: Api, fmt: str, out: str | None) -> None:
    """List the jobs, their last runs and when they are due.

    \b
    Example:
      awf-pg jobs list
    """
    output.write_rows(api.list_jobs(), output.JOBS, fmt=fmt, out=out)


@jobs.command()
@click.option("--job", metavar="NAME", callback=not_empty, help="Runs of this job only.")
@click.option(
    "--limit", type=click.IntRange(min=0), metavar="NUMBER", help="At most this many; 100 without it."
)
@format_option("table", "json", "csv")
@out_option
@with_api
def log(api: Api, job: str | None, limit: int | None, fmt: str, out: str | None) -> None:
    """Show the runs of the jobs, the newest first.

    \b
    Example:
      awf-pg jobs log --job refresh --limit 10
    """
    output.write_rows(api.list_job_runs(job, limit), output.JOB_RUNS, fmt=fmt, out=out)


@jobs.command()
@click.option("--once", is_flag=True, help="Run what is due now, and end; status 1 when a job failed.")
@click.option(
    "--every",
    type=click.FloatRange(min=0.1),
    default=EVERY_S,
    show_default=True,
    metavar="SECONDS",
    help="How often to look for what is due.",
)
@click.option(
    "--archive",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Once a day, write days of events that events_keep_days lets go to Parquet files there.",
)
@dsn_option
@click.pass_context
def run(ctx: click.Context, once: bool, every: float, folder: Path | None, dsn: str | None) -> None:
    """Run the jobs, each whenever it is due, until a signal ends this.

    Each run is a line. Two processes, or pg_cron beside this one, do no harm: a job runs once at a time, and
    once each time that it is due. A lost database is waited for. SIGTERM and Ctrl-C let the job at work end
    first; a second signal cancels it.

    \b
    Example:
      awf-pg jobs run
      awf-pg jobs run --once
      awf-pg jobs run --archive /srv/archive
    """
    if folder is not None:
        archive.require_extra()
    failed: list[Run] = []

    def show(done: Run) -> None:
        click.echo(_line(done))
        if done.failed:
            failed.append(done)

    with (
        Api(require_dsn(dsn), application_name="awf-pg jobs", on_notice=tell) as api,
        _rung_by_signals() as bell,
    ):
        # Before the job "retention", which drops what is archived.
        tasks: list[Task] = [Jobs(api)] if folder is None else [Archive(api, folder, bell), Jobs(api)]
        runner = Runner(tasks, bell, show, lambda said: tell(f"{_time(datetime.now(UTC))} {said}"))
        if once:
            runner.round()
        else:
            runner.forever(every)
    if once and failed:
        ctx.exit(ERROR)


@jobs.command("set")
@click.argument("name")
@click.option("--enable/--disable", "enabled", default=None, help="Whether anybody runs it.")
@click.option(
    "--schedule", metavar="CRON", callback=not_empty, help="When pg_cron runs it, such as '30 4 * * *' (UTC)."
)
@click.option(
    "--every", metavar="INTERVAL", callback=not_empty, help="How often the loop runs it, such as '5 minutes'."
)
@with_api
def set_job(api: Api, name: str, enabled: bool | None, schedule: str | None, every: str | None) -> None:
    """Change when a job runs, or that it does.

    A new --schedule counts from the next "awf-pg jobs schedule" on, all else at once.

    \b
    Example:
      awf-pg jobs set retention --schedule '30 4 * * *'
      awf-pg jobs set retention --disable
    """
    api.set_job(name, enabled, schedule, every)
    click.echo(f"job {name} changed")


@jobs.command()
@cron_dsn_option
@role_option
@with_api
def schedule(api: Api, cron_dsn: str | None, role: str | None) -> None:
    """Have pg_cron run the jobs.

    pg_cron runs them as the role that connects here, an admin with USAGE on schema cron. Where pg_cron lives
    in another database of the server, --cron-dsn leads a superuser there.

    \b
    Example:
      awf-pg jobs schedule
      awf-pg jobs schedule --cron-dsn postgresql://postgres@localhost/postgres --role ops
    """
    if cron_dsn is None:
        _refuse_role(role)
        for job in api.schedule_jobs():
            click.echo(f"{job['name']}: {job['schedule']}")
    else:
        _run_there(cron_dsn, api.cron_statements(role))
        click.echo("scheduled")


@jobs.command()
@cron_dsn_option
@role_option
@with_api
def unschedule(api: Api, cron_dsn: str | None, role: str | None) -> None:
    """Have pg_cron run the jobs no more.

    \b
    Example:
      awf-pg jobs unschedule
    """
    if cron_dsn is None:
        _refuse_role(role)
        for job in api.unschedule_jobs():
            click.echo(f"{job['name']}: scheduled no more")
    else:
        _run_there(cron_dsn, api.cron_statements(role, remove=True))
        click.echo("scheduled no more")


def _refuse_role(role: str | None) -> None:
    if role is not None:
        raise click.UsageError("--role goes with --cron-dsn; without it the jobs run as who connects here.")


def _run_there(dsn: str, statements: list[str]) -> None:
    source = Source(dsn, None, "awf-pg command line")
    try:
        with translated(source.target), source.transaction() as connection:
            for statement in statements:
                execute(connection, statement)
    finally:
        source.close()


def _line(run: Run) -> str:
    """A run on one line."""
    when = _time(run.started_at or datetime.now(UTC))
    if run.failed:
        said = f"{run.outcome}, {run.code}: {run.error}"
    elif run.rows is None:
        return f"{when} {run.job}: {run.outcome}"
    else:
        said = f"{run.outcome}, {run.rows:,} rows"
    return f"{when} {run.job}: {said}, {run.duration_ms:,.0f} ms".replace("\n", " ")


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@contextmanager
def _rung_by_signals() -> Iterator[Bell]:
    """A bell that SIGTERM and Ctrl-C ring; after a second one the block is left at once."""
    bell = Bell()
    if threading.current_thread() is not threading.main_thread():
        yield bell  # Only the main thread hears of signals.
        return

    def ring(number: int, _frame: FrameType | None) -> None:
        if bell.rung:
            cancel(number)
        bell.ring()

    before = {number: signal.signal(number, ring) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield bell
    except _Cancelled as error:
        raise SystemExit(128 + error.number) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        bell.close()


class _Cancelled(KeyboardInterrupt):
    """The driver cancels its statement for a KeyboardInterrupt and for nothing else."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def cancel(number: int) -> NoReturn:
    raise _Cancelled(number)
