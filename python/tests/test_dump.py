"""A dump of the whole database names no player: neither by the id played with nor by its plain hash."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.types.json import Jsonb

from awf_pg import Api, Awf, Settings
from awf_pg.cli import main
from tests import servers

KEY = "a key of more than sixteen bytes"
PLAYERS = [
    "player-4711",
    "jane.doe@example.org",
    "8f14e45f-ceea-467f-a0e6-0a1b2c3d4e5f",
    "76561197960287930",
    "プレイヤー \\ ' 一号",
    "a" * 300,
]
WAYS_TO_DUMP = [[], ["--inserts"], ["--column-inserts", "--rows-per-insert=10"]]
BYTEA = ["hex", "escape"]


def escaped(data: bytes) -> bytes:
    """A bytea as PostgreSQL wrote it in old times."""
    return b"".join(bytes([one]) if 32 <= one < 127 and one != 92 else b"\\%03o" % one for one in data)


def forms(player: str) -> dict[str, bytes]:
    """All that would give a player away in a dump."""
    raw = player.encode()
    digest = hashlib.sha256(raw).digest()
    encoded = base64.b64encode(digest).rstrip(b"=")
    return {
        "id": raw,
        "id as JSON": json.dumps(player)[1:-1].encode(),
        "id as bytes": raw.hex().encode(),
        "hash": digest.hex().encode(),
        "hash in upper case": digest.hex().upper().encode(),
        "hash as base64": encoded,
        "hash as base64 for URLs": encoded.translate(bytes.maketrans(b"+/", b"-_")),
        "hash as bytes": digest,
        "hash as escaped bytes": escaped(digest),
    }


def named(dumped: bytes, player: str) -> set[str]:
    """The forms in which a dump names a player; backslashes and quotes may be doubled."""
    quotes = dumped.replace(b"''", b"'")
    readings = [dumped, quotes, *(text.replace(b"\\\\", b"\\") for text in (dumped, quotes))]
    return {form for form, data in forms(player).items() if any(data in text for text in readings)}


@pytest.fixture
def dump(server: servers.Server, db: str, tmp_path: Path) -> Any:
    def run(*options: str, bytea: str = "hex") -> bytes:
        return subprocess.run(
            [server.tool("pg_dump"), *options, db],
            env=os.environ | {"PGOPTIONS": f"-c bytea_output={bytea}"},
            check=True,
            capture_output=True,
        ).stdout

    return run


@pytest.fixture
def played(db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every player by every way in, with good events and bad ones, by their ids."""
    with Api(db) as api:
        api.set_player_hash_key(KEY)
        api.create_experiment(
            "x",
            "X",
            [{"variation": "v", "percent": 100}],
            "player",
            start_at="2020-01-01",
            settings={"sticky": True},
        )
        api.create_variation("x", "v", {"maxActs": 8})
        api.start_experiment("x")
    with Awf(db, settings=Settings(player_hash_key=KEY)) as awf:
        for player in PLAYERS:
            game: dict[str, Any] = {
                "session_id": "s",
                "world_ref": "w",
                "adventure_ref": "a",
                "player_id": player,
            }
            with awf.turn(**game, attributes={"player": player}) as turn:
                assert turn.params == {"maxActs": 8}
            with awf.turn(**game) as turn:
                turn["retries"] = -1
            awf.record(**game)
        assert awf.flush()
        assert awf.stats()["rejected"] == len(PLAYERS)
    with psycopg.connect(db, user="t_writer", autocommit=True) as writer:
        for player in PLAYERS:
            play_in_sql(writer, player)
    file = tmp_path / "events.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for player in PLAYERS for line in lines(player)))
    monkeypatch.setenv("AWF_PLAYER_HASH_KEY", KEY)
    said = CliRunner().invoke(main, ["ingest", str(file), "--dsn", db])
    assert "accepted" in said.output, said.output
    for player in PLAYERS:
        assert player not in said.output
    with Api(db) as api:
        api.set_override("x", hashed(PLAYERS[0]), "v")
        api.refresh_rollups()
        api.forget_player(hashed(PLAYERS[1]))
        with Awf(db, settings=Settings(player_hash_key=KEY)) as awf:  # a forgotten player comes back
            awf.record(session_id="s", world_ref="w", adventure_ref="a", player_id=PLAYERS[1])
    return db


