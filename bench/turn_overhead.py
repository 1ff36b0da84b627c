"""What a turn costs the thread that plays it: begin it, take part in three experiments, record it.

    python -m bench.turn_overhead [--seconds 20] [--rate 1000]

One thread plays at a steady rate while the client writes to a temporary server from threads of its own. Each
turn begins, reads its parameters, sets four metrics and is recorded. Before each, and not counted, the game
has some work of its own: a prompt of 4 kB, to JSON and back. Beside it: the same without analytics, without
experiments, and without either. Prints a Markdown table of microseconds, and counts the calls to the database
that were made on the playing thread. Ends with status 1 when the median of the full turn is not under 50
microseconds, its 99th percentile not under 500, or any such call was made.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import threading
import time
from array import array

from awf_pg import Api, Awf, Settings
from tests import servers
from tests.watched import database_calls

KEY = "a key that is only for the bench"
WAYS = {
    "analytics and three experiments": (True, True),
    "analytics off": (False, True),
    "experiments off": (True, False),
    "both off": (False, False),
}
DEFAULTS = {"maxOutputTokens": 1200, "toolMaxCalls": 6, "maxChoices": 4}
PROMPT = [{"role": "user", "content": "x" * 50} for _ in range(50)]
MEDIAN_US, P99_US = 50, 500


def define_experiments(dsn: str) -> None:
    with Api(dsn) as api:
        for knob, value in DEFAULTS.items():
            key = f"bench-{knob.lower()}"
            halves = [{"variation": "control", "percent": 50}, {"variation": "less", "percent": 50}]
            api.create_experiment(key, key, halves, start_at="2020-01-01")
            api.create_variation(key, "control", {})
            api.create_variation(key, "less", {knob: value - 2})
            api.start_experiment(key)


def play(awf: Awf, number: int) -> int:
    """One turn; its cost in nanoseconds."""
    began = time.perf_counter_ns()
    with awf.turn(
        session_id=f"session-{number // 10}",
        player_id=f"player-{number // 10 % 1000}",
        world_ref="world-1",
        adventure_ref="adventure-1",
        model="model-1",
        defaults=DEFAULTS,
    ) as turn:
        turn.params["maxOutputTokens"]
        turn.metrics(outputTokens=300, bundleTokens=1500, retries=0, modelLatencyMs=812.5)
    return time.perf_counter_ns() - began


def play_steadily(awf: Awf, seconds: float, rate: float) -> tuple[array[int], int]:
    """The costs in order, and the number of calls to the database on this thread."""
    for number in range(1000):
        play(awf, number)
    costs = array("q")
    began = time.perf_counter()
    with database_calls() as calls:
        for number in range(int(seconds * rate)):
            due = began + number / rate - time.perf_counter()
            if due > 0:
                time.sleep(due)
            json.loads(json.dumps(PROMPT))
            costs.append(play(awf, number))
        assert awf.flush(60)
        made = calls[threading.get_ident()]
    if awf.stats()["analytics_enabled"]:
        assert sum(calls.values()) > 0, "nothing was counted at all"
        assert awf.stats()["dropped"] == 0
    took = time.perf_counter() - began
    if len(costs) / took < 0.9 * rate:
        print(f"only {len(costs) / took:,.0f} turns a second were reached", file=sys.stderr)
    return array("q", sorted(costs)), made


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.turn_overhead")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rate", type=float, default=1000, help="turns a second")
    arguments = parser.parse_args()
    held = True
    print("| turn | p50 | p90 | p99 | max | calls to the database |")
    print("|---|---:|---:|---:|---:|---:|")
    with servers.temporary_server() as server:
        servers.create_template(server)
        define_experiments(server.dsn_of(servers.TEMPLATE))
        for way, (analytics, experiments) in WAYS.items():
            settings = Settings(
                player_hash_key=KEY, analytics_enabled=analytics, experiments_enabled=experiments
            )
            with Awf(server.dsn_of(servers.TEMPLATE, "t_writer"), settings=settings) as awf:
                costs, calls = play_steadily(awf, arguments.seconds, arguments.rate)
            gc.collect()
            p50, p90, p99 = (costs[int(len(costs) * share)] / 1000 for share in (0.5, 0.9, 0.99))
            print(
                f"| {way} | {p50:.1f} | {p90:.1f} | {p99:.1f} | {costs[-1] / 1000:.1f} | {calls} |",
                flush=True,
            )
            held &= calls == 0 and (way != next(iter(WAYS)) or (p50 < MEDIAN_US and p99 < P99_US))
    sys.exit(not held)


if __name__ == "__main__":
    main()
