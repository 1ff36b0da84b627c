"""The command line around the pipeline: files ingested exactly once, refused events, erasures, spools."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from awf_pg.cli.origin import line_id
from awf_pg.copy import Writer, Written
from awf_pg.event import Event
from awf_pg.settings import hash_player
from awf_pg.spool import Spool
from tests.servers import DEBIAN, choose_kind
from tests.test_cli import KEY, PLAYER_KEY, Cli, error, event, lines, make_cli, ok, rows
from tests.test_docs import FENCE, ROOT, environment_of
from tests.test_extension import pg_tool


@pytest.fixture
def cli(db: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    return make_cli(db, monkeypatch, tmp_path)


def bare(n: int, **changed: Any) -> dict[str, Any]:
    """An event without an id."""
    return event(n, None, **changed) | {"id": None}


def timeless(n: int) -> dict[str, Any]:
    return bare(n, ts=None)


def stored(db: str) -> list[tuple[UUID, datetime, str]]:
    with psycopg.connect(db) as connection:
        query = "select id, ts, session_id from awf.analytics_events order by session_id, id"
        return connection.execute(query).fetchall()


def started(db: str, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """awf-pg as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", "from awf_pg.cli import main; main()", *arguments],
        env=os.environ | {"AWF_DATABASE_URL": db, "AWF_PLAYER_HASH_KEY": PLAYER_KEY},
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def sources(db: str) -> list[tuple[str, bool]]:
    with psycopg.connect(db) as connection:
        query = "select name, closed_at is not null from awf.ingest_sources order by name"
        return connection.execute(query).fetchall()


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The server goes away after the first batch, until undo() is called."""
    write, calls = Writer.write, iter([True, False])

    def once(writer: Writer, events: Sequence[Event]) -> Written:
        if next(calls):
            return write(writer, events)
        raise psycopg.OperationalError("server closed the connection")

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "write", once)
        yield patched


# Lines without an id


def test_the_id_of_a_line() -> None:
    at = datetime(2025, 1, 15, 10, 0, 1, 234567, tzinfo=UTC)
    made = UUID(bytes=line_id("a.jsonl", b"x", 7, at))
    assert made.version == 8
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == int(at.timestamp() * 1000)
    assert line_id("a.jsonl", b"x", 7, at) == made.bytes
    others = [
        line_id("b.jsonl", b"x", 7, at),
        line_id("a.jsonl", b"x", 8, at),
        line_id("a.jsonl", b"y", 7, at),
        line_id("a.jsonl", b"x", 7, datetime(2025, 1, 15, tzinfo=UTC)),
        line_id("a.jsonl\0" + "7", b"x", 7, at),
    ]
    assert len({made.bytes, *others}) == 6
    for ts in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        assert UUID(bytes=line_id("a", b"", 1, ts)).version == 8


def test_how_a_line_is_written_makes_no_difference(cli: Cli) -> None:
    document = bare(0)
    Path("events.jsonl").write_text(json.dumps(document) + "\n")
    assert "1 accepted" in ok(cli("ingest", "events.jsonl"))
    written = [
        json.dumps(document, separators=(" ,  ", " : ")),
        json.dumps(dict(reversed(document.items()))) + "  \r",
        "\ufeff" + json.dumps(document, ensure_ascii=False),
    ]
    for text in written:
        Path("events.jsonl").write_text(text + "\n", encoding="utf-8")
        assert "0 accepted, 1 duplicate" in ok(cli("ingest", "events.jsonl"))


def test_a_file_without_ids_is_stored_once_and_may_grow(cli: Cli, db: str) -> None:
    Path("events.jsonl").write_text(lines(*(bare(n) for n in range(4))).rstrip("\n"))
    assert "4 accepted, 0 duplicate" in ok(cli("ingest", "events.jsonl"))
    assert "0 accepted, 4 duplicate" in ok(cli("ingest", "events.jsonl", "--batch", "3"))
    with Path("events.jsonl").open("a") as file:
        file.write("\n" + lines(bare(4)))
    assert "1 accepted, 4 duplicate" in ok(cli("ingest", "events.jsonl"))
    ids = [id for id, *_ in stored(db)]
    assert len(ids) == 5
    assert {id.version for id in ids} == {8}
    assert sources(db) == [], "a line with a time of its own is known by itself"


def test_lines_may_be_corrected_or_taken_out(cli: Cli, db: str) -> None:
    bad = lines(bare(9) | {"nope": 1})
    Path("events.jsonl").write_text(bad + lines(bare(0), bare(1)) + "not JSON\n" + lines(bare(0), bare(2)))
    assert "4 accepted" in cli("ingest", "events.jsonl").stdout
    Path("events.jsonl").write_text(lines(bare(9), bare(0), bare(1), bare(0), bare(2)))
    assert "1 accepted, 4 duplicate" in ok(cli("ingest", "events.jsonl"))
    Path("events.jsonl").write_text(lines(bare(2), bare(0), bare(0)))
    assert "0 accepted, 3 duplicate" in ok(cli("ingest", "events.jsonl")), "in any order"
    assert "0 accepted, 1 duplicate" in ok(cli("ingest", "events.jsonl", "--from-line", "3"))
    assert len(stored(db)) == 5


def test_the_same_lines_under_another_name_are_other_events(cli: Cli) -> None:
    Path("a.jsonl").write_text(lines(bare(0), bare(0)))
    assert "2 accepted" in ok(cli("ingest", "a.jsonl")), "two equal lines are two events"
    Path("b.jsonl").write_text(Path("a.jsonl").read_text())
    assert "0 accepted, 2 duplicate" in ok(cli("ingest", "b.jsonl", "--source", "a.jsonl"))
    assert "2 accepted" in ok(cli("ingest", "b.jsonl"))
    piped = Path("a.jsonl").read_text()
    assert "0 accepted, 2 duplicate" in ok(cli("ingest", "-", "--source", "a.jsonl", stdin=piped))
    assert "2 accepted" in ok(cli("ingest", "-", stdin=piped))
    assert "0 accepted, 2 duplicate" in ok(cli("ingest", "-", "--source", "stdin", stdin=piped))


def test_a_file_in_another_folder_has_the_same_name(cli: Cli) -> None:
    Path("events.jsonl").write_text(lines(bare(0)))
    ok(cli("ingest", "events.jsonl"))
    Path("elsewhere").mkdir()
    Path("events.jsonl").rename("elsewhere/events.jsonl")
    assert "1 duplicate" in ok(cli("ingest", "elsewhere/events.jsonl"))


# Lines without a time


def test_a_file_without_times_is_ingested_once(cli: Cli, db: str) -> None:
    Path("events.jsonl").write_text(lines(event(0, None), *(timeless(n) for n in range(2, 6))))
    before = datetime.now(UTC)
    assert "5 accepted" in ok(cli("ingest", "events.jsonl", "--batch", "2"))
    times = {ts for _, ts, session in stored(db) if session != "session-0"}
    assert len(times) == 1
    assert before <= times.pop() <= datetime.now(UTC)
    assert sources(db) == [("events.jsonl", True)]

    again = cli("ingest", "events.jsonl")
    assert again.exit_code == 1
    assert 'Error WF206: source "events.jsonl" was ingested already' in again.stderr
    assert "It was ingested 20" in again.stderr
    assert "go on with" not in again.stderr
    Path("events.jsonl").rename("renamed.jsonl")
    assert 'was ingested as "events.jsonl"' in cli("ingest", "renamed.jsonl").stderr
    assert len(stored(db)) == 5


@pytest.mark.parametrize("also", [{"id": None}, {}], ids=["without ids", "with ids"])
def test_an_interrupted_run_is_run_again(
    cli: Cli, db: str, also: dict[str, Any], broken: pytest.MonkeyPatch
) -> None:
    Path("events.jsonl").write_text(lines(*(event(n, None, ts=None) | also for n in range(5))))
    result = cli("ingest", "events.jsonl", "--batch", "2")
    assert result.exit_code == 3
    assert "stored up to line 2; go on with --from-line 3" in result.stderr
    assert sources(db) == [("events.jsonl", False)]
    broken.undo()
    assert "3 accepted, 2 duplicate" in ok(cli("ingest", "events.jsonl"))
    assert len({ts for _, ts, _ in stored(db)}) == 1
    error_206 = cli("ingest", "events.jsonl", "--from-line", "3")
    assert "Error WF206" in error_206.stderr


def test_a_run_goes_on_where_it_was_interrupted(cli: Cli, db: str, broken: pytest.MonkeyPatch) -> None:
    Path("events.jsonl").write_text(lines(*(timeless(n) for n in range(5))))
    assert "go on with --from-line 3" in cli("ingest", "events.jsonl", "--batch", "2").stderr
    broken.undo()
    assert "3 accepted, 0 duplicate" in ok(cli("ingest", "events.jsonl", "--from-line", "3"))
    assert sources(db) == [("events.jsonl", True)]


def test_a_file_without_times_that_has_grown(cli: Cli, db: str) -> None:
    Path("events.jsonl").write_text(lines(timeless(0), timeless(1)))
    ok(cli("ingest", "events.jsonl"))
    with Path("events.jsonl").open("a") as file:
        file.write(lines(timeless(2)))
    refused = cli("ingest", "events.jsonl")
    assert "Error WF206" in refused.stderr
    assert "another content" in refused.stderr
    # As the hint says.
    said = ok(cli("ingest", "events.jsonl", "--source", "events.jsonl-2", "--from-line", "3"))
    assert "1 accepted, 0 duplicate" in said
    assert len(stored(db)) == 3


def test_only_what_was_there_at_the_start_is_ingested(
    cli: Cli, db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What grows under the reader would be stored, and unknown to the next run."""
    write = Writer.write

    def growing(writer: Writer, events: Sequence[Event]) -> Written:
        with Path("events.jsonl").open("a") as file:
            file.write(lines(timeless(9)))
        return write(writer, events)

    # The last line has no end yet when the file is opened.
    Path("events.jsonl").write_text(lines(*(timeless(n) for n in range(4000))).rstrip("\n"))
    monkeypatch.setattr(Writer, "write", growing)
    result = cli("ingest", "events.jsonl", "--batch", "3999")
    assert "4,000 accepted" in ok(result)
    assert "events.jsonl has changed meanwhile" in result.stderr
    assert len(stored(db)) == 4000


