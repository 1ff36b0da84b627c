"""What a refresh costs an event, by part, and whether the cost follows the new events alone.

    python -m bench.refresh [--history 1 5 20] [--new 100000] [--rounds 9]

One server holds a database for each of so many million events of history, spread over 30 days, 2 variations,
5 locales, 20 worlds, 100 adventures and 4 models, ten turns a session. New events come in batches of 500:
into the last day, all of new sessions, or spread over all days, into sessions that are there. A refresh
takes them. The databases take turns, so that an hour in which the machine is slow is one for all of them. The
time is that of the server's process on its core (user and system); what else the machine does can only add
to it, so the fastest round counts, and the median is told beside it. Right behind a checkpoint every page
that changes is written to the WAL as a whole, and a larger history has more pages: told apart. The parts are
timed at the largest history, each in a transaction that is rolled back, and each with the adding up of the
events by session. The exit status is 1 when a refresh takes fewer than 150,000 new events of the current day
a second at any history, or the cost of one grows with it by more than 15 %, behind a checkpoint or not.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
from collections.abc import Callable

import psycopg

from tests import servers

from .history import DAYS, SETTINGS, History, date_of

RATE, GROWTH = 150_000, 1.15

# The parts of a refresh; each adds up the events by session for itself here, and all together do so once.
PARTS = {
    "events by session": [],
    "totals: day, hour, adventure, model": ["totals"],
    "histograms: day, month, run": ["histograms"],
    "exposures and crossovers": ["exposures"],
    "units and moments": ["units"],
    "players": ["players"],
    "all together": ["totals", "histograms", "exposures", "units", "players"],
}


class Bench(History):
    def current_day(self, events: int) -> None:
        self.add(DAYS - 1, events)

    def spread(self, events: int) -> None:
        for day in range(DAYS):
            self.add(day, events // DAYS, known=True)

    def behind_a_checkpoint(self, events: int) -> None:
        self.current_day(events)
        self.connection.execute("checkpoint")

    def cost(self, bring: Callable[[Bench, int], None], events: int) -> float:
        """Microseconds of the refresh for each new event."""
        bring(self, events)
        began = self.cpu_seconds()
        taken = self.refresh()
        return (self.cpu_seconds() - began) / taken * 1e6

    def parts(self, events: int) -> dict[str, float]:
        """Microseconds an event of each part, for new events of the last day."""
        self.add(DAYS - 1, events)
        condition = self.waiting()
        costs = {}
        for name, parts in PARTS.items():
            costs[name] = min(self.part(condition, parts, events) for _ in range(3))
        self.refresh()
        return costs

    def part(self, condition: str, parts: list[str], events: int) -> float:
        """Microseconds an event of these parts, which are taken back."""
        with self.connection.transaction(force_rollback=True):
            began = self.cpu_seconds()
            self.connection.execute(
                "select awf._merge_events(%s, %s, %s, %s)",
                [date_of(DAYS - 1), date_of(DAYS - 1), condition, parts],
            )
            return (self.cpu_seconds() - began) / events * 1e6


# How new events come.
WAYS: dict[str, Callable[[Bench, int], None]] = {
    "current day": Bench.current_day,
    "spread": Bench.spread,
    "behind a checkpoint": Bench.behind_a_checkpoint,
}


def measure(benches: dict[float, Bench], events: int, rounds: int) -> dict[str, list[float]]:
    """The fastest rounds by way of the new events, in the order of the histories; printed."""
    fastest: dict[str, list[float]] = {}
    print("| history | new events | microseconds an event | median | events/s |\n|---|---|---|---|---|")
    for name, bring in WAYS.items():
        costs: dict[float, list[float]] = {millions: [] for millions in benches}
        for _ in range(rounds):
            for millions, bench in benches.items():
                costs[millions].append(bench.cost(bring, events))
        fastest[name] = [min(of) for of in costs.values()]
        for millions, of in costs.items():
            figures = f"{min(of):.2f} | {statistics.median(of):.2f} | {1e6 / min(of):,.0f}"
            print(f"| {millions:g} M | {name} | {figures} |", flush=True)
    return fastest


def misses(fastest: dict[str, list[float]]) -> list[str]:
    """The bounds that do not hold, in words."""
    missed = [
        f"{name}: an event costs {max(of) / of[0]:.2f} times as much with more history"
        for name, of in fastest.items()
        if max(of) / of[0] > GROWTH
    ]
    if 1e6 / max(fastest["current day"]) < RATE:
        missed.append(f"current day: fewer than {RATE:,} events a second")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(
        description="What a refresh costs, and whether it follows the new events alone."
    )
    parser.add_argument("--history", type=float, nargs="+", default=[1, 5, 20], help="million events")
    parser.add_argument("--new", type=int, default=100_000, help="events of a refresh")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    with servers.temporary_server(settings=SETTINGS) as server, contextlib.ExitStack() as opened:
        servers.create_template(server)
        benches = {}
        for millions in sorted(set(arguments.history)):
            server.create_database(f"history_{millions:g}", servers.TEMPLATE)
            connection = psycopg.connect(server.dsn_of(f"history_{millions:g}"), autocommit=True)
            benches[millions] = Bench(opened.enter_context(connection))
            benches[millions].grow(int(millions * 1e6))
        fastest = measure(benches, arguments.new, arguments.rounds)
        print("\n| part | microseconds an event |\n|---|---|")
        for name, cost in benches[max(benches)].parts(arguments.new).items():
            print(f"| {name} | {cost:.2f} |")
    missed = misses(fastest)
    print("", *missed, sep="\n")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
