"""awf-pg demo: the whole way from installation to report, on a server of its own."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import click
import psycopg

from awf_pg import embedded, installer, simulate
from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.base import connect, not_empty, progress
from awf_pg.client import Awf
from awf_pg.errors import AwfError
from awf_pg.settings import Settings

# The demo's own, so that its numbers do not depend on the environment it runs in.
_SETTINGS = Settings(player_hash_key="key of the demo's simulated players")
_KEY = simulate.EXPERIMENT["key"]
_NO_PHASES = ("phase", "expected_percent")  # columns of a report by phase


@dataclass(frozen=True)
class Database:
    """Where the demo runs: as whom it installs, manages and plays."""

    owner: str
    admin: str
    writer: str
    own: bool


class DemoError(AwfError, code="WF912", status=500):
    """The demo did not come out as it must."""


@click.command()
@click.option(
    "--sessions", type=click.IntRange(min=1), default=2000, show_default=True, help="Sessions to play."
)
@click.option(
    "--threads", type=click.IntRange(1, 64), default=4, show_default=True, help="Threads that play them."
)
@click.option(
    "--out",
    metavar="DIR",
    default="awf-demo",
    callback=not_empty,
    show_default=True,
    help="Folder of the reports.",
)
@click.option(
    "--dsn", metavar="DSN", help="A database without the demo's experiment, in place of an own server."
)
def demo(sessions: int, threads: int, out: str, dsn: str | None) -> None:
    """Play a simulated game from installation to report.

    Starts the embedded server in a temporary folder, installs the SQL core, runs the experiment
    token-budget-test on simulated sessions in January 2025, prints and writes its report, and removes the
    server. The numbers are the same in every run. AWF_DATABASE_URL is not looked at.

    \b
    Example:
      awf-pg demo --out /tmp/awf-demo
    """
    began = time.monotonic()
    folder = _make_folder(out)
    with _sigterm_cleans_up(), _database(dsn) as database:
        with _stage("SQL core installed"):
            installer.install(database.owner, env={}, roles=database.own)
            if database.own:
                _make_logins(database.owner)
        with connect(database.admin) as api:
            with _stage(f"experiment {_KEY} running"):
                _define(api)
            _play(database, sessions, threads)
            with _stage("rollups refreshed"):
                api.refresh_rollups()
            with _stage("reports made"):
                _report(api, folder)
    click.echo(f"done in {time.monotonic() - began:.1f} s")


@contextmanager
def _database(dsn: str | None) -> Iterator[Database]:
    if dsn is not None:
        yield Database(dsn, dsn, dsn, own=False)
        return
    began = time.monotonic()
    with embedded.temporary_server() as server:
        _say("embedded PostgreSQL started", began)
        yield Database(server.dsn, server.dsn_as("demo_admin"), server.dsn_as("demo_writer"), own=True)
        began = time.monotonic()
    _say("embedded PostgreSQL stopped and removed", began)


def _make_logins(owner: str) -> None:
    with psycopg.connect(owner) as connection:
        connection.execute("create role demo_admin login in role awf_admin")
        connection.execute("create role demo_writer login in role awf_writer")


def _define(api: Api) -> None:
    api.create_experiment(**simulate.EXPERIMENT)
    for key, params in simulate.VARIATIONS.items():
        api.create_variation(_KEY, key, params)
    api.start_experiment(_KEY)


def _play(database: Database, sessions: int, threads: int) -> None:
    with _stage("") as done, Awf(database.writer, settings=_SETTINGS) as awf:
        try:
            with progress(sessions, "playing") as advance:
                turns = simulate.play(awf, sessions, threads=threads, advance=advance)
        except simulate.NotStored as error:
            raise DemoError("the database does not store the events", detail=str(error)) from error
        if not awf.flush(30):
            raise DemoError("the database does not store the events", detail=awf.stats()["last_error"])
        stats = awf.stats()
        done.append(f"{sessions:,} sessions with {turns:,} turns played by {threads} threads and stored")
    batches = stats["batches"]
    click.echo(f"          batches: {batches['direct']} direct, {batches['careful']} careful")
    if stats["accepted"] != turns:
        raise DemoError(
            f"{turns:,} turns were played and {stats['accepted']:,} stored", detail=stats["last_error"]
        )


def _report(api: Api, folder: Path) -> None:
    first, last = simulate.FIRST_DAY.date(), simulate.FIRST_DAY.date() + timedelta(days=simulate.DAYS - 1)
    by_variation = api.experiment_report(_KEY, first, last, ["variation"])
    by_locale = api.experiment_report(_KEY, first, last, ["variation", "locale"])
    click.echo(f"\n{_KEY}, {first} to {last}, by variation\n")
    output.write_rows(by_variation, output.REPORT.without("locale", *_NO_PHASES), fmt="table")
    click.echo(f"\n{_KEY}, {first} to {last}, by variation and locale\n")
    output.write_rows(by_locale, output.REPORT.without(*_NO_PHASES), fmt="table")
    click.echo()
    for fmt in ("json", "csv"):
        output.write_report(by_locale, output.REPORT, fmt=fmt, out=str(folder / f"report.{fmt}"))
    click.echo(f"          reports: {folder / 'report.json'} and {folder / 'report.csv'}")


@contextmanager
def _stage(what: str) -> Iterator[list[str]]:
    """Say what was done and how long it took. The block may say it in other words, known at its end only."""
    words: list[str] = []
    began = time.monotonic()
    yield words
    _say(words[0] if words else what, began)


def _say(what: str, began: float) -> None:
    click.echo(f"[{time.monotonic() - began:5.1f} s] {what}")


def _make_folder(out: str) -> Path:
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DemoError(
            f"the folder {out} cannot be made", detail=error.strerror, hint="name another one: --out DIR"
        ) from error
    return folder


@contextmanager
def _sigterm_cleans_up() -> Iterator[None]:
    """Make a request to end go through the clean-up, as Ctrl-C does: no server is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
