"""The client in memory, as the test suite of a game uses it; and what both clients share."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from awf_pg import Settings
from awf_pg.errors import ExperimentNotFound, InvalidAllocations, InvalidArgument, VariationNotFound
from awf_pg.sticky import StickyCache
from awf_pg.testing import SETTINGS, MemoryAwf
from awf_pg.turns import _Warnings

TURN: dict[str, Any] = {"session_id": "s-1", "player_id": "p-1", "world_ref": "w", "adventure_ref": "a"}
BUDGET: dict[str, Any] = {"key": "budget", "variations": {"control": {}, "large": {"maxOutputTokens": 2000}}}
ALL = [{"variation": "large", "percent": 100}]


def other_half(variation: str) -> str:
    """A session that gets this variation of BUDGET."""
    awf = MemoryAwf([BUDGET])
    sessions = (f"s-{number}" for number in range(100))
    return next(
        session
        for session in sessions
        if awf.turn(**{**TURN, "session_id": session}).exposures[0]["variation"] == variation
    )


def test_a_game_is_played() -> None:
    before = threading.active_count()
    with MemoryAwf([BUDGET]) as awf:
        with awf.turn(**{**TURN, "session_id": other_half("large")}, defaults={"maxActs": 3}) as turn:
            assert turn.params == {"maxActs": 3, "maxOutputTokens": 2000}
            turn.metrics(outputTokens=7)
        awf.record(**TURN, experimentKey="budget", variationKey="control", metrics={"acts": 2})
        assert awf.flush()
        assert awf.refresh_config()
        first, second = awf.events
    assert first["id"] == turn.id
    assert first["assignments"] == [{"experiment": "budget", "variation": "large"}]
    assert first["metrics"]["outputTokens"] == 7
    assert first["player_hash"] == SETTINGS.hash_player("p-1").hex()
    assert second["assignments"] == [{"experiment": "budget", "variation": "control"}]
    stats = awf.stats()
    assert (stats["accepted"], stats["queue_depth"], stats["awf.exp.exposures.count"]) == (2, 0, 1)
    assert (stats["config_loaded"], stats["config_source"]) == (True, "memory")
    assert threading.active_count() == before
    with awf.turn(**TURN):
        pass
    assert (len(awf.events), awf.stats()["dropped"]) == (2, 1)
    with pytest.raises(TypeError, match="outputTokens takes a number"):
        awf.turn(**TURN).metrics(outputTokens="many")  # type: ignore[arg-type]


def test_a_failed_turn_is_recorded() -> None:
    awf = MemoryAwf()
    with pytest.raises(ZeroDivisionError), awf.turn(**TURN):
        raise ZeroDivisionError
    (event,) = awf.events
    assert event["metrics"]["failed"] is True
    assert event["assignments"] == []


@pytest.mark.parametrize("variation", ["control", "large"])
def test_a_variation_is_forced(variation: str) -> None:
    """On sessions that would get either one."""
    awf = MemoryAwf([BUDGET | {"sticky": True}])
    awf.force("budget", variation)
    expected = {} if variation == "control" else {"maxOutputTokens": 2000}
    for session in (other_half("control"), other_half("large")):
        with awf.turn(**{**TURN, "session_id": session}) as turn:
            assert turn.params == expected
            assert [one["variation"] for one in turn.forced] == [variation]
            assert (turn.exposures, turn.sticky) == ([], [])
    assert [event["assignments"] for event in awf.events] == [[], []]
    awf.force("budget", None)
    awf.force("budget", None)
    turn = awf.turn(**{**TURN, "session_id": other_half("large")})
    assert (turn.params, turn.forced) == ({"maxOutputTokens": 2000}, [])


def test_forcing_by_player_and_past_a_condition() -> None:
    definition = BUDGET | {"hashBasis": "player", "condition": {"never": 1}, "coverage": 0}
    awf = MemoryAwf([definition])
    assert awf.turn(**TURN).params == {}
    awf.force("budget", "large")
    assert awf.turn(**TURN).params == {"maxOutputTokens": 2000}
    assert awf.turn(**TURN, experiments=False).params == {}


def test_what_cannot_be_forced() -> None:
    awf = MemoryAwf([BUDGET])
    with pytest.raises(ExperimentNotFound, match="nothing"):
        awf.force("nothing", "large")
    with pytest.raises(VariationNotFound, match="huge"):
        awf.force("budget", "huge")


def test_definitions() -> None:
    """Allocations, guardrails, conditions and layers work as in the database."""
    low, high = (
        BUDGET | {"key": key, "layer": "l", "slots": slots, "allocations": ALL}
        for key, slots in (("low", [0, 500]), ("high", [500, 1000]))
    )
    awf = MemoryAwf([low | {"guardrails": {"maxOutputTokens": 1000}}, high])
    seen = set()
    for number in range(50):
        turn = awf.turn(**{**TURN, "session_id": f"s-{number}"})
        (exposure,) = turn.exposures
        seen.add((exposure["experiment"], turn.params["maxOutputTokens"]))
    assert seen == {("low", 1000), ("high", 2000)}
    german = MemoryAwf([BUDGET | {"allocations": ALL, "condition": {"locale": "de-DE"}}])
    assert german.turn(**TURN).params == {}
    assert german.turn(**TURN, locale="de-DE").params == {"maxOutputTokens": 2000}
    asked = MemoryAwf([BUDGET | {"allocations": ALL, "optIn": True}])
    assert asked.turn(**TURN).params == {}
    assert asked.turn(**TURN, experiments=True).params == {"maxOutputTokens": 2000}
    forced = MemoryAwf([BUDGET | {"overrides": {"s-1": "large"}}])
    assert forced.turn(**TURN).forced


@pytest.mark.parametrize(
    ("definition", "error", "message"),
    [
        ({"key": "x"}, InvalidArgument, "without variations"),
        ({"variations": {}}, InvalidArgument, "without key"),
        (BUDGET | {"hashbasis": "player"}, InvalidArgument, "hashbasis"),
        (BUDGET | {"allocations": [{"variation": "huge", "percent": 100}]}, VariationNotFound, "huge"),
        (BUDGET | {"allocations": [{"variation": "large", "percent": 50}]}, InvalidAllocations, "100"),
    ],
)
def test_a_wrong_definition_is_named(
    definition: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        MemoryAwf([definition])


def test_knobs_have_the_types_of_their_values() -> None:
    variations = {"a": {"whole": 1, "real": 1, "flag": True}, "b": {"whole": 2, "real": 1.5, "flag": False}}
    awf = MemoryAwf([{"key": "x", "variations": variations}])
    for variation, expected in variations.items():
        awf.force("x", variation)
        turn = awf.turn(**TURN)
        assert (turn.params, turn.invalid) == (expected, [])
    bounded = MemoryAwf(
        [{"key": "x", "variations": {"a": {"whole": 9}}}],
        knobs={"whole": {"type": "integer", "min": 1, "max": 5}},
    )
    assert bounded.turn(**TURN).params == {"whole": 5}


@pytest.mark.parametrize("version", [1, 2])
def test_a_whole_document(version: int) -> None:
    phase: dict[str, Any] = {
        "hashSeed": "x",
        "condition": {},
        "ranges": [[0, 1]],
        "variations": [{"key": "v", "id": 7, "params": {"acts": 5}}],
    }
    experiment: dict[str, Any] = {"key": "x", "hashBasis": "session", "hashVersion": 2, "guardrails": {}}
    if version == 1:
        experiment |= {**phase, "startAt": None, "stopAt": None}
    else:
        versions = {"bucketVersion": 0, "minBucketVersion": 0}
        experiment |= {"optIn": False, "sticky": False, "layer": None, "overrides": {}}
        experiment |= {
            "params": {"v": {"acts": 5}},
            "phases": [{**phase, "startAt": "2020-01-01", **versions}],
        }
    knobs = {"acts": {"type": "integer", "min": None, "max": None}}
    awf = MemoryAwf(config={"version": version, "revision": 4, "knobs": knobs, "experiments": [experiment]})
    with awf.turn(**TURN) as turn:
        assert turn.params == {"acts": 5}
    assert awf.events[0]["assignments"] == [{"experiment": "x", "variation": "v"}]
    assert awf.stats()["config_revision"] == 4
    awf.force("x", "v")
    assert awf.turn(**TURN).forced


def test_settings_are_kept() -> None:
    switched_off = Settings(analytics_enabled=False, experiments_enabled=False)
    awf = MemoryAwf([BUDGET], settings=switched_off)
    awf.force("budget", "large")
    with awf.turn(**TURN) as turn:
        assert turn.params == {}
    assert awf.events == []
    limited = Settings(player_hash_key=SETTINGS.player_hash_key, model_max_output_tokens=500)
    awf = MemoryAwf([BUDGET | {"allocations": ALL}], settings=limited)
    assert awf.turn(**TURN).params == {"maxOutputTokens": 500}


# Sticky assignments


STICKY = BUDGET | {"sticky": True}


def document(attribute: str, value: str, **assignments: str) -> dict[str, Any]:
    return {"attributeName": attribute, "attributeValue": value, "assignments": assignments}


def test_documents_go_round() -> None:
    """What a turn gives is what the next one takes, also where the hash would say otherwise."""
    session = other_half("large")
    held = [
        document("session", session, budget__0="control", other__3="x"),
        document("session", "z", a__0="b"),
    ]
    turn = MemoryAwf([STICKY]).turn(**{**TURN, "session_id": session}, sticky=held)
    assert turn.exposures[0]["variation"] == "control"
    assert turn.sticky == [document("session", session, budget__0="control", other__3="x")]
    again = MemoryAwf([STICKY]).turn(**{**TURN, "session_id": session}, sticky=turn.sticky)
    assert again.exposures[0]["variation"] == "control"
    unknown = MemoryAwf([STICKY]).turn(**{**TURN, "session_id": session})
    assert unknown.exposures[0]["variation"] == "large"
    out = MemoryAwf([STICKY]).turn(**{**TURN, "session_id": session}, sticky=held, experiments=False)
    assert (out.exposures, out.sticky) == ([], turn.sticky), "what it has is not lost"


def test_documents_name_session_or_player() -> None:
    player = SETTINGS.hash_player("p-1").hex()
    awf = MemoryAwf([STICKY, STICKY | {"key": "mine", "hashBasis": "player"}])
    turn = awf.turn(**TURN)
    by_session, by_player = (one["variation"] for one in turn.exposures)
    assert turn.sticky == [
        document("session", "s-1", budget__0=by_session),
        document("player", player, mine__0=by_player),
    ]
    swapped = MemoryAwf([STICKY | {"key": "mine", "hashBasis": "player"}])
    kept = swapped.turn(**TURN, sticky=[document("player", player, mine__0="control")])
    assert kept.exposures[0]["variation"] == "control"


def test_a_client_remembers_the_units_seen_last() -> None:
    session = other_half("large")
    awf = MemoryAwf([STICKY])
    given = {**TURN, "session_id": session}
    assert awf.turn(**given, sticky=[document("session", session, budget__0="control")]).exposures
    assert awf.turn(**given).exposures[0]["variation"] == "control"
    assert awf.turn(**given, sticky=[document("session", session, budget__0="large")]).params


def test_the_memory_is_bounded() -> None:
    cache = StickyCache(2)
    for value in "abc":
        cache.put(("session", value), {"x__0": value})
        cache.get(("session", "a"))
    assert cache.get(("session", "a")) == {"x__0": "a"}, "used last"
    assert cache.get(("session", "b")) == {}
    assert cache.get(("session", "c")) == {"x__0": "c"}
    cache.get(("session", "c"))["x__0"] = "changed"
    assert cache.get(("session", "c")) == {"x__0": "c"}


# The logs


def test_assignments_are_logged_without_a_word_about_players(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    awf = MemoryAwf(
        [
            BUDGET | {"allocations": ALL},
            BUDGET | {"key": "german", "condition": {"locale": "de-DE"}},
            BUDGET | {"key": "tried", "overrides": {"secret-session": "control"}},
        ]
    )
    with awf.turn(**{**TURN, "session_id": "secret-session", "player_id": "secret-player"}):
        pass
    (record,) = [record for record in caplog.records if record.name == "awf.assign"]
    assert record.levelno == logging.DEBUG
    assert record.getMessage() == "budget=large (assigned), german out (condition), tried=control (override)"
    assert "secret" not in caplog.text
    assert awf.events[0]["player_hash"] not in caplog.text
    caplog.clear()
    caplog.set_level(logging.INFO, logger="awf.assign")
    awf.turn(**TURN)
    assert [record for record in caplog.records if record.name == "awf.assign"] == []


def test_values_not_used_are_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    awf = MemoryAwf(
        [{"key": "x", "allocations": ALL, "variations": {"large": {"a": 9, "b": 9}}}],
        knobs={name: {"type": "integer", "min": 1, "max": 5} for name in "ab"},
    )
    for number in range(5):
        awf.turn(**{**TURN, "session_id": f"secret-{number}"})
    records = [record for record in caplog.records if record.name == "awf.params"]
    assert [record.levelname for record in records] == ["WARNING"] * 2
    assert [record.getMessage() for record in records] == [
        f"experiment x, variation large, {name}: out_of_range, value 9" for name in "ab"
    ]
    assert "secret" not in caplog.text


def test_a_minute_later_it_is_said_again(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    warnings = _Warnings(clock=lambda: now)
    invalid = {"experiment": "x", "variation": "v", "knob": "a", "value": 9, "reason": "overlap", "used": 1}
    for now, expected in ((0.0, 1), (59.9, 1), (60.0, 2), (119.0, 2), (121.0, 3)):
        warnings.report([invalid])
        assert len(caplog.records) == expected, now
    for number in range(3 * _Warnings.MEMORY):
        warnings.report([{**invalid, "knob": f"k{number}"}])
    assert len(warnings._last) <= _Warnings.MEMORY
