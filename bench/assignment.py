"""What an assignment costs: in the client, beside GrowthBook's own package, and in the database.

    python -m bench.assignment [--turns 20000] [--units 1000000] [--calls 2000] [--rounds 5]

Three tables. `Evaluator` and `GrowthBook.run` evaluate the same three experiments for the same turns, both up
to what a game needs, its params and the variations in force, and must agree. `assign_many()` gets its units
in one array and runs in one backend, without parallel query. `assign()` is one statement a call, over a local
socket. Prints medians as Markdown tables. The server is a temporary one.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
from growthbook import Experiment, GrowthBook
from psycopg.types.json import Jsonb

from awf_pg.evaluate import Evaluation, Evaluator, Params
from tests import servers

Connection = psycopg.Connection[Any]

# Of a turn's knobs: all of them are asked for, three are set by experiments.
DEFAULTS = {"maxOutputTokens": 1200, "toolMaxCalls": 6, "maxChoices": 4, "maxActs": 6, "txtSentenceCap": 10}
KNOBS = {"tokens": "maxOutputTokens", "tools": "toolMaxCalls", "choices": "maxChoices"}
LOCALES = ["en-US", "de-DE", "fr-FR"]


# The params of a turn and the variation of each experiment that it is in.
Answer = tuple[Params, dict[str, str]]


class Turns:
    """Turns to evaluate, and the ways to do it."""

    def __init__(self, document: dict[str, Any], count: int) -> None:
        numbers = random.Random(1)
        self.turns = [
            (str(uuid.UUID(int=numbers.getrandbits(128), version=4)), LOCALES[n % len(LOCALES)])
            for n in range(count)
        ]
        self.evaluator = Evaluator(document)
        self.peers = [peer_of(experiment) for experiment in document["experiments"]]

    def ours(self) -> Iterator[Evaluation]:
        evaluate = self.evaluator.evaluate
        for session, locale in self.turns:
            yield evaluate(session, None, DEFAULTS, {"locale": locale})

    def one_object_a_turn(self) -> Iterator[Answer]:
        """As the package's documentation has it for servers: an object for each request."""
        for session, locale in self.turns:
            yield self.run(GrowthBook(attributes={"session": session, "locale": locale}))

    def one_object(self) -> Iterator[Answer]:
        """One object, which gets the attributes of each turn: cheaper, and for one thread only."""
        peer = GrowthBook()
        for session, locale in self.turns:
            peer.set_attributes({"session": session, "locale": locale})
            yield self.run(peer)

    def run(self, peer: GrowthBook) -> Answer:
        params: Params = dict(DEFAULTS)
        variations = {}
        for experiment in self.peers:
            result = peer.run(experiment)
            if result.inExperiment:
                params.update(result.value)
                variations[experiment.key] = result.key
        return params, variations

    def require_agreement(self) -> None:
        ours = [
            (one.params, {exposure["experiment"]: exposure["variation"] for exposure in one.exposures})
            for one in self.ours()
        ]
        assert ours == list(self.one_object()) == list(self.one_object_a_turn()), "they do not agree"
        assert {len(variations) for _, variations in ours} == {1, 2, 3}


def peer_of(experiment: dict[str, Any]) -> Experiment[Params]:
    """The same experiment in the package's form."""
    [phase] = experiment["phases"]
    keys = [variation["key"] for variation in phase["variations"]]
    return Experiment(
        key=experiment["key"],
        variations=[experiment["params"][key] for key in keys],
        ranges=[(low, high) for low, high in phase["ranges"]],
        meta=[{"key": key} for key in keys],
        condition=phase["condition"],
        hashAttribute=experiment["hashBasis"],
        hashVersion=experiment["hashVersion"],
        seed=phase["hashSeed"],
    )


def create(connection: Connection, key: str, settings: dict[str, Any], basis: str = "session") -> None:
    """A running experiment of two variations."""
    halves = [{"variation": "control", "percent": 50}, {"variation": "changed", "percent": 50}]
    connection.execute(
        "select awf.create_experiment(%s, %s, %s, %s, p_settings => %s)",
        [key, key, Jsonb(halves), basis, Jsonb(settings)],
    )
    for variation, change in (("control", 0), ("changed", 1)):
        params = {KNOBS[key]: DEFAULTS[KNOBS[key]] - change} if key in KNOBS else {}
        connection.execute("select awf.create_variation(%s, %s, %s)", [key, variation, Jsonb(params)])
    connection.execute("select awf.start_experiment(%s)", [key])


def create_three(connection: Connection) -> dict[str, Any]:
    """The configuration document with three experiments: all in, a half of the units, one locale."""
    create(connection, "tokens", {})
    create(connection, "tools", {"coverage": 0.5})
    create(connection, "choices", {"condition": {"locale": "en-US"}})
    row = connection.execute("select awf.active_config()").fetchone()
    assert row is not None
    document: dict[str, Any] = row[0]
    assert [one["key"] for one in document["experiments"]] == list(KNOBS)
    return document


