"""The highest rate that a client keeps up, for minutes: memory and system catalogues must stay as they are.

    python -m bench.soak [--seconds 300] [--threads 4] [--tolerance 5]

Threads play turns of three experiments as fast as the recorder stores them. One turn in 2,000 is refused, so
batches take the careful path all the time; a refresh runs every second. After a warm-up, a fifth of the time,
the first quarter of the samples is compared with the last: medians may differ by the tolerance, in percent,
or by the slack of the quantity. Prints a Markdown table; exits with 1 when something has grown.

Own memory is what a process shares with nobody; the server's buffers, which fill, are not part of it.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from awf_pg import Api, Awf, Settings
from tests import servers

Connection = psycopg.Connection[Any]

KEY = "a key for the measurement"
KNOBS = ["maxActs", "maxChoices", "toolMaxCalls"]  # of an experiment each
REFUSED = 2000  # one turn of so many
SESSION = 10  # turns of a session
WAITING_MAX = 5000  # events; a thread that finds more waits for the recorder
CLAIM = 50  # batches of a refresh
EVERY_S = 2.0
MIB = 1 << 20

CATALOGUES = ["pg_class", "pg_attribute", "pg_type", "pg_statistic", "pg_depend", "pg_index", "pg_constraint"]
BACKENDS = "select pid from pg_stat_activity where application_name = any (%s) and pid <> pg_backend_pid()"


@dataclass
class Quantity:
    """What is sampled, in bytes, and by how much it may grow whatever the percentage."""

    name: str
    slack: int
    samples: list[int] = field(default_factory=list)

    def quarters(self) -> tuple[float, float]:
        """Medians of the first and the last quarter after the warm-up."""
        after = self.samples[len(self.samples) // 5 :]
        quarter = max(1, len(after) // 4)
        return statistics.median(after[:quarter]), statistics.median(after[-quarter:])

    def has_grown(self, tolerance: float) -> bool:
        before, then = self.quarters()
        return then - before > max(before * tolerance / 100, self.slack)


class Game:
    """Threads that play as fast as their events are stored."""

    def __init__(self, awf: Awf, threads: int) -> None:
        self.awf = awf
        self.played = [0] * threads
        self.refused = [0] * threads
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._play, args=[one]) for one in range(threads)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _play(self, place: int) -> None:
        for number in count(1):
            self._turn(place, number)
            while number % 100 == 0 and self.awf.stats()["queue_depth"] > WAITING_MAX:
                if self._over.wait(0.005):
                    break
            if self._over.is_set():
                return

    def _turn(self, place: int, number: int) -> None:
        session = number // SESSION
        with self.awf.turn(
            session_id=f"session-{place}-{session}",
            player_id=f"player-{place}-{session % 5000}",
            world_ref=f"world-{session % 20}",
            adventure_ref=f"adventure-{session % 100}",
            model=f"model-{number % 4}",
        ) as turn:
            turn.metrics(outputTokens=300 + number % 1000, toolCalls=number % 8, modelLatencyMs=812.5)
            if number % REFUSED == 0:
                turn["retries"] = -1
                self.refused[place] += 1
        self.played[place] += 1


def make_experiments(dsn: str) -> None:
    with Api(dsn) as api:
        for knob in KNOBS:
            key = knob.lower()
            halves = [{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50}]
            api.create_experiment(key, key, halves, start_at="2020-01-01")
            for variation, value in (("a", 4), ("b", 8)):
                api.create_variation(key, variation, {knob: value})
            api.start_experiment(key)


def keep_refreshing(dsn: str, over: threading.Event) -> None:
    with Api(dsn, application_name="soak refresh") as api:
        while not over.wait(1):
            # As much at a time however far it is behind, so that it always needs as much memory.
            while api._rows("refresh_rollups", CLAIM)[0]["batches"] == CLAIM and not over.is_set():
                pass


def own_memory(pid: int | str) -> int:
    """Bytes that a process shares with nobody, or the half of them with one other, and so on."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # It has ended meanwhile.
    for line in lines:
        name, _, rest = line.partition(":")
        if name == "Pss_Anon":
            return int(rest.split()[0]) * 1024
    raise SystemExit("soak: this system does not tell a process's own memory (Pss_Anon)")


