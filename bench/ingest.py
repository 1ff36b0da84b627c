"""What the ways into the database cost, side by side: events a second, one writer.

    python -m bench.ingest [--rows 100000] [--batch 5000] [--rounds 5]

COPY batches are made beforehand, so the time is that of the server and the wire, not of a client that encodes
rows. Prints medians as a Markdown table. The server is a temporary one that does not sync its files.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import psycopg

from tests import servers

from . import events

PEERS = """
create schema bench;
create table bench.bare (like awf.turn_events including all);
create table bench.plain (
    id uuid primary key,
    ts timestamptz not null,
    session_id text not null,
    player_hash text not null,
    world_ref text not null,
    adventure_ref text not null,
    locale text not null,
    experiment_key text,
    variation_key text,
    metrics jsonb not null,
    created_at timestamptz default now()
);
create index on bench.plain (ts);
create index on bench.plain (experiment_key, variation_key);
create index on bench.plain (world_ref);
create index on bench.plain (session_id);
"""

EMPTY = "truncate awf.turn_events, awf.ingest_log, bench.bare, bench.plain"

COUNT = """
select count(*)
from (
    select id from awf.turn_events
    union all
    select id from bench.bare
    union all
    select id from bench.plain
) as t
"""

# JSON is slow: a part of the rows is enough.
DOCUMENTS = 20_000
SINGLE = 2_000


class Ways:
    """The ways in, each a method that stores all it was made for and says how many events it sent."""

    def __init__(self, owner: events.Connection, writer: events.Connection, rows: int, size: int) -> None:
        self.owner, self.writer, self.rows, self.size = owner, writer, rows, size
        self.direct_batches = events.batches_for(owner, events.DIRECT, rows, size)
        self.careful_batches = events.batches_for(owner, events.CAREFUL, rows, size)
        self.plain_batches = events.batches_for(owner, events.PLAIN, rows, size)
        self.documents = events.documents_for(owner, DOCUMENTS, min(size, 1000))
        self.turns = [json.dumps(turn) for turn in json.loads(events.documents_for(owner, SINGLE, SINGLE)[0])]

    def bare(self) -> int:
        for batch in self.direct_batches:
            with self.owner.transaction():
                self.owner.execute("select nextval('awf.ingest_log_batch_id_seq')")
                events.send(self.owner, "bench.bare", events.DIRECT, batch)
        return self.rows

    def direct(self) -> int:
        for batch in self.direct_batches:
            with self.writer.transaction():
                opened = self.writer.execute(
                    "select table_name from awf.open_batch(%s, %s)", [events.DAY, self.size]
                ).fetchone()
                assert opened is not None
                events.send(self.writer, opened[0], events.DIRECT, batch)
        return self.rows

    def careful(self) -> int:
        for batch in self.careful_batches:
            with self.writer.transaction():
                self.writer.execute("select awf.open_stage()")
                events.send(self.writer, "pg_temp.awf_stage", events.CAREFUL, batch)
                self.writer.execute("select * from awf.ingest_batch()")
        return self.rows

    def record_turns(self) -> int:
        for document in self.documents:
            self.writer.execute("select * from awf.record_turns(%s::jsonb)", [document])
        return DOCUMENTS

    def record_turn(self) -> int:
        for turn in self.turns:
            self.writer.execute("select awf.record_turn(%s::jsonb)", [turn])
        return SINGLE

    def plain(self) -> int:
        for batch in self.plain_batches:
            events.send(self.owner, "bench.plain", events.PLAIN, batch)
        return self.rows

    def all(self) -> dict[str, Callable[[], int]]:
        return {
            "COPY by a superuser into a copy of turn_events, no ledger, no guard": self.bare,
            "direct path, as a writer": self.direct,
            "careful path, as a writer": self.careful,
            "record_turns(), 1,000 documents a call": self.record_turns,
            "record_turn(), a commit each": self.record_turn,
            "COPY by a superuser into one plain table: text, JSONB, four btrees": self.plain,
        }


def rate_of(owner: events.Connection, way: Callable[[], int]) -> float:
    owner.execute(EMPTY)
    owner.execute("checkpoint")
    began = time.perf_counter()
    sent = way()
    seconds = time.perf_counter() - began
    counted = owner.execute(COUNT).fetchone()
    assert counted == (sent,), f"{sent} sent, {counted} stored"
    return sent / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description="The ways into the database, side by side.")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with servers.temporary_server(settings={"max_wal_size": "8GB"}) as server:
        servers.create_template(server)
        database = servers.TEMPLATE
        with (
            psycopg.connect(server.dsn_of(database), autocommit=True) as owner,
            psycopg.connect(server.dsn_of(database, "t_writer"), autocommit=True) as writer,
        ):
            owner.execute(events.DICTIONARIES.encode())
            owner.execute(PEERS.encode())
            ways = Ways(owner, writer, arguments.rows, arguments.batch).all()
            rates: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(arguments.rounds):
                for name, way in ways.items():
                    rates[name].append(rate_of(owner, way))
            print(f"{arguments.rows:,} rows, batches of {arguments.batch:,}, medians of {arguments.rounds}\n")
            print("| way | events/s |\n|---|---|")
            for name, measured in rates.items():
                print(f"| {name} | {statistics.median(measured):,.0f} |")


if __name__ == "__main__":
    main()