def test_standard_input_needs_times(cli: Cli, db: str) -> None:
    result = cli("ingest", "-", "--source", "x", stdin=lines(timeless(0), bare(1)))
    assert result.exit_code == 1
    assert "1 accepted, 0 duplicate, 0 rejected, 1 bad lines" in result.stdout
    assert "line 1: ts is missing (nobody can tell" in result.stderr
    kept = json.loads(Path("stdin.rejects.jsonl").read_text())
    assert kept["error"] == "ts is missing"
    assert kept["event"]["session_id"] == "session-0"
    assert "player-0" not in Path("stdin.rejects.jsonl").read_text()
    assert sources(db) == []


def test_a_pipe_is_standard_input_by_another_name(cli: Cli, db: str) -> None:
    os.mkfifo("pipe")
    feeding = threading.Thread(target=lambda: Path("pipe").write_text(lines(timeless(0), bare(1))))
    feeding.start()
    assert "line 1: ts is missing" in cli("ingest", "pipe", "--rejects", "bad.jsonl").stderr
    feeding.join()
    assert "1 duplicate" in ok(cli("ingest", "-", "--from-line", "2", stdin=lines(timeless(0), bare(1))))


def test_two_runs_of_a_file_at_once(db: str, tmp_path: Path) -> None:
    """Each line is stored by one of them, whichever comes first; either both finish, or one is refused."""
    file = tmp_path / "events.jsonl"
    file.write_text(lines(*(timeless(n) for n in range(3000))))
    for run in [started(db, tmp_path, "ingest", str(file), "--batch", "100") for _ in range(3)]:
        _, said = run.communicate(timeout=120)
        assert run.returncode == 0 or "Error WF206" in said, said
    assert len(stored(db)) == 3000
    assert sources(db) == [("events.jsonl", True)]


