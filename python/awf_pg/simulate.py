"""A simulated game for the demo: sessions of turns, played through the real client.

Nothing sleeps: a turn brings its own time and latencies. Every session draws from a random generator of its
own, seeded with the session's number, so threads may interleave as they like and the numbers stay the same.

The planted effect: the model uses much of the output budget that it is given, and the latency grows with the
tokens.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from awf_pg.client import Awf
from awf_pg.turn import Turn

FIRST_DAY = datetime(2025, 1, 6, tzinfo=UTC)
DAYS = 14
DEFAULTS = {"maxOutputTokens": 1500, "maxActs": 6, "toolMaxCalls": 8}

EXPERIMENT: dict[str, Any] = {
    "key": "token-budget-test",
    "name": "Token Budget Experiment",
    "allocations": [{"variation": "control", "percent": 50}, {"variation": "high-budget", "percent": 50}],
    "hash_basis": "session",
    "guardrails": {"maxOutputTokens": 2000, "maxActs": 8, "toolMaxCalls": 10},
    "start_at": FIRST_DAY,
}
VARIATIONS = {
    "control": {"maxOutputTokens": 1500, "maxActs": 6, "toolMaxCalls": 8},
    "high-budget": {"maxOutputTokens": 2000, "maxActs": 8, "toolMaxCalls": 10},
}

LOCALES = {"en-US": 50, "de-DE": 20, "fr-FR": 15, "es-ES": 10, "ja-JP": 5}
WORLDS = {
    "world.ember-reach": ("adv.the-salt-road", "adv.lanterns"),
    "world.tidefall": ("adv.drowned-bells", "adv.the-pilot"),
    "world.hollow-sky": ("adv.cartographer", "adv.last-light"),
}
MODELS = {"storyteller-large": 4, "storyteller-small": 1}

_PLAYERS_PER_SESSION = 0.3

# A real game never waits for its recorder. This one plays far faster than any, and must not lose a turn.
_QUEUE_HIGH = 50_000


class NotStored(Exception):
    """The recorder cannot store what is played."""


class ModelFailed(Exception):
    """The simulated model gave no answer."""


@dataclass(frozen=True)
class Session:
    """Who plays what, where, from when on."""

    session_id: str
    player_id: str
    world: str
    adventure: str
    locale: str
    model: str
    start: datetime
    turns: int


def play(awf: Awf, sessions: int, *, threads: int, advance: Callable[[int], None]) -> int:
    """Play all sessions and return the number of turns; `advance` hears of every session that ends."""

    ended = threading.Event()

    def worker(first: int) -> int:
        turns = 0
        for number in range(first, sessions, threads):
            if ended.is_set():
                break
            if awf.stats()["queue_depth"] > _QUEUE_HIGH and not awf.flush(10):
                raise NotStored(awf.stats()["last_error"])
            turns += play_session(awf, number, sessions)
            advance(1)
        return turns

    with ThreadPoolExecutor(threads) as pool:
        players = [pool.submit(worker, first) for first in range(threads)]
        try:
            wait(players, return_when=FIRST_EXCEPTION)
        finally:
            ended.set()  # The pool waits for its threads: after a failure they need not play to the end.
        return sum(player.result() for player in players)


def play_session(awf: Awf, number: int, sessions: int) -> int:
    rng = Random(number)
    session = _new_session(rng, number, sessions)
    for ts in _times(rng, session):
        turn = awf.turn(
            session_id=session.session_id,
            player_id=session.player_id,
            world_ref=session.world,
            adventure_ref=session.adventure,
            locale=session.locale,
            model=session.model,
            defaults=DEFAULTS,
            ts=ts,
        )
        try:
            with turn:
                _play_turn(rng, turn)
        except ModelFailed:
            continue  # The turn is recorded as failed; the player tries again.
    return session.turns


def _new_session(rng: Random, number: int, sessions: int) -> Session:
    world = rng.choice(list(WORLDS))
    return Session(
        session_id=f"session-{number:06}",
        player_id=f"player-{rng.randrange(max(1, int(sessions * _PLAYERS_PER_SESSION))):06}",
        world=world,
        adventure=rng.choice(WORLDS[world]),
        locale=_weighted(rng, LOCALES),
        model=_weighted(rng, MODELS),
        start=FIRST_DAY + timedelta(days=rng.randrange(DAYS), seconds=rng.randrange(23 * 3600)),
        turns=rng.randint(8, 12),
    )


def _times(rng: Random, session: Session) -> Iterator[datetime]:
    ts = session.start
    for _ in range(session.turns):
        yield ts
        ts += timedelta(seconds=rng.randint(20, 90), milliseconds=rng.randrange(1000))


def _play_turn(rng: Random, turn: Turn) -> None:
    """What a runtime does: assemble the bundle, ask the model within the budgets, act on the answer."""
    params = turn.params
    bundle_tokens = int(rng.gauss(1200, 150))
    bundle_ms = round(rng.uniform(4, 12), 3)
    # Drawn before anything depends on the params, so that both variations meet the same luck.
    appetite, noise_ms = rng.gauss(0.78, 0.12), rng.uniform(0, 250)
    retries = rng.choices((0, 1, 2), (94, 5, 1))[0]
    wanted_tools, wanted_acts = rng.randrange(12), rng.randint(1, 9)
    choices, ticks, fails = rng.randint(2, 4), rng.randint(1, 6), rng.random() < 0.008

    tools = min(wanted_tools, params["toolMaxCalls"])
    tokens = min(max(int(appetite * params["maxOutputTokens"]), 50), params["maxOutputTokens"])
    model_ms = round((350 + 0.9 * tokens + noise_ms) * (1 + 0.5 * retries), 3)
    turn.metrics(
        turnLatencyMs=round(bundle_ms + model_ms + 15 * tools, 3),
        modelLatencyMs=model_ms,
        bundleMs=bundle_ms,
        bundleTokens=bundle_tokens,
        retries=retries,
    )
    if fails:
        raise ModelFailed
    turn.metrics(
        outputTokens=tokens,
        fallbacks=int(retries == 2),
        toolCalls=tools,
        acts=min(wanted_acts, params["maxActs"]),
        choices=choices,
        timeAdvanceTicks=ticks,
    )


def _weighted(rng: Random, weights: dict[str, int]) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]
