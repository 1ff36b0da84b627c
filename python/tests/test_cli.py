"""The command line: help, the runtime's usage examples, ingest of files, errors without tracebacks."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import click
import psycopg
import pytest
from click.testing import CliRunner, Result

from awf_pg.cli import main, output
from awf_pg.copy import Writer, Written
from awf_pg.event import Event
from awf_pg.settings import hash_player

KEY = "token-budget-test"
PLAYER_KEY = "0123456789abcdef-player-key"

DEFINITION = {
    "key": KEY,
    "name": "Token Budget Experiment",
    "status": "draft",
    "hashBasis": "session",
    "allocations": [
        {"variation": "control", "percent": 50},
        {"variation": "high-budget", "percent": 50},
    ],
    "guardrails": {"maxOutputTokens": 2000, "maxActs": 8, "toolMaxCalls": 10},
}
PARAMS = {
    "control": {"maxOutputTokens": 1500, "maxActs": 6, "toolMaxCalls": 8},
    "high-budget": {"maxOutputTokens": 2000, "maxActs": 8, "toolMaxCalls": 10},
}


class Cli(Protocol):
    """cli("report", KEY) runs awf-pg against the test's database."""

    def __call__(self, *arguments: str, stdin: str | None = None) -> Result: ...


@pytest.fixture
def cli(db: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    return make_cli(db, monkeypatch, tmp_path)


def make_cli(db: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    monkeypatch.setenv("AWF_DATABASE_URL", db)
    monkeypatch.setenv("AWF_PLAYER_HASH_KEY", PLAYER_KEY)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main, arguments, input=stdin, catch_exceptions=False)

    return run


@pytest.fixture
def running(cli: Cli) -> Cli:
    """With the experiment defined and started."""
    ok(cli("experiment", "create", "--file", "-", "--start-at", "2025-01-01", stdin=json.dumps(DEFINITION)))
    for key, params in PARAMS.items():
        ok(cli("variation", "add", KEY, key, "--params", json.dumps(params)))
    ok(cli("experiment", "start", KEY))
    return cli


def ok(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def rows(result: Result) -> Any:
    return json.loads(ok(result))


def error(result: Result, code: str, *parts: str) -> None:
    """The result is our error: its code and message, a hint, no traceback, nothing on standard output."""
    assert result.exit_code == (3 if code == "WF900" else 1), result.output
    assert result.stderr.startswith(f"Error {code}: "), result.stderr
    assert "\nhint: " in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    for part in parts:
        assert part in result.stderr


def event(n: int, variation: str | None, **changed: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": f"00000000-0000-7000-8000-{n:012}",
        "ts": f"2025-01-15T10:00:{n:02}Z",
        "sessionId": f"session-{n // 2}",
        "playerId": f"player-{n // 2}",
        "worldRef": "world.a",
        "adventureRef": "adv.a",
        "metrics": {"turnLatencyMs": 100.5 + n, "outputTokens": 1000 + n, "acts": 3},
    }
    if variation is not None:
        made |= {"experimentKey": KEY, "variationKey": variation}
    return made | changed


def lines(*events: dict[str, Any] | str) -> str:
    return "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in events)


# Two sessions of two turns in each variation, in two locales.
TURNS = [
    event(n, variation, locale=locale)
    for n, (variation, locale) in enumerate(
        (variation, locale)
        for variation in ("control", "high-budget")
        for locale in ("en-US", "de-DE")
        for _ in range(2)
    )
]


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", [(), *commands(main)], ids=" ".join)
def test_every_command_has_help_with_an_example(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0
    assert "Example:\n" in result.stdout
    assert f"awf-pg {' '.join(path)}".rstrip() in result.stdout.split("Example:\n")[1]


# The seven usage examples of the runtime that this replaces.


def test_1_create_an_experiment(cli: Cli) -> None:
    said = ok(cli("experiment", "create", "--file", "-", stdin=json.dumps(DEFINITION)))
    assert said == f"experiment {KEY} created, status draft\n"
    shown = rows(cli("experiment", "show", KEY, "--format", "json"))
    for name, value in DEFINITION.items():
        assert shown[name] == value


def test_1_create_an_experiment_by_options(cli: Cli) -> None:
    arguments = ["experiment", "create", KEY, "--name", "Token Budget Experiment", "--hash-basis", "session"]
    for name, share in (("control", 50), ("high-budget", 50)):
        arguments += ["--allocation", f"{name}={share}"]
    for name, bound in (("maxOutputTokens", 2000), ("maxActs", 8), ("toolMaxCalls", 10)):
        arguments += ["--guardrail", f"{name}={bound}"]
    arguments += ["--start-at", "2025-01-06", "--stop-at", "2025-02-01T00:00:00+01:00", "--coverage", "0.5"]
    made = rows(cli(*arguments, "--format", "json"))
    for name, value in DEFINITION.items():
        assert made[name] == value
    assert datetime.fromisoformat(made["startAt"]) == datetime(2025, 1, 6, tzinfo=UTC)
    assert datetime.fromisoformat(made["stopAt"]) == datetime(2025, 1, 31, 23, tzinfo=UTC)
    assert made["coverage"] == 0.5


def test_2_add_variations(cli: Cli) -> None:
    ok(cli("experiment", "create", "--file", "-", stdin=json.dumps(DEFINITION)))
    control = ("--param", "maxOutputTokens=1500", "--param", "maxActs=6", "--param", "toolMaxCalls=8")
    ok(cli("variation", "add", KEY, "control", *control))
    ok(cli("variation", "add", KEY, "high-budget", "--params", json.dumps(PARAMS["high-budget"])))
    listed = rows(cli("variation", "list", KEY, "--format", "json"))
    assert {row["variation_key"]: row["params"] for row in listed} == PARAMS
    assert [row["percent"] for row in listed] == [50, 50]


def test_3_start_the_experiment(running: Cli) -> None:
    assert rows(running("experiment", "show", KEY, "--format", "json"))["status"] == "running"
    given = {ok(running("assign", KEY, "--session", f"session-{n}")).strip() for n in range(50)}
    assert given == {"control", "high-budget"}


def test_4_reports_in_json_and_csv(running: Cli) -> None:
    ok(running("ingest", "-", stdin=lines(*TURNS)))
    ok(running("rollup", "refresh"))
    asked = ("report", KEY, "--from", "2025-01-01", "--to", "2025-01-31")

    as_json = rows(running(*asked, "--format", "json"))
    assert [(row["variation_key"], row["locale"], row["units"], row["turns"]) for row in as_json] == [
        ("control", "de-DE", 1, 2),
        ("control", "en-US", 1, 2),
        ("high-budget", "de-DE", 1, 2),
        ("high-budget", "en-US", 1, 2),
    ]
    assert [row["output_tokens"] for row in as_json] == [2005, 2001, 2013, 2009]
    assert as_json[0]["avg_turn_latency_ms"] == 103
    assert as_json[0]["avg_retries"] is None
    assert list(as_json[0])[:20] == list(output.REPORT.columns)[:20]

    said = running(*asked, "--format", "csv", "--out", "report.csv")
    assert said.stdout == ""
    assert "4 rows written to report.csv" in said.stderr
    with open("report.csv", newline="") as file:
        as_csv = list(csv.DictReader(file))
    assert list(as_csv[0]) == list(output.REPORT.columns)
    for one, other in zip(as_csv, as_json, strict=True):
        assert Decimal(one["avg_output_tokens"]) == Decimal(str(other["avg_output_tokens"]))
        assert one["avg_retries"] == ""

    by_variation = ok(running(*asked, "--by", "variation"))
    *header, _, control, high = by_variation.splitlines()
    assert "variation" in header[0]
    assert "locale" not in header[0]
    assert control.split()[:4] == ["control", "2", "4", "0"]
    assert high.split()[:4] == ["high-budget", "2", "4", "0"]


def test_5_daily_rollup_and_backfill_of_the_last_days(running: Cli) -> None:
    today = datetime.now(UTC)
    recent = [event(n, None, ts=(today - timedelta(days=n - 50)).isoformat()) for n in (50, 51, 59)]
    ok(running("ingest", "-", stdin=lines(*TURNS, *recent)))

    daily = rows(running("rollup", "daily", "2025-01-15", "--format", "json"))
    assert {row["day"] for row in daily} == {"2025-01-15"}
    assert sum(row["turns"] for row in daily if row["experiment_key"] is None) == len(TURNS)
    assert sum(row["turns"] for row in daily if row["variation_key"] == "control") == 4
    table = ok(running("rollup", "daily", "2025-01-15"))
    assert "(every turn)" in table

    last_week = rows(running("rollup", "backfill", "7", "--format", "json"))
    assert {row["day"] for row in last_week} == {
        (today - timedelta(days=days)).date().isoformat() for days in (0, 1)
    }


def test_6_experiment_report_and_list(running: Cli) -> None:
    ok(running("ingest", "-", stdin=lines(*TURNS)))
    ok(running("rollup", "refresh"))
    report = rows(running("report", KEY, "--from", "2025-01-01", "--to", "2025-01-31", "--format", "json"))
    assert sum(row["turns"] for row in report) == len(TURNS)
    listed = rows(running("experiment", "list", "--format", "json"))
    assert {row["key"]: row["status"] for row in listed}[KEY] == "running"
    assert [
        row["key"] for row in rows(running("experiment", "list", "--status", "running", "--format", "json"))
    ] == [KEY]
    assert KEY in ok(running("experiment", "list"))


def test_reports_have_quantiles_and_zones(running: Cli) -> None:
    ok(running("ingest", "-", stdin=lines(*TURNS)))
    ok(running("rollup", "refresh"))
    (control, _) = rows(running("report", KEY, "--by", "variation", "--format", "json"))
    assert set(control["quantiles"]["outputTokens"]) == {"p50", "p90", "p95", "p99"}
    as_csv = list(
        csv.DictReader(io.StringIO(ok(running("report", KEY, "--by", "variation", "--format", "csv"))))
    )
    assert float(as_csv[0]["output_tokens_p50"]) == control["quantiles"]["outputTokens"]["p50"]
    assert "quantiles" not in as_csv[0]
    nothing = ok(running("report", KEY, "--from", "2020-01-01", "--to", "2020-01-02", "--format", "csv"))
    assert nothing.strip().split(",") == list(as_csv[0])
    table = ok(running("report", KEY, "--quantiles"))
    assert "p95" in table
    assert "retries" not in table
    berlin = ("--from", "2025-01-15", "--zone", "Europe/Berlin")
    assert "in Europe/Berlin has none" in running("report", KEY, "--quantiles", *berlin).stderr
    assert "has none" not in running("report", KEY, "--quantiles").stderr
    assert "has none" not in running("report", KEY, *berlin).stderr
    whole = rows(running("report", KEY, "--zone", "Asia/Kolkata", "--format", "json"))
    assert sum(row["turns"] for row in whole) == len(TURNS)
    error(running("report", KEY, "--from", "2025-01-15", "--zone", "Asia/Kolkata"), "WF001", "Asia/Kolkata")
    error(running("report", KEY, "--zone", "Berlin"), "WF001", "Berlin")


def test_activity_and_overviews(running: Cli) -> None:
    ok(running("ingest", "-", stdin=lines(*TURNS, event(20, None, ts="2025-01-20T23:30:00Z"))))
    ok(running("rollup", "refresh"))
    days = {row["day"]: row["turns"] for row in rows(running("activity", "--format", "json"))}
    assert days["2025-01-20"] == 1
    berlin = rows(running("activity", "--from", "2025-01-21", "--zone", "Europe/Berlin", "--format", "json"))
    assert [row["turns"] for row in berlin if row["day"] == "2025-01-21"] == [1]
    by_month = ok(running("activity", "--by", "month,world"))
    assert "world" in by_month
    assert ok(running("activity", "--by", "month", "--by", "world")) == by_month
    assert ok(running("activity", "--by", "week")).split()[0] == "week"
    assert "p99" in ok(running("activity", "--quantiles"))
    assert "activity by world has none" in running("activity", "--by", "week,world", "--quantiles").stderr
    assert len(ok(running("activity", "--by", "model", "--format", "csv")).splitlines()) > 1
    error(running("activity", "--by", "hour"), "WF001", "hour")

    before = rows(running("overview", "experiments", "--format", "json"))
    assert [row["turns"] for row in before if row["experiment_key"] == KEY] == [0]
    assert "experiment_snapshot" in ok(running("overview", "refresh"))
    after = rows(running("overview", "experiments", "--format", "json"))
    assert [row["turns"] for row in after if row["experiment_key"] == KEY] == [len(TURNS)]
    assert after[0]["as_of"] > before[0]["as_of"]
    assert ok(running("overview", "experiments")).split()[0] == "experiment"
    error(running("overview", "days", "--days", "93"), "WF001", "93")


def test_the_last_days_with_their_players(running: Cli) -> None:
    now = datetime.now(UTC).isoformat()
    turns = [event(number, None, ts=now) for number in range(5)]
    ok(running("ingest", "-", stdin=lines(*turns)))
    ok(running("rollup", "refresh"))
    assert rows(running("overview", "days", "--format", "json")) == []
    ok(running("overview", "refresh"))
    (today,) = rows(running("overview", "days", "--days", "2", "--format", "json"))
    assert (today["turns"], today["players"]) == (5, len({turn["playerId"] for turn in turns}))


def test_the_last_days_are_days_of_utc(running: Cli, db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    today = datetime.now(UTC).date()
    kept, gone = (today - timedelta(days=age) for age in (91, 92))
    with psycopg.connect(db) as connection:
        for day in (kept, gone):
            connection.execute("select awf.ensure_partitions(%s, %s)", [day, day])
    sent = [event(number, None, ts=f"{day}T12:00:00Z") for number, day in enumerate((kept, gone))]
    ok(running("ingest", "-", stdin=lines(*sent)))
    ok(running("rollup", "refresh"))
    # At any hour it is another day in one of these zones.
    for zone in ("Pacific/Kiritimati", "Etc/GMT+12"):
        monkeypatch.setenv("PGTZ", zone)
        ok(running("overview", "refresh"))
        with psycopg.connect(db) as connection:
            assert connection.execute("table awf.activity_snapshot").rowcount == 1
        shown = rows(running("overview", "days", "--days", "92", "--format", "json"))
        assert [row["day"] for row in shown] == [str(kept)]


def test_a_backfill_that_ends_early_says_where_to_go_on(
    running: Cli, db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ok(running("ingest", "-", stdin=lines(*TURNS)))
    ok(running("rollup", "refresh"))
    done = "2025-01-01 to 2025-01-14 are done"
    with psycopg.connect(db) as connection:
        connection.execute("lock table awf.turn_events_20250115 in access exclusive mode")
        monkeypatch.setenv("PGOPTIONS", "-c lock_timeout=100ms")
        ended = running("backfill", "2025-01-01", "2025-01-31")
    assert f"{done}; go on with: awf-pg backfill 2025-01-15 2025-01-31" in ended.stderr
    assert ended.exit_code == 1
    with psycopg.connect(db) as connection:
        connection.execute("drop table awf.turn_events_20250115")
    ended = running("backfill", "2025-01-01", "2025-01-31")
    assert f"{done}\n" in ended.stderr
    assert ended.exit_code == 1
    assert "Error WF301: the events of 2025-01-15 are gone" in ended.stderr


def test_7_analytics_backfill(running: Cli) -> None:
    ok(running("ingest", "-", stdin=lines(*TURNS, event(20, None, ts="2025-01-20T00:00:00Z"))))
    result = rows(running("backfill", "2025-01-01", "2025-01-31", "--format", "json"))
    assert sum(row["turns"] for row in result if row["experiment_key"] is None) == len(TURNS) + 1
    as_csv = ok(running("backfill", "2025-01-01", "2025-01-31", "--format", "csv"))
    assert len(list(csv.DictReader(io.StringIO(as_csv)))) == len(result)


# Experiments and variations, the rest of their lives.


def test_update_stop_and_delete(running: Cli) -> None:
    ok(running("experiment", "update", KEY, "--name", "New name", "--set", "stopAt=null"))
    assert rows(running("experiment", "show", KEY, "--format", "json"))["name"] == "New name"
    ok(running("experiment", "stop", KEY))
    assert "stopped" in ok(running("experiment", "show", KEY))
    refused = running("experiment", "delete", KEY, stdin="n\n")
    assert refused.exit_code == 1
    assert "Aborted" in refused.stderr
    unanswered = running("experiment", "delete", KEY, stdin="")
    assert unanswered.exit_code == 2
    assert "Nobody is there to answer: give --yes." in unanswered.stderr
    assert running("experiment", "delete", KEY, stdin="y\n").exit_code == 0
    error(running("experiment", "show", KEY), "WF101", KEY)


def test_variations_change_and_go(cli: Cli) -> None:
    ok(cli("experiment", "create", KEY, "--name", "n"))
    ok(cli("variation", "add", KEY, "a", "--param", "maxActs=3"))
    changed = rows(cli("variation", "update", KEY, "a", "--param", "maxActs=4", "--format", "json"))
    assert changed["params"] == {"maxActs": 4}
    ok(cli("variation", "delete", KEY, "a", "--yes"))
    assert "no variations" in cli("variation", "list", KEY).stderr


def test_a_new_experiment_is_a_draft(cli: Cli) -> None:
    body = json.dumps(DEFINITION | {"status": "running"})
    error(cli("experiment", "create", "--file", "-", stdin=body), "WF106", "draft")


def test_assign_by_player(cli: Cli) -> None:
    ok(cli("experiment", "create", KEY, "--name", "n", "--hash-basis", "player", "--allocation", "a=100"))
    ok(cli("variation", "add", KEY, "a"))
    ok(cli("experiment", "start", KEY))
    assert ok(cli("assign", KEY, "--player-id", "ann")) == "a\n"
    hashed = hash_player(PLAYER_KEY.encode(), "ann").hex()
    assert rows(cli("assign", KEY, "--player-hash", hashed, "--format", "json")) == {
        "experiment": KEY,
        "variation": "a",
    }
    nobody = cli("assign", KEY, "--session", "s")
    assert (nobody.exit_code, nobody.stdout) == (0, "")
    assert "not assigned" in nobody.stderr


def test_conditions(cli: Cli) -> None:
    ok(cli("experiment", "create", "german", "--name", "German", "--allocation", "a=100",
           "--condition", '{"locale": "de-AT"}'))  # fmt: skip
    ok(cli("experiment", "update", "german", "--condition", '{"locale": "de-DE", "level": {"$gte": 5}}'))
    assert "$gte" in ok(cli("experiment", "show", "german"))
    ok(cli("variation", "add", "german", "a"))
    ok(cli("experiment", "start", "german"))
    german = ("assign", "german", "--session", "s", "--attribute", "locale=de-DE")
    assert ok(cli(*german, "--attribute", "level=5")) == "a\n"
    assert ok(cli(*german, "--attributes", '{"level": 7}')) == "a\n"
    assert "not assigned" in cli(*german, "--attribute", "level=4").stderr
    assert cli(*german, "--attributes", "[]").exit_code == 2
    refused = cli("experiment", "create", "x", "--name", "X", "--condition", '{"locale": {"$in": "de-DE"}}')
    assert refused.exit_code == 1
    assert "Error WF113" in refused.stderr
    assert "$.locale.$in: must be a list" in refused.stderr


def test_stats(running: Cli) -> None:
    shown = rows(running("stats", "--format", "json"))
    assert {"eventsPerMinute", "crossovers", "erasures", "batches", "rejected"} <= set(shown)
    for figure in ("eventsPerMinute", "batches.waitingEvents", "rejected.complete", "crossovers", "erasures"):
        assert f"{figure} " in ok(running("stats"))


def test_stats_name_the_jobs_that_fail(running: Cli, db: str) -> None:
    def shown() -> str:
        (line,) = [line for line in ok(running("stats")).splitlines() if line.startswith("jobs.")]
        return line

    assert shown().split() == ["jobs.failing", "-"]
    with psycopg.connect(db, autocommit=True) as connection:
        # Its function is missing.
        connection.execute(
            "insert into awf.jobs (name, place, schedule, every, description)"
            " values ('extra', 15, '* * * * *', '1 hour', 'Extra.')"
        )
    assert running("jobs", "run", "--once").exit_code == 1
    assert shown().split() == ["jobs.failing", "extra"]


# Ingest


def test_ingest_counts_and_stores_once(running: Cli, db: str) -> None:
    Path("events.jsonl").write_text(lines(*TURNS))
    assert ok(running("ingest", "events.jsonl")) == "8 accepted, 0 duplicate, 0 rejected, 0 bad lines\n"
    assert ok(running("ingest", "events.jsonl")) == "0 accepted, 8 duplicate, 0 rejected, 0 bad lines\n"
    with psycopg.connect(db) as connection:
        stored = connection.execute("select count(*), count(distinct player_hash) from awf.analytics_events")
        assert stored.fetchone() == (8, 4)
        found = connection.execute(
            "select count(*) from awf.analytics_events where player_hash = %s",
            [hash_player(PLAYER_KEY.encode(), "player-0").hex()],
        )
        assert found.fetchone() == (2,)
    assert not Path("events.jsonl.rejects.jsonl").exists()


def test_ingest_in_small_batches(running: Cli) -> None:
    assert "8 accepted" in ok(running("ingest", "-", "--batch", "3", stdin=lines(*TURNS)))


def test_ingest_sends_a_batch_again_after_a_deadlock(running: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    write, failures = Writer.write, [psycopg.errors.DeadlockDetected("deadlock detected")]

    def sometimes(writer: Writer, events: Sequence[Event]) -> Written:
        if failures:
            raise failures.pop()
        return write(writer, events)

    monkeypatch.setattr(Writer, "write", sometimes)
    assert "8 accepted" in ok(running("ingest", "-", stdin=lines(*TURNS)))
    assert failures == []


def test_ingest_keeps_bad_lines_and_lands_the_others(running: Cli) -> None:
    bad = event(9, None)
    del bad["sessionId"]
    content = "\ufeff" + lines(
        TURNS[0], "not json", "", "[1]", bad, event(10, None, ts="yesterday"), TURNS[1]
    )
    Path("events.jsonl").write_text(content, encoding="utf-8")
    result = running("ingest", "events.jsonl")
    assert result.exit_code == 1
    assert result.stdout == "2 accepted, 0 duplicate, 0 rejected, 4 bad lines\n"
    assert "line 2: not JSON" in result.stderr
    assert "line 4: not a JSON object" in result.stderr
    assert "line 5: session_id is missing" in result.stderr
    assert "line 6: ts must be a timestamp" in result.stderr
    assert "kept in events.jsonl.rejects.jsonl" in result.stderr

    kept = [json.loads(line) for line in Path("events.jsonl.rejects.jsonl").read_text().splitlines()]
    assert [one["line"] for one in kept] == [2, 4, 5, 6]
    assert (kept[0]["bytes"], "text" in kept[0]) == (9, False), "it may hold a player id"
    source = Path("events.jsonl").read_bytes()
    assert source[kept[0]["position"] :].startswith(b"not json\n")
    assert "playerId" not in kept[2]["event"], "a player id is hashed in the reject file too"
    assert kept[2]["event"]["player_hash"] == hash_player(PLAYER_KEY.encode(), "player-4").hex()


def test_no_player_id_reaches_the_rejects_or_the_terminal(running: Cli) -> None:
    secret = "dave@example.com"
    bad = [event(n, None) for n in range(12)]
    for one in bad:
        del one["playerId"]
    bad[0] |= {"PlayerId": secret, "sessionId": 5}
    bad[1] |= {"Player_Hash": secret}
    bad[2] |= {"player_id": [secret]}
    bad[3] |= {"player_id": secret, "metrics": {"acts": secret}}
    bad[4] |= {"player_id": secret, secret: 1}
    bad[5] |= {"player_id": secret, "user": secret}
    bad[6] |= {"player_id": secret, "assignments": [secret]}
    bad[7] |= {"player_id": secret, "world_ref": {"of": secret}}
    bad[8] |= {"player_id": secret, "metrics": {secret: "x"}}
    bad[9] |= {"player_id": secret, "attributes": {secret: [secret]}}
    bad[10] |= {"player_id": secret, "attributes": {"country": secret, "level": 5}, "ts": "then"}
    Path("events.jsonl").write_text(lines(*bad[:11], f'{{"playerId": "{secret}"', json.dumps([secret])))
    result = running("ingest", "events.jsonl")
    assert "13 bad lines" in result.stdout
    rejects = Path("events.jsonl.rejects.jsonl").read_text()
    assert secret not in rejects + result.output
    assert "line 3: player_id must be a text, not a list" in result.stderr
    assert "metric acts takes a number, not a text" in result.stderr
    kept = json.loads(rejects.splitlines()[10])["event"]["attributes"]
    assert kept == {"country": "(hidden)", "level": 5}
    hashed = hash_player(PLAYER_KEY.encode(), secret).hex()
    assert json.loads(rejects.splitlines()[0])["event"]["player_hash"] == hashed


def test_rejects_are_appended_and_malformed_lines_kept_on_demand(running: Cli) -> None:
    ok_before = '{"line": 1}\n'
    Path("bad.jsonl").write_text(ok_before)
    result = running("ingest", "-", "--rejects", "bad.jsonl", "--keep-malformed", stdin="{oops\n")
    assert "player ids" in result.stderr
    before, added = Path("bad.jsonl").read_text().splitlines(keepends=True)
    assert before == ok_before
    assert json.loads(added)["text"] == "{oops"
    assert datetime.fromisoformat(json.loads(added)["run"]).tzinfo is not None


def test_the_input_is_never_the_file_of_rejects(running: Cli) -> None:
    Path("events.jsonl").write_text("{oops\n")
    Path("link").symlink_to("events.jsonl")
    for name in ("events.jsonl", "link"):
        assert running("ingest", "events.jsonl", "--rejects", name).exit_code == 2
    assert Path("events.jsonl").read_text() == "{oops\n"


def test_ingest_says_where_to_go_on(running: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    write, calls = Writer.write, iter([True, False])

    def once(writer: Writer, events: Sequence[Event]) -> Written:
        if next(calls):
            return write(writer, events)
        raise psycopg.OperationalError("server closed the connection")

    Path("events.jsonl").write_text(lines(*(event(n, None, id=None) for n in range(5))))
    with monkeypatch.context() as patched:
        patched.setattr(Writer, "write", once)
        broken = running("ingest", "events.jsonl", "--batch", "2")
    assert broken.exit_code == 3
    assert "stored up to line 2; go on with --from-line 3" in broken.stderr
    assert "3 accepted" in ok(running("ingest", "events.jsonl", "--from-line", "3"))


def test_ingest_tells_where_rejected_events_are(running: Cli) -> None:
    wrong = event(11, None, metrics={"acts": -1})
    result = running("ingest", "-", "--rejects", "bad.jsonl", stdin=lines(TURNS[0], wrong))
    assert result.exit_code == 1
    assert result.stdout == "1 accepted, 0 duplicate, 1 rejected, 0 bad lines\n"
    assert "awf.rejected_events" in result.stderr


def test_ingest_of_player_ids_needs_the_key(running: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWF_PLAYER_HASH_KEY")
    result = running("ingest", "-", stdin=lines(TURNS[0]))
    assert result.exit_code == 1
    assert "Error WF901: AWF_PLAYER_HASH_KEY is not set" in result.stderr


# Errors, each with code, message and hint


def test_allocations_that_sum_to_99(cli: Cli) -> None:
    shares = ("--allocation", "a=50", "--allocation", "b=49")
    error(cli("experiment", "create", KEY, "--name", "n", *shares), "WF105", "99")


def test_unknown_variation(cli: Cli) -> None:
    ok(cli("experiment", "create", "--file", "-", stdin=json.dumps(DEFINITION)))
    error(cli("experiment", "start", KEY), "WF107", "control")
    error(cli("variation", "update", KEY, "nobody", "--param", "maxActs=1"), "WF102", "nobody")


def test_params_above_a_guardrail(cli: Cli) -> None:
    ok(cli("experiment", "create", "--file", "-", stdin=json.dumps(DEFINITION)))
    result = cli("variation", "add", KEY, "control", "--param", "maxOutputTokens=2001")
    error(result, "WF109", "maxOutputTokens", "2001", "2000")


def test_unknown_knob(cli: Cli) -> None:
    ok(cli("experiment", "create", KEY, "--name", "n"))
    error(cli("variation", "add", KEY, "a", "--param", "maxMagic=1"), "WF108", "maxMagic")


@pytest.mark.parametrize("day", ["2025-13-01", "2025-02-30", "15.01.2025", "20250115", "2025-W03-3", ""])
def test_malformed_dates(cli: Cli, day: str) -> None:
    for arguments in (
        ("rollup", "daily", day),
        ("backfill", day, "2025-01-31"),
        ("report", KEY, "--from", day),
        ("rollup", "backfill", "7", "--until", day),
    ):
        error(cli(*arguments), "WF002", f'"{day}"', "YYYY-MM-DD")


def test_reversed_date_ranges(running: Cli) -> None:
    error(running("report", KEY, "--from", "2025-01-31", "--to", "2025-01-01"), "WF002", "2025-01-31")
    error(running("backfill", "2025-01-31", "2025-01-01", "--out", "gone.json"), "WF002", "2025-01-31")
    assert not Path("gone.json").exists()


def test_unknown_experiment_key(cli: Cli) -> None:
    for arguments in (
        ("experiment", "show", "nothing"),
        ("experiment", "start", "nothing"),
        ("experiment", "delete", "nothing"),
        ("variation", "list", "nothing"),
        ("report", "nothing"),
        ("assign", "nothing", "--session", "s"),
    ):
        error(cli(*arguments), "WF101", "nothing")


def test_server_unreachable(cli: Cli) -> None:
    dsn = "postgresql://ann:secret@127.0.0.1:1/game"
    for arguments in (("stats",), ("install",), ("ingest", "-")):
        result = cli(*arguments, "--dsn", dsn, stdin=lines(TURNS[0]))
        assert result.exit_code == 3
        assert "Error WF900: " in result.stderr
        assert "127.0.0.1, port 1" in result.stderr
        assert "\nhint: " in result.stderr
        assert "secret" not in result.stderr


def test_an_empty_date_range_is_no_error(running: Cli) -> None:
    ok(running("ingest", "-", stdin=lines(*TURNS, event(20, "control", ts="2025-01-20T00:00:00Z"))))
    ok(running("rollup", "refresh"))
    for fmt, nothing in (("table", ""), ("json", "[]\n"), ("csv", ",".join(output.REPORT.columns) + "\n")):
        result = running("report", KEY, "--from", "2024-01-01", "--to", "2024-01-31", "--format", fmt)
        assert (result.exit_code, result.stdout) == (0, nothing)
        assert "2025-01-15" in result.stderr
        assert "2025-01-20" in result.stderr
    for arguments in (("rollup", "daily", "2024-01-01"), ("backfill", "2024-01-01", "2024-01-31")):
        result = running(*arguments, "--format", "json")
        assert (result.exit_code, result.stdout) == (0, "[]\n")
        assert "data from 2025-01-15 to 2025-01-20" in result.stderr


def test_missing_right(cli: Cli, db: str) -> None:
    result = cli("experiment", "list", "--dsn", psycopg.conninfo.make_conninfo(db, user="t_none"))
    error(result, "WF903", "permission denied")


def test_database_without_the_sql_core(cli: Cli, db: str) -> None:
    result = cli("stats", "--dsn", psycopg.conninfo.make_conninfo(db, dbname="postgres"))
    error(result, "WF902", "awf-pg install")


def test_wrong_usage(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in (
        ("experiment", "create", KEY, "--name", "n", "--allocation", "half"),
        ("experiment", "create", KEY),
        ("experiment", "create", "--name", "n"),
        ("experiment", "update", KEY),
        ("variation", "add", KEY, "a", "--params", "{"),
        ("assign", KEY),
        ("ingest", "no-such-file.jsonl"),
        ("rollup", "backfill", "0"),
        ("report", KEY, "--format", "xml"),
        ("stats", "--out", ""),
        ("experiment", "create", KEY, "--name", ""),
    ):
        result = cli(*arguments)
        assert result.exit_code == 2, (arguments, result.output)
        assert "Traceback" not in result.output
    monkeypatch.delenv("AWF_DATABASE_URL")
    result = cli("stats")
    assert result.exit_code == 2
    assert "AWF_DATABASE_URL" in result.stderr


def test_output_file_that_cannot_be_written(cli: Cli) -> None:
    result = cli("experiment", "list", "--format", "json", "--out", "no/such/folder.json")
    assert result.exit_code == 1
    assert "no/such/folder.json cannot be written" in result.stderr


def test_days_before_the_first_year(cli: Cli) -> None:
    for arguments in (("999999999999",), ("800000",), ("5", "--until", "0001-01-01")):
        error(cli("rollup", "backfill", *arguments), "WF002", "before the year 1")
    assert rows(cli("backfill", "0001-01-01", "9999-12-31", "--format", "json")) == []


def test_values_of_a_wrong_type(cli: Cli) -> None:
    create = ("experiment", "create", KEY, "--name", "n")
    for name in ("name", "hashBasis", "startAt", "stopAt"):
        error(cli(*create, "--set", f"{name}=5"), "WF001", name, "5")
    error(cli("experiment", "create", "", "--name", "n"), "WF112")
    error(cli("experiment", "create", "k", "--name", "\udcff"), "WF001", "utf-8")
    error(cli("experiment", "create", "k" * 9000, "--name", "n"), "WF112")
    assert len(cli("report", KEY, "--format", "x" * 9000).stderr) < 1000


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_numbers_that_are_not_finite(cli: Cli, number: str) -> None:
    for option, value in (
        ("--allocation", f"a={number}"),
        ("--guardrail", f"maxActs={number}"),
        ("--coverage", number),
    ):
        result = cli("experiment", "create", KEY, "--name", "n", f"{option}={value}")
        assert result.exit_code == 2
        assert option in result.stderr
        assert f"{number} is not a finite number" in result.stderr


def test_percents_pass_with_all_their_digits(cli: Cli, db: str) -> None:
    shares = ("33.333333333333333333", "66.666666666666666667")
    arguments = [f"--allocation={name}={share}" for name, share in zip("ab", shares, strict=True)]
    ok(cli("experiment", "create", KEY, "--name", "n", *arguments))
    with psycopg.connect(db) as connection:
        stored = connection.execute("select awf.get_experiment(%s)::text", [KEY]).fetchone()
    assert stored is not None
    assert all(share in stored[0] for share in shares)


def test_documents_with_a_byte_order_mark_and_a_null_status(cli: Cli) -> None:
    Path("e.json").write_text("\ufeff" + json.dumps(DEFINITION | {"status": None}), encoding="utf-8")
    ok(cli("experiment", "create", "--file", "e.json"))


def test_json_that_is_nested_too_deeply(cli: Cli) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    Path("deep.json").write_text(deep)
    for arguments in (("--set", f"name={deep}"), ("--file", "deep.json")):
        result = cli("experiment", "create", KEY, *arguments)
        assert result.exit_code == 2
        assert "nested too deeply" in result.stderr


@pytest.mark.parametrize("target", [">/dev/full", ">&-"])
def test_output_that_cannot_be_written(cli: Cli, target: str) -> None:
    script = f'"{sys.executable}" -c "from awf_pg.cli import main; main()" stats --format json {target}'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.splitlines()) == 1


def test_dsn_before_or_behind_the_verb(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWF_DATABASE_URL", raising=False)
    for arguments in (
        ["--dsn", db, "stats"],
        ["stats", "--dsn", db],
        ["--dsn", "host=nowhere", "stats", "--dsn", db],
    ):
        ok(CliRunner().invoke(main, arguments))


# Rendering


def test_values_leave_in_the_types_of_their_format() -> None:
    row = {
        "a": Decimal("1.50"),
        "b": Decimal("12"),
        "c": datetime(2025, 1, 6, tzinfo=UTC),
        "d": date(2025, 1, 6),
        "e": None,
        "f": {"x": 1},
        "g": 'say "hi"',
        "h": True,
    }
    assert json.loads(output.to_json(row)) == row | {
        "a": 1.5,
        "b": 12,
        "c": "2025-01-06T00:00:00Z",
        "d": "2025-01-06",
    }
    assert [output._csv_cell(value) for value in row.values()] == [
        "1.50", "12", "2025-01-06T00:00:00Z", "2025-01-06", "", '{"x": 1}', 'say "hi"', "true",
    ]  # fmt: skip
