"""awf-pg storage: the report, partitions ahead, retention."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from tests.test_cli import Cli, error, make_cli, ok, rows

TODAY = datetime.now(UTC).date()


@pytest.fixture
def cli(db: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    return make_cli(db, monkeypatch, tmp_path)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def store(db: str, *days: date) -> None:
    """An event on each day, rolled up; nothing older than two days is accepted from then on."""
    turn = {"session_id": "s", "player_hash": "ab" * 32, "world_ref": "w", "adventure_ref": "a"}
    turns = [turn | {"ts": f"{day}T12:00Z"} for day in days]
    with psycopg.connect(db) as connection:
        connection.execute("select awf.record_turns(%s)", [json.dumps(turns)])
        connection.execute("select awf.refresh_rollups()")
        connection.execute("select awf.set_setting('ingest_max_age_days', '2')")


def keep(db: str, days: int) -> None:
    with psycopg.connect(db) as connection:
        connection.execute("select awf.set_setting('events_keep_days', to_jsonb(%s::int))", [days])


def test_partitions_are_made_ahead(cli: Cli) -> None:
    made = rows(cli("storage", "partitions", "--format", "json"))
    assert [row["day"] for row in made] == [str(ago(-number)) for number in range(8)]
    assert all(row["made"] for row in made)
    assert made[0]["table_name"] == f"awf.turn_events_{TODAY:%Y%m%d}"
    again = ok(cli("storage", "partitions", "--from", str(ago(1)), "--to", str(TODAY)))
    assert [line.split() for line in again.splitlines()[2:]] == [
        [str(ago(1)), f"awf.turn_events_{ago(1):%Y%m%d}", "true"],
        [str(TODAY), f"awf.turn_events_{TODAY:%Y%m%d}", "false"],
    ]


def test_a_range_of_partitions_that_cannot_be(cli: Cli) -> None:
    partitions = ("storage", "partitions")
    error(cli(*partitions, "--from", "2025-01-02", "--to", "2025-01-01"), "WF002", "after its end")
    error(cli(*partitions, "--from", "1999-12-31", "--to", "2000-01-01"), "WF203", "does not lie within")
    error(cli(*partitions, "--from", "yesterday"), "WF002", "yesterday")


def test_retention(cli: Cli, db: str) -> None:
    done = cli("storage", "retention")
    assert ok(done) == ""
    assert done.stderr == "nothing to drop\n"
    store(db, ago(30), ago(3), TODAY)
    keep(db, 2)
    planned = rows(cli("storage", "retention", "--dry-run", "--format", "json"))
    assert [(row["day"], row["events"], row["action"]) for row in planned] == [
        (str(ago(30)), 1, "would drop"),
        (str(ago(3)), 1, "would drop"),
    ]
    assert all(row["bytes"] > 8192 for row in planned)
    shown = ok(cli("storage", "retention", "--max-days", "1")).splitlines()
    assert [line.split()[0] for line in shown[2:]] == [str(ago(30)), str(ago(3))]
    assert [line.split(None, 4)[4] for line in shown[2:]] == ["dropped", "kept: next run"]
    assert [row["action"] for row in rows(cli("storage", "retention", "--format", "json"))] == ["dropped"]
    gone = rows(cli("storage", "partitions", "--from", str(ago(2)), "--to", str(TODAY), "--format", "json"))
    assert [row["table_name"] is None for row in gone] == [False] * 3


def test_settings_that_contradict_each_other(cli: Cli, db: str) -> None:
    store(db, ago(30))
    keep(db, 1)
    for options in [["--dry-run"], []]:
        error(
            cli("storage", "retention", *options),
            "WF106",
            "events are kept for 1 days, but accepted up to an age of 2 days",
            "Set ingest_max_age_days to 1 at most, or events_keep_days to 2 at least",
        )


def test_the_report(cli: Cli, db: str, tmp_path: Path) -> None:
    store(db, ago(2), ago(1), TODAY)
    report = rows(cli("storage", "report", "--days-ahead", "10", "--format", "json"))
    assert {row["kind"] for row in report} == {
        "total", "table", "partition", "growth", "forecast", "autovacuum", "locks",
    }  # fmt: skip
    (forecast,) = (row for row in report if row["kind"] == "forecast")
    assert forecast["day"] == str(ago(-10))
    table = ok(cli("storage", "report"))
    assert f"partition   turn_events_{TODAY:%Y%m%d}" in table
    ok(cli("storage", "report", "--format", "csv", "--out", "storage.csv"))
    with (tmp_path / "storage.csv").open() as file:
        lines = list(csv.DictReader(file))
    (total,) = (line for line in lines if line["kind"] == "total")
    assert int(total["total_bytes"]) == int(total["heap_bytes"]) + int(total["index_bytes"]) > 1_000_000
    assert cli("storage", "report", "--days-ahead", "-1").exit_code == 2
