"""Two processes of eight threads play while an admin starts, stops and reassigns: every answer is right.

Right is what `assign_many()` says for the moment of the revision that the client had when it answered. The
admin is always ahead of the clients by a moment, so an answer is compared with the configuration that it was
given under, not with that of its own time.
"""

from __future__ import annotations

import multiprocessing
import pickle
import threading
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import cycle, islice
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from awf_pg.client import Awf
from awf_pg.evaluate import Evaluator
from awf_pg.settings import Settings
from tests import scale
from tests.conftest import Connect

ANSWERS = scale.examples(1_000_000)
CHANGES = scale.examples(120)
PROCESSES, THREADS = 2, 8
PLAYERS = 5000
# A thread rests after so many turns, so that playing lasts as long as the changes.
BREATH = scale.examples(20)
RECORDED = 20  # one turn of so many is recorded too
PATIENCE_S = 30.0

SETTINGS = Settings(player_hash_key="a key for the load test")
ATTRIBUTES = {"locale": "de-DE", "world": "w", "adventure": "a", "model": None}
BASIS = {"wide": "session", "left": "player", "right": "player", "aimed": "session"}

Connection = psycopg.Connection[tuple[Any, ...]]


class Answer(NamedTuple):
    """One turn: revision of its configuration, time, units, and the variation of each experiment."""

    revision: int
    at: datetime
    session: str
    player: int
    variations: tuple[str | None, ...]


class Player(Awf):
    """A client that remembers which configuration each thread's last turn was given by."""

    def __init__(self, dsn: str) -> None:
        self.given = threading.local()
        super().__init__(dsn, settings=SETTINGS)

    def _evaluator(self, session_id: str, unit: str | None) -> Evaluator:
        evaluator = super()._evaluator(session_id, unit)
        self.given.revision = evaluator.revision
        return evaluator