def resident_memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Sampler:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.client = Quantity("client, resident", 2 * MIB)
        self.backends = {
            name: Quantity(f"back-ends of {name}, own", MIB) for name in ("soak", "soak refresh")
        }
        self.catalogues = {name: Quantity(name, 64 * 1024) for name in CATALOGUES}

    @property
    def quantities(self) -> list[Quantity]:
        return [self.client, *self.backends.values(), *self.catalogues.values()]

    def sample(self) -> None:
        self.client.samples.append(resident_memory())
        for name, backends in self.backends.items():
            pids = self._connection.execute(BACKENDS, [[name]]).fetchall()
            backends.samples.append(sum(own_memory(pid) for (pid,) in pids))
        # What autovacuum's ANALYZE writes there is its own affair; it vacuums the dead rows a little later.
        self._connection.execute("vacuum pg_statistic")
        for name, catalogue in self.catalogues.items():
            row = self._connection.execute("select pg_total_relation_size(%s::regclass)", [name]).fetchone()
            assert row is not None
            catalogue.samples.append(row[0])


def soak(server: servers.Server, seconds: float, threads: int) -> Sampler:
    dsn = server.dsn_of(servers.TEMPLATE)
    make_experiments(dsn)
    writer_dsn = server.dsn_of(servers.TEMPLATE, "t_writer")
    settings = Settings(player_hash_key=KEY)
    with ExitStack() as ending:
        connection = ending.enter_context(psycopg.connect(dsn, autocommit=True))
        awf = ending.enter_context(Awf(writer_dsn, settings=settings, application_name="soak"))
        over = threading.Event()
        refresher = threading.Thread(target=keep_refreshing, args=[dsn, over])
        refresher.start()
        ending.callback(refresher.join)
        ending.callback(over.set)
        sampler = Sampler(connection)
        began = time.monotonic()
        game = Game(awf, threads)
        ending.callback(game.stop)
        while time.monotonic() < began + seconds:
            time.sleep(EVERY_S)
            sampler.sample()
            if len(sampler.client.samples) == int(seconds / EVERY_S / 5):
                # What autovacuum has not come to yet has no statistics, which would grow the catalogue later.
                connection.execute("analyze")
        game.stop()
        assert awf.flush(60), awf.stats()["last_error"]
        took, stats = time.monotonic() - began, awf.stats()
        row = connection.execute("select count(*) from awf.turn_events").fetchone()
        rejected = connection.execute("select count(*) from awf.rejected_events").fetchone()
    played, refused = sum(game.played), sum(game.refused)
    assert row == (played - refused,), f"{played - refused} good turns played, {row} stored"
    assert rejected == (refused,), f"{refused} bad turns played, {rejected} kept aside"
    print(
        f"{played:,} turns in {took:.0f} s, {played / took:,.0f} a second, by {threads} threads; "
        f"batches: {stats['batches']}; stored exactly, {refused:,} of them refused\n"
    )
    return sampler


def main() -> None:
    parser = argparse.ArgumentParser(description="Memory and catalogues at the highest sustained rate.")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--tolerance", type=float, default=5, help="percent")
    arguments = parser.parse_args()
    logging.getLogger("awf.flush").setLevel(logging.ERROR)  # It warns of every batch with a refused turn.
    with servers.temporary_server(settings={"max_wal_size": "4GB"}) as server:
        servers.create_template(server)
        sampler = soak(server, arguments.seconds, arguments.threads)
    grown = [one for one in sampler.quantities if one.has_grown(arguments.tolerance)]
    print("| | after the warm-up, KiB | at the end, KiB | change | allowed, KiB |\n|---|---|---|---|---|")
    for one in sampler.quantities:
        before, then = one.quarters()
        allowed = max(before * arguments.tolerance / 100, one.slack)
        mark = " **grown**" if one in grown else ""
        print(
            f"| {one.name} | {before / 1024:,.0f} | {then / 1024:,.0f} "
            f"| {(then - before) / 1024:+,.0f}{mark} | {allowed / 1024:,.0f} |"
        )
    sys.exit(1 if grown else 0)


if __name__ == "__main__":
    main()