def lines(player: str) -> list[dict[str, Any]]:
    """Good and bad events; games put the id into many a wrong place."""
    event = {"session_id": "s", "world_ref": "w", "adventure_ref": "a", "player_id": player}
    return [
        event,
        {**event, "metrics": {"retries": -1}},
        {**event, "metrics": {"player": player}},
        {**event, "locale": ""},
        {**event, "comment": player},
        {**event, "player_hash": player},
        {**event, "player_hash": hashlib.sha256(player.encode()).hexdigest()[:63]},
        {**event, "attributes": {"player": [player]}},
    ]


def play_in_sql(writer: psycopg.Connection[Any], player: str) -> None:
    for event in lines(player):
        try:
            writer.execute("select awf.record_turn(%s)", [Jsonb(event)])
        except psycopg.Error as error:
            assert error.sqlstate == "WF201"  # noqa: PT017
    counted = writer.execute("select rejected from awf.record_turns(%s)", [Jsonb(lines(player))]).fetchone()
    assert counted == (len(lines(player)) - 1,)
    text = "\n".join(map(json.dumps, lines(player))) + f"\nno JSON: {player}"
    counted = writer.execute("select rejected from awf.record_lines(%s)", [text]).fetchone()
    assert counted == (len(lines(player)),)
    insert = """insert into awf.analytics_events (session_id, player_hash, world_ref, adventure_ref)
        values ('s', awf.hash_player(%s), 'w', 'a')"""
    writer.execute(insert, [player])


def hashed(player: str) -> str:
    return hmac.digest(KEY.encode(), player.encode(), "sha256").hex()


def test_no_dump_names_a_player(played: str, dump: Any) -> None:
    for options in WAYS_TO_DUMP:
        for bytea in BYTEA:
            dumped = dump(*options, bytea=bytea)
            for player in PLAYERS:
                assert named(dumped, player) == set(), (player, options, bytea)
    # They did play, and were refused: their keyed hashes are there.
    dumped = dump("--data-only", "--table=awf.turn_events*", "--table=awf.rejected_events")
    for player in PLAYERS:
        assert hashed(player).encode() in dumped


@pytest.mark.parametrize("form", forms("p"))
def test_a_player_who_is_named_is_found(db: str, dump: Any, form: str) -> None:
    with psycopg.connect(db) as connection:
        connection.execute("create table leak (player int, as_text text, as_bytes bytea)")
        for number, player in enumerate(PLAYERS):
            leaked = forms(player)[form]
            as_text = None if form == "hash as bytes" else leaked.decode()
            as_bytes = hashlib.sha256(player.encode()).digest() if form == "hash as bytes" else None
            connection.execute("insert into leak values (%s, %s, %s)", [number, as_text, as_bytes])
    for options in WAYS_TO_DUMP:
        for bytea in BYTEA:
            dumped = dump("--table=leak", *options, bytea=bytea)
            for player in PLAYERS:
                assert named(dumped, player), (player, options, bytea)


def test_the_documented_dump_leaves_the_key_at_home(played: str, dump: Any) -> None:
    padded = KEY.encode().ljust(64, b"\0")
    secrets = [KEY.encode(), *(bytes(one ^ pad for one in padded).hex().encode() for pad in (0x36, 0x5C))]
    documented = dump("--exclude-table-data=awf.player_hash_key")
    assert not [secret for secret in secrets if secret in documented]
    everything = dump()
    assert [secret in everything for secret in secrets] == [False, True, True]