def compare(turns: Turns, rounds: int) -> None:
    turns.require_agreement()
    ways: dict[str, Callable[[], Iterator[object]]] = {
        "Evaluator.evaluate, three experiments": turns.ours,
        "GrowthBook.run of the same three, one object for all turns": turns.one_object,
        "GrowthBook.run of the same three, an object a turn": turns.one_object_a_turn,
    }
    # One after the other in each round, so that what disturbs disturbs all; the ratio is of the same round.
    measured: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            measured[name].append(timed(way) / len(turns.turns))
    ours, *_ = measured.values()
    print(f"\n{len(turns.turns):,} turns, medians of {rounds}")
    print("\n| in the client | us a turn | ratio |\n|---|---|---|")
    for name, seconds in measured.items():
        ratio = statistics.median(their / our for their, our in zip(seconds, ours, strict=True))
        print(f"| {name} | {statistics.median(seconds) * 1e6:.1f} | {ratio:.1f} |")


def timed(way: Callable[[], Iterator[object]]) -> float:
    """Seconds for all turns; their answers are let go at once, as a game does."""
    began = time.perf_counter()
    deque(way(), maxlen=0)
    return time.perf_counter() - began


def assign_populations(connection: Connection, count: int, rounds: int) -> None:
    connection.execute("set max_parallel_workers_per_gather = 0")
    connection.execute("select awf.create_layer('pacing', 'player')")
    create(connection, "in-layer", {"layer": "pacing", "slots": [0, 500]}, "player")
    create(connection, "hashes", {}, "player")
    connection.execute(
        """
        create temporary table populations as
        select
            array_agg(md5(n::text)::uuid::text) as uuids,
            array_agg(encode(sha256(n::text::bytea), 'hex')) as hashes
        from generate_series(1, %(count)s) as n
        """,
        {"count": count},
    )
    print(f"\n{count:,} units, one backend, medians of {rounds}")
    print("\n| assign_many | units/s | in |\n|---|---|---|")
    for title, key, units in (
        ("UUID session ids, no layer", "tokens", "uuids"),
        ("64-digit player hashes, no layer", "hashes", "hashes"),
        ("64-digit player hashes, half of a layer", "in-layer", "hashes"),
    ):
        statement = (
            f"select count(*), count(a.variation_key) from populations as p "
            f"cross join lateral awf.assign_many('{key}', p.{units}) as a"
        ).encode()
        seconds = []
        counted: set[tuple[int, int]] = set()
        for _ in range(rounds):
            began = time.perf_counter()
            counted.update(connection.execute(statement).fetchall())
            seconds.append(time.perf_counter() - began)
        [(given, inside)] = counted
        assert given == count
        print(f"| {title} | {count / statistics.median(seconds):,.0f} | {inside:,} |")


def call_one_by_one(connection: Connection, units: Sequence[str], rounds: int) -> None:
    statement = "select awf.assign('tokens', %s)"
    calls: dict[str, tuple[str, Callable[[str], list[Any]]]] = {
        "`select 1`": ("select 1", lambda _: []),
        "`awf.assign('tokens', ...)`": (statement, lambda unit: [unit]),
        "`awf.turn_params(...)`, three experiments": (
            "select awf.turn_params(%s, null, %s, %s)",
            lambda unit: [unit, Jsonb(DEFAULTS), Jsonb({"locale": "en-US"})],
        ),
    }
    print(
        f"\n{rounds} x {len(units):,} calls through psycopg\n\n| one call | p50 ms | p99 ms |\n|---|---|---|"
    )
    for title, (text, arguments) in calls.items():
        taken = []
        for _ in range(rounds):
            for unit in units:
                began = time.perf_counter()
                connection.execute(text.encode(), arguments(unit)).fetchone()
                taken.append(time.perf_counter() - began)
        cuts = statistics.quantiles(taken, n=100)
        print(f"| {title} | {cuts[49] * 1e3:.2f} | {cuts[98] * 1e3:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description="What an assignment costs.")
    parser.add_argument("--turns", type=int, default=20_000)
    parser.add_argument("--units", type=int, default=1_000_000)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with servers.temporary_server() as server:
        servers.create_template(server)
        database = server.dsn_of(servers.TEMPLATE)
        with psycopg.connect(database, user="t_admin", autocommit=True) as connection:
            turns = Turns(create_three(connection), arguments.turns)
            compare(turns, arguments.rounds)
            sessions = [session for session, _ in turns.turns[: arguments.calls]]
            call_one_by_one(connection, sessions, arguments.rounds)
            assign_populations(connection, arguments.units, arguments.rounds)


if __name__ == "__main__":
    main()