def test_sigterm_says_where_to_go_on(db: str, tmp_path: Path) -> None:
    run = started(db, tmp_path, "ingest", "-", "--batch", "2")
    assert run.stdin is not None
    # Far more than a buffer, so that the reader cannot wait for more before it stores.
    run.stdin.write(lines(*(bare(n % 60, sessionId=f"s-{n}") for n in range(1001))))
    run.stdin.flush()
    deadline = time.monotonic() + 60
    while len(stored(db)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    run.send_signal(signal.SIGTERM)
    said, told = run.communicate(timeout=60)
    assert run.returncode == 128 + signal.SIGTERM, told
    assert "Traceback" not in told
    line = re.search(r"stored up to line (\d+); go on with --from-line (\d+)", told)
    assert line is not None, told
    assert f"{int(line[1]):,} accepted" in said
    # The batch on its way may have landed before its answer came.
    assert int(line[1]) <= len(stored(db)) <= int(line[1]) + 2
    assert int(line[2]) == int(line[1]) + 1


# Refused events


def test_one_player_is_forgotten_at_a_time(cli: Cli) -> None:
    said = cli("forget-player", "--player-id", "-", "--yes", stdin="p-1\np-2\n")
    assert said.exit_code == 2
    assert "Standard input has 2 lines; one player at a time." in said.stderr


def test_refused_events_that_cannot_be_tried_are_told_and_dismissed(cli: Cli, db: str) -> None:
    refused = [
        event(0, None) | {"metrics": {"mood": -1, "outputTokens": -1}},
        event(1, None) | {"locale": "!"},
    ]
    said = cli("ingest", "-", stdin=lines(event(2, None), *refused))
    assert "lines 1 to 3: 2 events were rejected" in said.stderr
    assert "in the database: SELECT reason, detail, event FROM awf.rejected_events" in said.stderr
    with psycopg.connect(db, autocommit=True) as connection:
        connection.execute("update awf.rejected_events set complete = false")
    told = cli("retry-rejected")
    assert told.stdout == "0 accepted, 0 duplicate, 0 rejected again\n"
    assert "2 cannot be tried" in told.stderr
    error(cli("retry-rejected", "--reason", "nonsense"), "WF001")
    dismiss = ("dismiss-rejected", "--reason", "bad_locale")
    assert ok(cli(*dismiss, "--dry-run")) == "1 refused events would be deleted\n"
    assert "0 refused" in ok(cli(*dismiss, "--before", "2000-01-01", "--yes"))
    assert cli(*dismiss, stdin="n\n").exit_code == 1
    assert ok(cli(*dismiss, "--yes")) == "1 refused events deleted\n"
    assert ok(cli("dismiss-rejected", "--yes")) == "1 refused events deleted\n"


def test_refused_events_are_tried_again_after_a_fix(cli: Cli, db: str) -> None:
    wrong = [event(n, "control") for n in range(3)] + [event(3, None, ts="1999-01-01T00:00:00Z")]
    assert "4 rejected" in cli("ingest", "-", stdin=lines(*wrong)).stdout
    again = cli("retry-rejected")
    assert again.stdout == "0 accepted, 0 duplicate, 4 rejected again\n"
    assert again.exit_code == 1
    ok(cli("experiment", "create", KEY, "--name", "n", "--allocation", "control=100"))
    ok(cli("variation", "add", KEY, "control"))
    done = rows(cli("retry-rejected", "--reason", "unknown_variation", "--limit", "2", "--format", "json"))
    assert done == {"accepted": 2, "duplicate": 0, "rejected": 0, "incomplete": 0}
    assert cli("retry-rejected").stdout == "1 accepted, 0 duplicate, 1 rejected again\n"
    assert len(stored(db)) == 3
    assert cli("retry-rejected", "--limit", "-1").exit_code == 2


# Players


def players(db: str) -> list[str]:
    with psycopg.connect(db) as connection:
        query = "select distinct player_hash from awf.analytics_events order by 1"
        return [row[0] for row in connection.execute(query)]


def hashed(player: str) -> str:
    return hash_player(PLAYER_KEY.encode(), player).hex()


@pytest.fixture
def played(cli: Cli) -> Cli:
    """Two players, two turns each."""
    ok(cli("ingest", "-", stdin=lines(*(event(n, None) for n in range(4)))))
    ok(cli("rollup", "refresh"))
    return cli


def test_a_player_is_forgotten_by_hash(played: Cli, db: str) -> None:
    asked = ("forget-player", "--player-hash", hashed("player-0"))
    refused = played(*asked, stdin="n\n")
    assert refused.exit_code == 1
    assert "for good?" in refused.stderr
    assert len(players(db)) == 2
    said = played(*asked, stdin="y\n")
    assert ok(said) == "2 events, 0 exposures and 0 refused events erased, 1 days repaired\n"
    assert hashed("player-0") not in said.output
    assert players(db) == [hashed("player-1")]
    again = played(*asked, "--yes", "--format", "json")
    assert rows(again) == {"events": 0, "exposures": 0, "rejected": 0, "days": 0}
    assert "nothing was stored of this player" in again.stderr


def test_a_player_is_forgotten_by_id(played: Cli, db: str) -> None:
    said = played("forget-player", "--player-id", "player-0", "--yes")
    assert "2 events" in ok(said)
    assert "player-0" not in said.output
    assert "2 events" in ok(played("forget-player", "--player-id", "-", "--yes", stdin="player-1\r\n"))
    assert players(db) == []


def test_a_player_is_forgotten_with_the_key_of_the_database(
    played: Cli, db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ok(played("set-player-key", "--yes"))
    monkeypatch.delenv("AWF_PLAYER_HASH_KEY")
    assert "2 events" in ok(played("forget-player", "--player-id", "player-0", "--yes"))
    assert players(db) == [hashed("player-1")]


def test_whom_to_forget(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments, stdin in (
        ((), None),
        (("--player-id", "a", "--player-hash", "b"), None),
        (("--player-id", ""), None),
        (("--player-id", "-"), "player-0\n"),
        (("--player-id", "-", "--yes"), ""),
    ):
        result = cli("forget-player", *arguments, stdin=stdin)
        assert result.exit_code == 2, result.output
        assert "player-0" not in result.output
    error(cli("forget-player", "--player-hash", "player-0", "--yes"), "WF001")
    assert "player-0" not in cli("forget-player", "--player-hash", "player-0", "--yes").output
    monkeypatch.delenv("AWF_PLAYER_HASH_KEY")
    error(cli("forget-player", "--player-id", "player-0", "--yes"), "WF205")


def test_erasures_are_applied_again(played: Cli, db: str) -> None:
    ok(played("forget-player", "--player-id", "player-0", "--yes"))
    assert ok(played("reapply-erasures")) == "0 players with 0 events erased again\n"
    ok(played("ingest", "-", stdin=lines(*(event(n, None) for n in range(4)))))
    assert hashed("player-0") in players(db), "a backup, or a spool, has brought the player back"
    assert rows(played("reapply-erasures", "--format", "json")) == {"players": 1, "events": 2}
    assert players(db) == [hashed("player-1")]


def test_who_was_forgotten_stays_forgotten_after_a_restore(played: Cli, db: str) -> None:
    """The commands of docs/privacy.md, with an older dump."""
    text = (ROOT / "docs" / "privacy.md").read_text("utf-8")
    (commands,) = [one["code"] for one in FENCE.finditer(text) if one["mark"] == "the restore of erasures"]
    parts = conninfo_to_dict(db)
    restored = f"{parts['dbname']}_restored"
    environment = environment_of(db) | {
        "PGHOST": str(parts["host"]),
        "PGPORT": str(parts["port"]),
        "PGUSER": "postgres",
        "PGDATABASE": str(parts["dbname"]),
    }
    # The tools of the server's own version: an older pg_dump refuses a newer server.
    tools = DEBIAN / "bin" if choose_kind() == "debian" else Path(pg_tool("psql")).parent
    environment["PATH"] = f"{tools}{os.pathsep}{environment['PATH']}"

    def shell(script: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    shell("pg_dump -Fc --exclude-table-data=awf.player_hash_key -f game.dump")
    ok(played("forget-player", "--player-id", "player-0", "--yes"))
    shell(f"createdb {restored}")
    try:
        names = commands.replace("-d restored", f"-d {restored}").replace(
            "dbname=restored", f"dbname={restored}"
        )
        said = shell(names.replace(" game ", f" {parts['dbname']} "))
        assert "1 players with 2 events erased again" in said
        assert players(make_conninfo(db, dbname=restored)) == [hashed("player-1")]
    finally:
        shell(f"dropdb --force {restored}")


def test_the_player_key_is_stored(cli: Cli, db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("set-player-key", stdin="n\n").exit_code == 1
    assert ok(cli("set-player-key", "--yes")) == "player hash key stored\n"
    with psycopg.connect(db) as connection:
        assert connection.execute("select awf.hash_player('ann')").fetchone() == (hashed("ann"),)
    monkeypatch.delenv("AWF_PLAYER_HASH_KEY")
    assert cli("set-player-key", "--yes", stdin="0123456789abcdef-other-key\n").exit_code == 2


# Spools


def spooled(number: int) -> Event:
    return Event(
        session_id=f"session-{number}",
        player_hash=hash_player(PLAYER_KEY.encode(), f"player-{number}"),
        world_ref="w",
        adventure_ref="a",
        metrics={"acts": number},
    )


@pytest.fixture
def waiting(tmp_path: Path) -> Path:
    """A spool of three batches, five events."""
    path = tmp_path / "awf.spool"
    for batch in ([0, 1], [2, 3], [4]):
        Spool(path).append([spooled(number) for number in batch])
    return path


def test_a_spool_is_shown_without_a_database(
    cli: Cli, waiting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWF_DATABASE_URL")
    shown = rows(cli("spool", str(waiting), "--format", "json"))
    assert (shown["batches"], shown["events"], shown["unreadable"]) == (3, 5, 0)
    assert shown["bytes"] > 0
    assert datetime.fromisoformat(shown["oldest"]).tzinfo is not None
    assert re.search(r"events +5$", ok(cli("spool", str(waiting))), re.MULTILINE)
    assert cli("spool", str(waiting), "--replay").exit_code == 2


def test_a_spool_is_replayed(cli: Cli, db: str, waiting: Path) -> None:
    """One event was stored before its batch was spooled; one is bad."""
    spool = Spool(waiting)
    twice = spooled(5)
    spool.append([twice, spooled(-1)])
    spool.append([twice])
    said = ok(cli("spool", str(waiting), "--replay"))
    assert said == "6 accepted, 1 duplicate, 1 rejected, 0 left\n"
    assert [session for *_, session in stored(db)] == [f"session-{number}" for number in range(6)]
    assert not waiting.exists()
    assert ok(cli("spool", str(waiting), "--replay")).startswith("0 accepted")
    assert rows(cli("spool", str(waiting), "--format", "json"))["events"] == 0


def test_a_replay_that_breaks_off_leaves_the_rest(
    cli: Cli, db: str, waiting: Path, broken: pytest.MonkeyPatch
) -> None:
    result = cli("spool", str(waiting), "--replay")
    assert result.exit_code == 3
    assert result.stdout == "2 accepted, 0 duplicate, 0 rejected, 3 left\n"
    broken.undo()
    assert ok(cli("spool", str(waiting), "--replay")) == "3 accepted, 0 duplicate, 0 rejected, 0 left\n"
    assert len(stored(db)) == 5


def test_what_cannot_be_read_stays(cli: Cli, waiting: Path) -> None:
    with closing(sqlite3.connect(waiting)) as database, database:
        database.execute("update batches set events = '[{}]' where seq = (select min(seq) from batches)")
    said = ok(cli("spool", str(waiting), "--replay"))
    assert said == "3 accepted, 0 duplicate, 0 rejected, 2 left\n"
    assert rows(cli("spool", str(waiting), "--format", "json"))["unreadable"] == 2


def test_one_process_replays_a_spool(cli: Cli, waiting: Path) -> None:
    game = Spool(waiting)
    assert game.try_to_replay()
    result = cli("spool", str(waiting), "--replay")
    assert result.exit_code == 1
    assert "another process replays" in result.stderr
    assert rows(cli("spool", str(waiting), "--format", "json"))["events"] == 5, "to look is allowed"
    game.stop_replaying()


def test_another_file_is_left_alone(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database\n" * 100)
    with closing(sqlite3.connect(tmp_path / "other")) as database:
        database.execute("create table t (n)")
    for name, why in (
        ("text", "another file"),
        ("other", "another program"),
        ("missing", "no spool missing"),
    ):
        for options in ([], ["--replay"]):
            result = cli("spool", name, *options)
            assert result.exit_code == 1
            assert why in result.stderr
    assert (tmp_path / "text").read_text() == "no database\n" * 100
    assert not (tmp_path / "missing").exists()