def play(dsn: str, number: int, seen: Any, finish: Any, path: Path) -> None:
    """What one process does; its answers go into a file, so that a process that fails leaves none."""
    answers: list[list[Answer]] = [[] for _ in range(THREADS)]
    with Player(dsn) as awf:
        threads = [
            threading.Thread(target=play_turns, args=[awf, f"{number}-{n}", seen, number, finish, answers[n]])
            for n in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert awf.flush(PATIENCE_S)
        stats = awf.stats()
        assert (stats["dropped"], stats["rejected"], stats["config_listening"]) == (0, 0, True), stats
    path.write_bytes(pickle.dumps([answer for some in answers for answer in some]))


def play_turns(awf: Player, name: str, seen: Any, number: int, finish: Any, answers: list[Answer]) -> None:
    share = -(-ANSWERS // (PROCESSES * THREADS))
    while len(answers) < share or not finish.is_set():
        n = len(answers)
        turn = awf.turn(
            session_id=f"{name}-{n}",
            player_id=str(n % PLAYERS),
            world_ref=ATTRIBUTES["world"] or "",
            adventure_ref=ATTRIBUTES["adventure"] or "",
            locale=ATTRIBUTES["locale"] or "",
        )
        revision = awf.given.revision
        given = {one["experiment"]: one["variation"] for one in turn.exposures}
        answers.append(
            Answer(revision, turn.ts, f"{name}-{n}", n % PLAYERS, tuple(given.get(key) for key in BASIS))
        )
        if n % RECORDED == 0:
            with turn:
                pass
        # Written by several threads, but a revision that has been seen comes back with the next turn.
        if revision > seen[number]:
            seen[number] = revision
        if n % BREATH == 0 or n >= share:
            time.sleep(0.001)


class Admin:
    """Changes the configuration, and knows the moment of each revision."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.moments: dict[int, datetime] = {}

    def call(self, function: str, *arguments: Any) -> int:
        """One change, and the revision that it made."""
        places = ", ".join(["%s"] * len(arguments))
        given = [Jsonb(one) if isinstance(one, dict | list) else one for one in arguments]
        with self.connection.transaction():
            self.connection.execute(f"select awf.{function}({places})".encode(), given)
            row = self.connection.execute(
                "select (awf.active_config() -> 'revision')::integer, now()"
            ).fetchone()
        assert row is not None
        revision, moment = row
        self.moments[revision] = moment
        return int(revision)

    def create(self, key: str, settings: Mapping[str, Any]) -> None:
        thirds = [{"variation": name, "percent": part} for name, part in [("a", 50), ("b", 30), ("c", 20)]]
        self.call("create_experiment", key, key, thirds, BASIS[key], {}, None, None, dict(settings))
        for variation in "abc":
            self.call("create_variation", key, variation, {})

    def set_up(self) -> None:
        self.call("create_layer", "shared", "player")
        self.create("wide", {"coverage": 0.1})
        self.create("left", {"layer": "shared", "slots": [0, 700], "hashVersion": 1})
        self.create("right", {"layer": "shared", "slots": [500, 1000]})
        self.create("aimed", {"condition": {"locale": {"$in": ["de-DE", "de-AT"]}}})
        for key in ("wide", "left", "aimed"):
            self.call("start_experiment", key)


def changes() -> list[tuple[Any, ...]]:
    """What the admin does, in this order; after the last of a cycle everything is as at its beginning."""
    uneven = [{"variation": "b", "percent": 90}, {"variation": "c", "percent": 10}]
    even = [{"variation": name, "percent": part} for name, part in [("a", 50), ("b", 30), ("c", 20)]]
    one_cycle: list[tuple[Any, ...]] = [
        ("update_experiment", "wide", {"coverage": 0.5}),
        ("stop_experiment", "left"),
        ("start_experiment", "right"),
        ("open_phase", "aimed", {"allocations": uneven}),
        ("update_experiment", "wide", {"coverage": 1}),
        ("stop_experiment", "right"),
        ("open_phase", "wide", {"hashSeed": "another"}),
        ("start_experiment", "left"),
        ("open_phase", "aimed", {"condition": {"locale": "fr-FR"}}),
        ("stop_experiment", "aimed"),
        ("start_experiment", "aimed"),
        ("open_phase", "aimed", {"condition": {"locale": "de-DE"}, "allocations": even}),
        ("update_experiment", "wide", {"coverage": 0.2}),
    ]
    return list(islice(cycle(one_cycle), CHANGES))


def test_every_answer_is_right(db: str, connect: Connect, tmp_path: Path) -> None:
    admin = Admin(connect("admin", autocommit=True))
    admin.set_up()
    spawn = multiprocessing.get_context("spawn")
    seen, finish = spawn.Array("q", PROCESSES), spawn.Event()
    files = [tmp_path / f"answers-{n}" for n in range(PROCESSES)]
    dsn = f"{db} user=t_writer"
    processes = [
        spawn.Process(target=play, args=[dsn, n, seen, finish, file]) for n, file in enumerate(files)
    ]
    for process in processes:
        process.start()
    try:
        await_revision(seen, max(admin.moments), processes)
        stops = []
        for change in changes():
            revision = admin.call(*change)
            if change[0] == "stop_experiment":
                stops.append((revision, list(BASIS).index(change[1])))
            await_revision(seen, revision, processes)
        finish.set()
        for process in processes:
            process.join(600)
            assert process.exitcode == 0
    finally:
        for process in processes:
            process.kill()
    answers = [answer for file in files for answer in pickle.loads(file.read_bytes())]
    assert len(answers) >= ANSWERS
    assert_stops_were_seen(answers, stops)
    assert wrong_answers(connect("analyst"), admin.moments, answers) == []
    assert_events_are_stored(connect, answers)


def await_revision(seen: Any, revision: int, processes: Sequence[SpawnProcess]) -> None:
    """Wait until every process has given an answer under it, or a later one."""
    until = time.monotonic() + PATIENCE_S
    while min(seen[:]) < revision:
        assert all(process.is_alive() for process in processes), "a process has ended"
        assert time.monotonic() < until, f"revision {revision} was not seen, only {seen[:]}"
        time.sleep(0.005)


def assert_stops_were_seen(answers: Sequence[Answer], stops: Sequence[tuple[int, int]]) -> None:
    """Under the revision of a stop there are answers, by each process, and none is in the experiment."""
    assert stops
    for revision, place in stops:
        under = [answer for answer in answers if answer.revision == revision]
        assert {answer.session[0] for answer in under} == {str(n) for n in range(PROCESSES)}
        assert {answer.variations[place] for answer in under} == {None}
        assert any(answer.variations[place] for answer in answers if answer.revision < revision)


def wrong_answers(
    connection: Connection, moments: Mapping[int, datetime], answers: Sequence[Answer]
) -> list[tuple[Any, ...]]:
    """Answers that SQL does not give for the moment of their revision."""
    assert {answer.revision for answer in answers} <= set(moments)
    hashes = [SETTINGS.hash_player(str(n)).hex() for n in range(PLAYERS)]
    timeline = sorted(moments.values())
    grouped: dict[datetime, list[Answer]] = defaultdict(list)
    for answer in answers:
        # A turn that had begun before the change, and was evaluated after it, asks about the time before.
        began = timeline[max(bisect_right(timeline, answer.at) - 1, 0)]
        grouped[min(began, moments[answer.revision])].append(answer)
    wrong: list[tuple[Any, ...]] = []
    for moment, group in grouped.items():
        for place, (key, basis) in enumerate(BASIS.items()):
            units = [hashes[one.player] if basis == "player" else one.session for one in group]
            given = [one.variations[place] for one in group]
            wrong += connection.execute(
                """
                select %(key)s, %(moment)s, a.unit_id, g.variation, a.variation_key
                from awf.assign_many(%(key)s, %(units)s, %(attributes)s, %(moment)s) with ordinality as a
                inner join unnest(%(given)s::text[]) with ordinality as g (variation, place)
                    on a.ordinality = g.place
                where a.variation_key is distinct from g.variation
                limit 5
                """,
                {
                    "key": key,
                    "moment": moment,
                    "units": units,
                    "attributes": Jsonb(ATTRIBUTES),
                    "given": given,
                },
            ).fetchall()
    return wrong


def assert_events_are_stored(connect: Connect, answers: Sequence[Answer]) -> None:
    """Every recorded turn is there, and its exposures agree with the phases."""
    recorded = sum(int(answer.session.rpartition("-")[2]) % RECORDED == 0 for answer in answers)
    connection = connect()
    connection.execute("select awf.refresh_rollups()")
    row = connection.execute("select count(*), count(distinct session_id) from awf.turn_events").fetchone()
    assert row == (recorded, recorded)
    for key in BASIS:
        found = connection.execute("select * from awf.verify_assignments(%s)", [key]).fetchall()
        assert found == [], found[:5]
        row = connection.execute("select count(*) > 0 from awf.exposures").fetchone()
        assert row == (True,)
