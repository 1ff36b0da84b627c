"""Unit-level statistics brought up to date, against the full recompute of a warehouse-native tool.

    python -m bench.results_refresh [--history 10] [--rounds 3]

One server holds so many million events, rolled up. 100,000 new events come: ten turns of each of 10,000
sessions, or one of each of 100,000; sessions that are known already. Ours is the part of the refresh that
changes units and moments, and beside it the whole refresh with everything else that it keeps. The recompute
joins the exposures to all events of the experiment, adds up each unit's turns and metrics, and the units'
sums, squares and products for each variation, in one query that may use all cores. Both must agree to the
last digit. The exit status is 1 when ours is not 50 times as fast where 10,000 units are touched, or 8 times
where it is 100,000.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import psycopg

from tests import servers

from .events import Connection
from .history import DAYS, KEY, SETTINGS, History, date_of

NEW = 100_000
BOUNDS = {10_000: 50.0, 100_000: 8.0}
OURS = """
select variation_id, metric_id, units, sum_d, sum_m, sum_dd, sum_dm, sum_mm
from awf.experiment_moments where units > 0 order by 1, 2
"""


def recompute_query(connection: Connection) -> str:
    """All twelve metrics at once: units side by side, then a row for each variation and metric."""
    metrics = connection.execute(
        "select id, column_name from awf.metrics where id > 0 order by id"
    ).fetchall()
    units = ", ".join(
        f"count(e.{name})::bigint as d{id}, coalesce(sum(e.{name}), 0)::bigint as m{id}"
        for id, name in metrics
    )
    numbers = [0, *(id for id, _ in metrics)]
    sums = ", ".join(
        f"count(*) filter (where d{n} > 0) as units{n}, sum(d{n}) as d{n}, sum(m{n}) as m{n},"
        f" sum(d{n} * d{n}) as dd{n}, sum(d{n} * m{n}) as dm{n}, sum(m{n}::numeric * m{n}) as mm{n}"
        for n in numbers
    )
    rows = ", ".join(f"({n}, s.units{n}, s.d{n}, s.m{n}, s.dd{n}, s.dm{n}, s.mm{n})" for n in numbers)
    return f"""
    with units as (
        select x.variation_id, x.unit_id, count(*) as d0, count(*) filter (where e.failed) as m0, {units}
        from awf.exposures as x
        inner join awf.turn_events as e
            on e.session_id = x.unit_id and e.ts >= x.first_ts and x.variation_id = any (e.assignments)
        where x.experiment_id = (select id from awf.experiments where key = '{KEY}')
        group by x.variation_id, x.unit_id
    ),
    sums as (select variation_id, {sums} from units group by variation_id)
    select s.variation_id, m.*
    from sums as s
    cross join lateral (values {rows}) as m (metric_id, units, d, m, dd, dm, mm)
    where m.units > 0
    order by 1, 2
    """


class Bench(History):
    def spread(self, units: int) -> None:
        """So many known sessions, of all days, go on."""
        for day in range(DAYS):
            self.add(day, NEW // DAYS, known=True, turns=NEW // units)

    def update(self) -> float:
        """Seconds of the units' part of a refresh; undone."""
        condition = self.waiting()
        with self.connection.transaction(force_rollback=True):
            return timed(
                lambda: self.connection.execute(
                    "select awf._merge_events(%s, %s, %s, %s)",
                    [date_of(0), date_of(DAYS - 1), condition, ["exposures", "units"]],
                )
            )

    def recompute(self, query: str) -> tuple[float, list[tuple[Any, ...]]]:
        found: list[list[tuple[Any, ...]]] = []
        seconds = timed(lambda: found.append(self.connection.execute(query.encode()).fetchall()))
        return seconds, found[0]


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(bench: Bench, units: int, rounds: int) -> tuple[float, float, float]:
    """Medians of seconds: our update, our whole refresh, their recompute."""
    query = recompute_query(bench.connection)
    updates, refreshes, recomputes = [], [], []
    for _ in range(rounds):
        bench.spread(units)
        bench.connection.execute("checkpoint")
        updates.append(bench.update())
        refreshes.append(timed(bench.refresh))
        seconds, rows = bench.recompute(query)
        recomputes.append(seconds)
        assert bench.connection.execute(OURS.encode()).fetchall() == rows, "the two do not agree"
    return statistics.median(updates), statistics.median(refreshes), statistics.median(recomputes)


def main() -> int:
    parser = argparse.ArgumentParser(
        description="New events into unit-level statistics, against a recompute."
    )
    parser.add_argument("--history", type=float, default=10, help="million events")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    missed = []
    with servers.temporary_server(settings=SETTINGS) as server:
        servers.create_template(server)
        with psycopg.connect(server.dsn_of(servers.TEMPLATE), autocommit=True) as connection:
            bench = Bench(connection)
            bench.grow(int(arguments.history * 1e6))
            connection.execute("set jit = off")
            connection.execute("set work_mem = '1GB'")
            print("| units touched | update, s | whole refresh, s | recompute, s | update | whole refresh |")
            print("|---|---|---|---|---|---|")
            for units, bound in BOUNDS.items():
                update, refresh, recompute = measure(bench, units, arguments.rounds)
                print(
                    f"| {units:,} | {update:.2f} | {refresh:.2f} | {recompute:.2f} |"
                    f" {recompute / update:.1f} times | {recompute / refresh:.1f} times |",
                    flush=True,
                )
                if recompute / update < bound:
                    missed.append(f"{units:,} units: {recompute / update:.1f} times as fast, not {bound:g}")
    print("", *missed, sep="\n")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
