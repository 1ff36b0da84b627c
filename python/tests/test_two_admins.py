"""Admins on connections of their own who change the same things at the same moment.

Of two that exclude each other one wins, the other gets an error that names the winner, and none ever hangs.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from awf_pg.evaluate import Evaluator
from tests import scale
from tests.conftest import Connect

Connection = psycopg.Connection[tuple[Any, ...]]

ROUNDS = scale.examples(200)
HALVES = Jsonb([{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50}])

# What waits longer waits for ever; deadlocks are found by the server, sooner.
PATIENCE = "-c statement_timeout=30s"


class Outcome:
    """What became of one statement: its row, or the error that it ended with."""

    def __init__(self, row: Any = None, error: psycopg.Error | None = None) -> None:
        self.row = row
        self.code = None if error is None else error.sqlstate
        self.message = "" if error is None else str(error.diag.message_primary)
        self.detail = "" if error is None else str(error.diag.message_detail)

    def __repr__(self) -> str:
        return f"{self.code} {self.message}" if self.code else repr(self.row)


class Admin:
    """A connection that calls functions, each in a transaction of its own."""

    def __init__(self, connection: Connection) -> None:
        connection.autocommit = True
        self.connection = connection

    def call(self, function: str, *arguments: Any) -> Outcome:
        """Errors of ours are outcomes; any other fails the test."""
        places = ", ".join(["%s"] * len(arguments))
        given = [Jsonb(one) if isinstance(one, dict | list) else one for one in arguments]
        try:
            return Outcome(
                self.connection.execute(f"select awf.{function}({places})".encode(), given).fetchone()
            )
        except psycopg.Error as error:
            if not (error.sqlstate or "").startswith("WF"):
                raise
            return Outcome(error=error)

    def must(self, function: str, *arguments: Any) -> Any:
        outcome = self.call(function, *arguments)
        assert outcome.code is None, outcome
        return outcome.row[0]


@pytest.fixture
def admins(connect: Connect) -> list[Admin]:
    return [Admin(connect("admin", options=PATIENCE)) for _ in range(4)]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as opened:
        yield opened


def race(pool: ThreadPoolExecutor, calls: Sequence[Callable[[], Outcome]]) -> list[Outcome]:
    """Make the calls at the same moment."""
    line = threading.Barrier(len(calls))

    def run(call: Callable[[], Outcome]) -> Outcome:
        line.wait(30)
        return call()

    return [future.result(60) for future in [pool.submit(run, call) for call in calls]]


def draft(admin: Admin, key: str, settings: dict[str, Any], params: dict[str, Any] | None = None) -> None:
    admin.must("create_experiment", key, key, HALVES, None, {}, None, None, settings)
    for variation in ("a", "b"):
        admin.must("create_variation", key, variation, params or {})


def running(admin: Admin) -> dict[str, Any]:
    found = admin.connection.execute(
        "select e.key, e.slots from awf.experiments as e where e.status = 'running'"
    ).fetchall()
    return {key: slots for key, slots in found if key != "default"}


def test_two_starts_into_the_same_slots(admins: list[Admin], pool: ThreadPoolExecutor) -> None:
    one, other = admins[:2]
    one.must("create_layer", "pacing")
    draft(one, "left", {"layer": "pacing", "slots": [0, 600]})
    draft(one, "right", {"layer": "pacing", "slots": [599, 1000]})
    for _ in range(ROUNDS):
        left, right = race(
            pool,
            [lambda: one.call("start_experiment", "left"), lambda: other.call("start_experiment", "right")],
        )
        assert sorted([str(left.code), str(right.code)]) == ["None", "WF115"], (left, right)
        winner, loser, lost = ("left", "right", right) if left.code is None else ("right", "left", left)
        assert f'"{winner}"' in lost.message
        assert '"pacing"' in lost.message
        assert ("[600,1000)" if winner == "left" else "[0,599)") in lost.detail
        assert set(running(one)) == {winner}
        one.must("stop_experiment", winner)
        # Now the slots are free.
        other.must("start_experiment", loser)
        other.must("stop_experiment", loser)


def test_four_starts_into_random_slots(admins: list[Admin], pool: ThreadPoolExecutor) -> None:
    numbers = random.Random(4)
    admins[0].must("create_layer", "random")
    for turn in range(ROUNDS):
        slots = {}
        for n in range(len(admins)):
            low = numbers.randrange(0, 900)
            slots[f"r{turn}.{n}"] = [low, numbers.randrange(low + 1, min(low + 500, 1000) + 1)]
        for key, wanted in slots.items():
            draft(admins[0], key, {"layer": "random", "slots": wanted})

        def start(admin: Admin, key: str) -> Callable[[], Outcome]:
            return lambda: admin.call("start_experiment", key)

        outcomes = dict(
            zip(
                slots,
                race(pool, [start(admin, key) for admin, key in zip(admins, slots, strict=True)]),
                strict=True,
            )
        )
        won = [key for key in slots if outcomes[key].code is None]
        assert set(running(admins[0])) == set(won)
        for key in set(slots) - set(won):
            assert outcomes[key].code == "WF115"
            [holder] = [one for one in won if f'"{one}"' in outcomes[key].message]
            assert meet(slots[key], slots[holder])
        assert won
        assert not any(meet(slots[one], slots[other]) for one in won for other in won if one < other)
        for key in won:
            admins[0].must("stop_experiment", key)


def meet(one: list[int], other: list[int]) -> bool:
    return max(one[0], other[0]) < min(one[1], other[1])


def test_a_start_and_a_holdout(admins: list[Admin], pool: ThreadPoolExecutor) -> None:
    one, other = admins[:2]
    one.must("create_layer", "held")
    draft(one, "late", {"layer": "held", "slots": [900, 1000]})
    for _ in range(ROUNDS):
        started, held = race(
            pool,
            [
                lambda: one.call("start_experiment", "late"),
                lambda: other.call("set_holdout", "held", Decimal("0.1")),
            ],
        )
        assert sorted([str(started.code), str(held.code)]) == ["None", "WF115"], (started, held)
        if held.code is not None:
            assert '"late"' in held.message
            one.must("stop_experiment", "late")
        else:
            assert "holdout" in started.message
            one.must("set_holdout", "held", 0)


def test_two_starts_with_the_same_knob(admins: list[Admin], pool: ThreadPoolExecutor) -> None:
    one, other = admins[:2]
    for key in ("tokens", "budget"):
        draft(one, key, {}, {"maxOutputTokens": 1200})
    for _ in range(ROUNDS):
        first, second = race(
            pool,
            [
                lambda: one.call("start_experiment", "tokens"),
                lambda: other.call("start_experiment", "budget"),
            ],
        )
        assert sorted([str(first.code), str(second.code)]) == ["None", "WF116"], (first, second)
        [message] = [outcome.message for outcome in (first, second) if outcome.code is not None]
        for name in ('"tokens"', '"budget"', "maxOutputTokens"):
            assert name in message
        [winner] = running(one)
        one.must("stop_experiment", winner)


def test_a_knob_that_comes_in_while_another_starts(admins: list[Admin], pool: ThreadPoolExecutor) -> None:
    """One experiment runs without the knob and gets it, while another one that sets it starts."""
    one, other = admins[:2]
    draft(one, "runs", {})
    one.must("start_experiment", "runs")
    draft(one, "starts", {}, {"maxOutputTokens": 1200})
    for _ in range(ROUNDS):
        changed, started = race(
            pool,
            [
                lambda: one.call("update_variation", "runs", "a", {"maxOutputTokens": 900}),
                lambda: other.call("start_experiment", "starts"),
            ],
        )
        assert sorted([str(changed.code), str(started.code)]) == ["None", "WF116"], (changed, started)
        if started.code is None:
            one.must("stop_experiment", "starts")
        one.must("update_variation", "runs", "a", {})


@pytest.mark.parametrize(
    ("function", "changes"),
    [
        ("update_experiment", [{"name": "one"}, {"name": "other"}]),
        ("update_experiment", [{"coverage": 0.25}, {"coverage": 0.75}]),
        ("set_ramp", [[{"coverage": 1, "at": None}], []]),
        ("create_variation", ["c", "d"]),
        ("open_phase", [{}, {"hashSeed": "another"}]),
    ],
)
def test_two_changes_for_the_same_revision(
    admins: list[Admin], pool: ThreadPoolExecutor, function: str, changes: list[Any]
) -> None:
    draft(admins[0], "shared", {})
    admins[0].must("start_experiment", "shared")
    if function == "set_ramp":
        admins[0].must("update_experiment", "shared", {"coverage": 0.5})
    for _ in range(ROUNDS):
        before = admins[0].must("get_experiment", "shared")

        def change(admin: Admin, to: Any, revision: int) -> Callable[[], Outcome]:
            if function == "create_variation":
                return lambda: admin.call(function, "shared", to, {}, revision)
            if function == "open_phase":
                return lambda: admin.call(function, "shared", to, None, revision)
            return lambda: admin.call(function, "shared", to, revision)

        outcomes = race(
            pool,
            [change(admin, to, before["revision"]) for admin, to in zip(admins[:2], changes, strict=True)],
        )
        codes = sorted(str(outcome.code) for outcome in outcomes)
        if codes == ["None", "None"]:
            # Only one of them changed anything: the other asked for what was there.
            assert function == "update_experiment"
            assert any(before[name] == value for change in changes for name, value in change.items())
        else:
            assert codes == ["None", "WF114"], outcomes
            [lost] = [outcome for outcome in outcomes if outcome.code is not None]
            after = admins[0].must("get_experiment", "shared")
            assert f"at revision {after['revision']}, not at {before['revision']}" in lost.message
            [won] = [to for to, outcome in zip(changes, outcomes, strict=True) if outcome.code is None]
            if function == "update_experiment":
                assert after | won == after
        if function == "create_variation":
            for variation in ("c", "d"):
                admins[0].call("delete_variation", "shared", variation)


def test_two_phases_at_once(admins: list[Admin], pool: ThreadPoolExecutor) -> None:
    """Without a revision both are opened, one after the other."""
    one, other = admins[:2]
    draft(one, "phased", {})
    one.must("start_experiment", "phased")
    for _ in range(ROUNDS):
        before = one.must("get_experiment", "phased")["phase"]
        outcomes = race(
            pool,
            [
                lambda: one.call("open_phase", "phased", {"hashSeed": "one"}),
                lambda: other.call("open_phase", "phased", {"hashSeed": "other"}),
            ],
        )
        assert [outcome.code for outcome in outcomes] == [None, None]
        phases = sorted(outcome.row[0]["phase"] for outcome in outcomes)
        assert phases == [before + 1, before + 2]
    rows = one.connection.execute(
        "select p.phase from awf.experiment_phases as p "
        "inner join awf.experiments as e on p.experiment_id = e.id where e.key = 'phased' order by p.start_at"
    ).fetchall()
    numbers = [phase for (phase,) in rows]
    # Two at the very same moment leave one of them no time to be in force.
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1
    assert numbers[-1] == 2 * ROUNDS + 1


@pytest.mark.parametrize("commits", [True, False])
def test_a_start_while_a_stop_is_in_flight(
    admins: list[Admin], pool: ThreadPoolExecutor, connect: Connect, commits: bool
) -> None:
    one, other = admins[:2]
    one.must("create_layer", "pacing")
    for key in ("before", "after"):
        draft(one, key, {"layer": "pacing", "slots": [0, 500]})
    one.must("start_experiment", "before")
    one.connection.autocommit = False
    one.must("stop_experiment", "before", "done")
    waiting = pool.submit(other.call, "start_experiment", "after")
    await_lock(connect("admin"), other.connection.info.backend_pid)
    if commits:
        one.connection.commit()
    else:
        one.connection.rollback()
    outcome = waiting.result(30)
    assert outcome.code == (None if commits else "WF115")
    assert set(running(other)) == {"after" if commits else "before"}


def test_a_stop_waits_for_no_rollup(admins: list[Admin], pool: ThreadPoolExecutor, connect: Connect) -> None:
    """A phase that cannot be opened yet, because rollups are being made, keeps nobody from stopping."""
    one, other = admins[:2]
    draft(one, "urgent", {})
    one.must("start_experiment", "urgent")
    owner = connect()
    owner.execute("select from awf.locks where name = 'rollups' for update")
    opening = pool.submit(one.call, "open_phase", "urgent", {})
    await_lock(connect("admin"), one.connection.info.backend_pid)
    other.must("stop_experiment", "urgent")
    owner.rollback()
    # Nothing is left of which a phase could be opened.
    assert opening.result(30).code == "WF106"


def await_lock(watcher: Connection, pid: int) -> None:
    """Wait until a backend waits for a lock."""
    watcher.autocommit = True
    for _ in range(3000):
        found = watcher.execute("select pg_blocking_pids(%s) <> '{}'", [pid]).fetchone()
        if found == (True,):
            return
        time.sleep(0.01)
    raise AssertionError("it does not wait")


def test_everybody_does_everything(admins: list[Admin], pool: ThreadPoolExecutor, connect: Connect) -> None:
    """Errors of ours at most: no deadlock, no row that is written twice; and what is left makes sense."""
    keys = [f"e{n}" for n in range(4)]
    admins[0].must("create_layer", "shared")
    for n, key in enumerate(keys):
        layer = {"layer": "shared", "slots": [200 * n, 200 * n + 300]} if n < 3 else {}
        draft(admins[0], key, layer | {"sticky": n == 1}, {"maxOutputTokens": 1000 + n})
    writer = Admin(connect("writer", options=PATIENCE))
    done: dict[str, int] = {}
    counting = threading.Lock()

    def note(what: str, outcome: Outcome) -> None:
        with counting:
            done[what] = done.get(what, 0) + (outcome.code is None)

    def administer(admin: Admin, seed: int) -> None:
        numbers = random.Random(seed)
        for _ in range(2 * ROUNDS):
            key = numbers.choice(keys)
            coverage = numbers.randrange(11) / 10
            chosen: list[Any] = numbers.choice(
                [
                    ["start_experiment", key],
                    ["start_experiment", key],
                    ["stop_experiment", key, None],
                    ["update_experiment", key, {"coverage": coverage}],
                    ["update_experiment", key, {"name": f"{seed}", "allowOverlap": coverage > 0.5}],
                    ["open_phase", key, {"hashSeed": f"{coverage}"}],
                    ["set_ramp", key, [{"coverage": coverage, "at": None}]],
                    ["advance_ramp", key],
                    ["set_override", key, "tester", numbers.choice(["a", "b", None])],
                    ["update_variation", key, "b", {"maxOutputTokens": numbers.choice([900, 901])}],
                    ["set_holdout", "shared", Decimal(numbers.choice(["0", "0.05", "0.2"]))],
                    ["create_experiment", "passing", None],
                    ["delete_experiment", "passing"],
                    ["active_config"],
                ]
            )
            note(chosen[0], admin.call(*chosen))

    def play(seed: int) -> None:
        numbers = random.Random(seed)
        for n in range(2 * ROUNDS):
            player = f"{n % 7:064x}"
            answer = writer.must("turn_params", f"s{n}", player, {}, {})
            event = {
                "session_id": f"s{n}",
                "player_hash": player,
                "world_ref": "w",
                "adventure_ref": "a",
                "locale": "en-US",
                "assignments": answer["exposures"],
                "metrics": {},
            }
            writer.must("record_turn", event)
            if numbers.random() < 0.2:
                Admin(connect("admin", options=PATIENCE)).must("refresh_rollups")

    tasks = [pool.submit(administer, admin, seed) for seed, admin in enumerate(admins)]
    tasks.append(pool.submit(play, 99))
    for task in tasks:
        task.result(600)
    for what in ("start_experiment", "stop_experiment", "update_experiment", "open_phase", "set_override"):
        assert done[what], what
    check_configuration(connect())


def check_configuration(owner: Connection) -> None:
    """What must hold whatever has been done."""
    document = owner.execute("select awf.active_config()").fetchone()
    assert document is not None
    Evaluator(document[0])
    # The running experiments hold just their slots, and no two of them the same.
    wrong = owner.execute(
        """
        select e.key from awf.experiments as e
        inner join awf.layers as l on e.layer_id = l.id
        where (e.status = 'running') <> exists (
            select from awf.layer_claims as c
            where c.experiment_id = e.id and c.in_force @> clock_timestamp()
                and c.slots = int8range(
                    1000::bigint * l.id + lower(e.slots), 1000::bigint * l.id + upper(e.slots)
                )
        )
        """
    ).fetchall()
    assert wrong == []
    # A timeline never goes back to an earlier phase, and ends as the experiment is.
    wrong = owner.execute(
        """
        select e.key from awf.experiments as e
        cross join lateral (
            select
                bool_and(p.phase >= p.earlier) as rises,
                (array_agg(p.phase order by p.start_at desc))[1] as phase,
                (array_agg(p.running order by p.start_at desc))[1] as running,
                (array_agg(p.coverage order by p.start_at desc))[1] as coverage
            from (
                select q.*, coalesce(lag(q.phase) over (order by q.start_at), 1) as earlier
                from awf.experiment_phases as q
                where q.experiment_id = e.id
            ) as p
        ) as t
        where e.status <> 'draft' and not (
            t.rises and t.phase = e.phase and t.running = (e.status = 'running')
            and (t.coverage = e.coverage or e.status = 'stopped')
        )
        """
    ).fetchall()
    assert wrong == []
