"""Both evaluators give the variation that GrowthBook's own package gives, on what it can express.

What cannot be compared, and why:

- Texts beyond ASCII: the package compares some of them in another way in conditions.
- Operators outside `shared_operators`: the package reads Python's regular expressions, and orders texts and
  numbers in its own way.
- One variation alone: the package takes it for a mistake, and nobody is in.
- An empty seed: the package takes the key in its place.
- Negative weights: the package replaces them, as the JavaScript SDK does not; SQL refuses to save them.
- Coverage below 1e-100 but not zero: to a hash of four decimals it is none, but the package lets in whoever
  hashes to 0 exactly.
- A sticky experiment in a layer: the package does not ask the layer about a unit with a kept variation. Ours
  always does, because experiments of a layer have to exclude each other.
- `optIn`, holdouts and the merge of several experiments: it has no such things. A timeline neither: it gets
  the phase that is in force.
- An override to a variation that the phase lacks: it holds places in a list, not keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from growthbook import Experiment, GrowthBook
from growthbook.common_types import Filter
from growthbook.core import inNamespace
from growthbook.growthbook import InMemoryStickyBucketService
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from awf_pg.conditions import Condition
from awf_pg.evaluate import Evaluator, bucket_ranges, choose_variation, hash_unit, in_namespace
from tests import scale, servers
from tests.conditions import attributes, conditions_of, shared_operators

Connection = psycopg.Connection[tuple[Any, ...]]

STARTS = ["2025-01-01T00:00:00+00:00", "2025-01-02T00:00:00+00:00", "2025-01-03T00:00:00+00:00"]
AT = datetime(2025, 1, 2, 12, tzinfo=UTC)
OVER = datetime(2025, 1, 3, tzinfo=UTC)

ascii_texts = st.text(st.characters(min_codepoint=1, max_codepoint=127), min_size=1, max_size=12)
# A few units, so that overrides and kept variations meet them.
units = st.sampled_from(["", "u", "unit-1", "0" * 64]) | ascii_texts
shares = st.lists(st.integers(0, 20), min_size=2, max_size=5).filter(any)
thousandths = st.integers(0, 1000).map(lambda n: n / 1000)
usual_conditions = st.just({}) | st.sampled_from([{"locale": "a"}, {"locale": {"$ne": "a"}}])


@st.composite
def phases(draw: st.DrawFn, number: int, keys: list[str]) -> dict[str, Any]:
    """One phase: what the document holds, and beside it the `weights` and the `coverage` it was made from."""
    some = draw(st.lists(st.integers(0, 20), min_size=len(keys), max_size=len(keys)))
    # Of a wrong sum now and then: both fall back to equal weights.
    weights = [share / (sum(some) or 1) * draw(st.sampled_from([1, 1, 1, 0.9])) for share in some]
    coverage = draw(thousandths)
    version = draw(st.integers(0, 3))
    return {
        "phase": number,
        "startAt": STARTS[number],
        "coverage": coverage,
        "hashSeed": draw(ascii_texts),
        "condition": draw(usual_conditions | conditions_of(shared_operators)),
        "bucketVersion": version,
        "minBucketVersion": draw(st.integers(0, version)),
        "ranges": [list(pair) for pair in bucket_ranges(len(keys), coverage, weights)],
        "variations": [{"key": key, "id": 10 * number + place} for place, key in enumerate(keys)],
        "weights": weights,
    }


@st.composite
def experiments(draw: st.DrawFn, key: str) -> dict[str, Any]:
    keys = [f"v{n}" for n in range(draw(st.integers(2, 5)))]
    sticky = draw(st.booleans())
    edges = sorted([draw(thousandths), draw(thousandths)])
    layer = st.none() if sticky else st.none() | st.tuples(ascii_texts, *map(st.just, edges)).map(list)
    return {
        "key": key,
        "hashBasis": draw(st.sampled_from(["session", "player"])),
        "hashVersion": draw(st.sampled_from([1, 2])),
        "optIn": False,
        "sticky": sticky,
        "layer": draw(layer),
        "guardrails": {},
        "params": {key: {} for key in keys},
        "overrides": draw(st.dictionaries(units.filter(bool), st.sampled_from(keys), max_size=1)),
        "phases": [draw(phases(0, keys)), draw(phases(1, keys)), ended(2)],
    }


def ended(number: int) -> dict[str, Any]:
    return {
        "phase": number,
        "startAt": STARTS[number],
        "coverage": 0.0,
        "hashSeed": "s",
        "condition": {},
        "bucketVersion": 0,
        "minBucketVersion": 0,
        "ranges": [],
        "variations": [],
    }


configs = st.integers(1, 3).flatmap(lambda count: st.tuples(*(experiments(f"e{n}") for n in range(count))))
moments = st.sampled_from(
    [datetime(2024, 12, 31, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC), AT, AT, AT, OVER]
)
kept = st.dictionaries(
    st.builds("{}__{}".format, st.sampled_from(["e0", "e1", "e2"]), st.integers(0, 3)),
    st.sampled_from(["v0", "v1", "v4", "gone"]),
    max_size=4,
)


@pytest.fixture(scope="module")
def connection(server: servers.Server) -> Iterator[Connection]:
    server.create_database("t_growthbook", servers.TEMPLATE)
    with psycopg.connect(server.dsn_of("t_growthbook"), autocommit=True) as opened:
        yield opened
    server.drop_database("t_growthbook")


def theirs_of(
    document: Mapping[str, Any],
    turn: Mapping[str, Any],
    sticky: Mapping[str, str],
    at: datetime,
) -> str | None:
    """The variation that the package gives in one experiment."""
    now = [one for one in document["phases"] if datetime.fromisoformat(one["startAt"]) <= at]
    phase = now[-1] if now else None
    keys = list(document["params"])
    attribute = document["hashBasis"]
    unit = turn.get(attribute)
    forced = document["overrides"].get(unit)
    service = InMemoryStickyBucketService()
    if unit:
        service.save_assignments(
            {"attributeName": attribute, "attributeValue": unit, "assignments": dict(sticky)}
        )
    in_force = phase is not None and bool(phase["variations"])
    peer = GrowthBook(
        attributes=dict(turn),
        forced_variations={document["key"]: keys.index(forced)} if in_force and unit and forced else {},
        sticky_bucket_service=service if document["sticky"] else None,
        sticky_bucket_identifier_attributes=[attribute],
    )
    peer.refresh_sticky_buckets()
    result = peer.run(
        Experiment(
            key=document["key"],
            variations=keys,
            weights=phase["weights"] if phase is not None and in_force else None,
            active=phase is not None,
            status="running" if in_force else "stopped",
            coverage=phase["coverage"] if phase is not None else None,
            condition=phase["condition"] if phase is not None else None,
            filters=filters_of(document),
            hashAttribute=attribute,
            hashVersion=document["hashVersion"],
            meta=[{"key": key} for key in keys],
            seed=phase["hashSeed"] if phase is not None else None,
            bucketVersion=phase["bucketVersion"] if phase is not None else None,
            minBucketVersion=phase["minBucketVersion"] if phase is not None else None,
        )
    )
    return str(result.value) if result.inExperiment else None


def filters_of(document: Mapping[str, Any]) -> list[Filter] | None:
    """The layer, as the package has it."""
    if document["layer"] is None:
        return None
    name, low, high = document["layer"]
    attribute = document["hashBasis"]
    return [{"seed": f"__{name}", "ranges": [(low, high)], "hashVersion": 2, "attribute": attribute}]


def without_peers_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    shown = [{name: value for name, value in one.items() if name != "weights"} for one in document["phases"]]
    return {**document, "phases": shown}


def comparable(config: tuple[dict[str, Any], ...], given_attributes: Mapping[str, Any]) -> bool:
    """Conditions that are well-formed, and nothing beyond ASCII in what they ask about."""
    conditions = [phase["condition"] for document in config for phase in document["phases"]]
    return str([conditions, given_attributes]).isascii() and all(
        condition == {} or Condition(condition).fault is None for condition in conditions
    )


def agree(
    connection: Connection,
    config: Sequence[dict[str, Any]],
    session: str | None,
    player: str | None,
    given_attributes: Mapping[str, Any],
    sticky: Mapping[str, str],
    at: datetime,
) -> dict[str, str]:
    """Evaluate in all three ways; the variations that they all give."""
    # In GrowthBook the units are attributes like any other.
    turn = {**given_attributes, "session": session, "player": player}
    theirs = {one["key"]: theirs_of(one, turn, sticky, at) for one in config}
    shown = [without_peers_fields(one) for one in config]
    document = {"version": 2, "revision": 1, "knobs": {}, "experiments": shown}
    ours = Evaluator(document).evaluate(session, player, {}, turn, at, sticky=sticky)
    in_python = {one["experiment"]: one["variation"] for one in [*ours.exposures, *ours.forced]}
    assert in_python == {key: variation for key, variation in theirs.items() if variation is not None}
    row = connection.execute(
        "select awf._evaluate(%s, %s, %s, '{}', %s, %s, null, %s)",
        [Jsonb(document), session, player, Jsonb(turn), at, Jsonb(sticky)],
    ).fetchone()
    assert row is not None
    in_sql = {one["experiment"]: one["variation"] for one in [*row[0]["exposures"], *row[0]["forced"]]}
    assert in_sql == in_python
    return in_python


@given(configs, units | st.none(), units | st.none(), attributes, kept, moments)
@settings(max_examples=scale.examples(5000))
def test_the_package_gives_the_same_variations(
    connection: Connection,
    config: tuple[dict[str, Any], ...],
    session: str | None,
    player: str | None,
    given_attributes: dict[str, Any],
    sticky: dict[str, str],
    at: datetime,
) -> None:
    if comparable(config, given_attributes):
        agree(connection, config, session, player, given_attributes, sticky, at)


@given(ascii_texts, st.sampled_from([1, 2]), st.sampled_from(["low", "high", "layer low", "layer high"]))
@settings(max_examples=scale.examples(1000))
def test_the_package_cuts_at_the_same_edges(
    connection: Connection, unit: str, version: int, edge: str
) -> None:
    """A unit right on an edge, which chance would bring once in thousands of examples."""
    n, place = hash_unit("s", unit, version), hash_unit("__l", unit, 2)
    assert n is not None
    assert place is not None
    weights = {"low": [n, 1 - n], "high": [1 - n, n]}.get(edge, [0.5, 0.5])
    layer = {"layer low": ["l", place, 1], "layer high": ["l", 0, place]}.get(edge)
    # With this coverage a first range of 1 - n ends at n, as far as floats go.
    coverage = n / (1 - n) if edge == "high" and n <= 0.5 else 1
    keys = ["v0", "v1"]
    phase = {
        **ended(0),
        "coverage": coverage,
        "ranges": [list(pair) for pair in bucket_ranges(2, coverage, weights)],
        "variations": [{"key": key, "id": None} for key in keys],
        "weights": weights,
    }
    document = {
        "key": "e0",
        "hashBasis": "session",
        "hashVersion": version,
        "optIn": False,
        "sticky": False,
        "layer": layer,
        "guardrails": {},
        "params": {key: {} for key in keys},
        "overrides": {},
        "phases": [phase, ended(2)],
    }
    given_variations = agree(connection, [document], unit, None, {}, {}, AT)
    if edge == "low":
        assert given_variations == {"e0": "v1"}
    elif edge.startswith("layer"):
        assert bool(given_variations) == (edge == "layer low")


@given(ascii_texts, ascii_texts, st.sampled_from([1, 2]), shares, thousandths)
@settings(max_examples=scale.examples(5000))
def test_the_package_gives_the_same_bucket(
    connection: Connection, seed: str, unit: str, version: int, some: list[int], coverage: float
) -> None:
    weights = [share / sum(some) for share in some]
    result = GrowthBook(attributes={"id": unit}).run(
        Experiment("e", list(range(len(some))), weights, coverage=coverage, seed=seed, hashVersion=version)
    )
    ranges = bucket_ranges(len(some), coverage, weights)
    n = hash_unit(seed, unit, version)
    assert n is not None
    assert choose_variation(n, ranges) == (result.variationId if result.inExperiment else -1)
    row = connection.execute(
        "select awf.hash_unit(%(seed)s, %(unit)s, %(version)s), "
        "awf.choose_variation(awf.hash_unit(%(seed)s, %(unit)s, %(version)s), "
        "awf.bucket_ranges(%(count)s, %(coverage)s, %(weights)s::float8[]))",
        {
            "seed": seed,
            "unit": unit,
            "version": version,
            "count": len(some),
            "coverage": coverage,
            "weights": weights,
        },
    ).fetchone()
    assert row == (n, choose_variation(n, ranges))
    if result.inExperiment:
        assert result.bucket == n


@given(ascii_texts, ascii_texts, thousandths, thousandths)
@settings(max_examples=scale.examples(5000))
def test_the_package_has_the_same_namespaces(
    connection: Connection, name: str, unit: str, low: float, high: float
) -> None:
    theirs = inNamespace(unit, (name, low, high))
    assert in_namespace(unit, [name, low, high]) == theirs
    row = connection.execute("select awf.in_namespace(%s, %s)", [unit, Jsonb([name, low, high])]).fetchone()
    assert row == (theirs,)


def test_the_comparison_sees_every_outcome() -> None:
    """Guards the test above: its examples are not all outside of every experiment."""
    keys = ["v0", "v1"]
    phase = {
        **ended(0),
        "coverage": 1.0,
        "ranges": [[0, 0.5], [0.5, 1]],
        "variations": [{"key": key, "id": None} for key in keys],
        "weights": [0.5, 0.5],
        "bucketVersion": 1,
        "minBucketVersion": 1,
    }
    document: dict[str, Any] = {
        "key": "e0",
        "hashBasis": "session",
        "hashVersion": 2,
        "sticky": True,
        "layer": None,
        "params": {key: {} for key in keys},
        "overrides": {"forced": "v1"},
        "phases": [phase, ended(2)],
    }
    turn = {"session": "unit-1"}
    hashed = theirs_of(document, turn, {}, AT)
    other = "v0" if hashed == "v1" else "v1"
    assert hashed in keys
    assert theirs_of(document, turn, {"e0__1": other}, AT) == other
    assert theirs_of(document, turn, {"e0__0": other}, AT) is None
    assert theirs_of(document, {"session": "forced"}, {"e0__1": "v0"}, AT) == "v1"
    assert theirs_of(document, {"session": ""}, {}, AT) is None
    assert theirs_of(document, turn, {}, OVER) is None
    assert theirs_of({**document, "sticky": False, "layer": ["l", 0, 0]}, turn, {}, AT) is None
