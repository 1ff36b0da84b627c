"""Units spread as the ranges say, and where one experiment or layer puts them tells nothing about another.

Chi-square over a fixed population, 1,000,000 units in the full run: the same units always, so a result is a
fact and no chance. Expected shares are counted in steps of the hash: 1,000 in version 1, 10,000 in version 2.
"""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from math import erfc, exp, lgamma, log, sqrt
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from awf_pg.evaluate import Evaluator, bucket_ranges, choose_variation
from tests import scale
from tests.conftest import Connect

MANY = scale.examples(1_000_000)
# Ninety comparisons are made here; with p = 1e-5 a fair hash fails one of them once in 1,100 populations.
P = 1e-5
STEPS = {1: 1000, 2: 10_000}

KEYS = ["tokens", "exp-1", "exp-2"]
SIZES = [2, 4]
LAYERS = ["layer-a", "layer-b", "pacing", "ui"]


def p_value(value: float, freedom: int) -> float:
    """The chance of so large a chi-square, exactly: Abramowitz and Stegun, 26.4.4 and 26.4.5."""
    half = value / 2
    if freedom % 2 == 0:
        first, powers = 0.0, [float(n) for n in range(freedom // 2)]
    else:
        first, powers = erfc(sqrt(half)), [n + 0.5 for n in range(freedom // 2)]
    return first + sum(exp(power * log(half) - half - lgamma(power + 1)) for power in powers)


def chi_square(observed: Sequence[int], expected: Sequence[float]) -> float:
    return sum((seen - share) ** 2 / share for seen, share in zip(observed, expected, strict=True))


def is_split_as(observed: Counter[str], shares: Mapping[str, float]) -> bool:
    """Whether the counts agree with the shares; a unit in a cell without a share disagrees."""
    total = observed.total()
    if not set(observed) <= set(shares):
        return False
    value = chi_square([observed[cell] for cell in shares], [share * total for share in shares.values()])
    return p_value(value, len(shares) - 1) > P


def are_independent(cells: Counter[tuple[str, str]]) -> bool:
    """Whether rows and columns of a contingency table are independent."""
    total = cells.total()
    rows: Counter[str] = Counter()
    columns: Counter[str] = Counter()
    for (row, column), count in cells.items():
        rows[row] += count
        columns[column] += count
    assert len(rows) > 1
    assert len(columns) > 1
    every = list(product(rows, columns))
    value = chi_square(
        [cells[cell] for cell in every], [rows[row] * columns[column] / total for row, column in every]
    )
    return p_value(value, (len(rows) - 1) * (len(columns) - 1)) > P


def uuids() -> Iterator[str]:
    numbers = random.Random(20261123)
    return (str(uuid.UUID(int=numbers.getrandbits(128), version=4)) for _ in range(MANY))


def hashes() -> Iterator[str]:
    numbers = random.Random(20261124)
    return (numbers.randbytes(32).hex() for _ in range(MANY))


def experiment(
    key: str, version: int, weights: Sequence[float], seed: str, layer: Any = None
) -> dict[str, Any]:
    names = [f"v{n:02}" for n in range(len(weights))]
    phase = {
        "phase": 1,
        "startAt": "2025-01-01T00:00:00+00:00",
        "coverage": 1,
        "hashSeed": seed,
        "condition": {},
        "bucketVersion": 0,
        "minBucketVersion": 0,
        "ranges": bucket_ranges(len(weights), 1, weights),
        "variations": [{"key": name, "id": n} for n, name in enumerate(names)],
    }
    return {
        "key": key,
        "hashBasis": "session",
        "hashVersion": version,
        "optIn": False,
        "sticky": False,
        "layer": layer,
        "guardrails": {},
        "params": {name: {} for name in names},
        "overrides": {},
        "phases": [phase],
    }


def shares_of(document: Mapping[str, Any]) -> dict[str, float]:
    """The share of the hash's steps that each variation has."""
    steps = STEPS[document["hashVersion"]]
    [phase] = document["phases"]
    places = Counter(choose_variation(step / steps, phase["ranges"]) for step in range(steps))
    return {one["key"]: places[n] / steps for n, one in enumerate(phase["variations"])}


def places_of(units: Iterator[str], experiments: Sequence[Mapping[str, Any]]) -> list[Counter[Any]]:
    """Where the units are: for each experiment, and behind those for each pair of experiments."""
    evaluator = Evaluator({"version": 2, "revision": 1, "knobs": {}, "experiments": experiments})
    keys = [one["key"] for one in experiments]
    every: Counter[tuple[str, ...]] = Counter()
    for unit in units:
        given = {one["experiment"]: one["variation"] for one in evaluator.evaluate(unit, None).exposures}
        every[tuple(given.get(key, "out") for key in keys)] += 1
    single: list[Counter[Any]] = [Counter() for _ in keys]
    double = {pair: Counter[Any]() for pair in combinations(range(len(keys)), 2)}
    for places, count in every.items():
        for n, place in enumerate(places):
            single[n][place] += count
        for first, second in double:
            double[first, second][places[first], places[second]] += count
    return [*single, *double.values()]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("units", [uuids, hashes])
def test_units_spread_as_the_ranges_say(units: Any, version: int) -> None:
    documents = [
        experiment(f"{key}/{size}", version, [1 / size] * size, key) for key in KEYS for size in SIZES
    ]
    documents.append(experiment("fine", version, [0.05] * 20, "fine"))
    documents.append(experiment("uneven", version, [0.1, 0.2, 0.7], "uneven"))
    for document, observed in zip(documents, places_of(units(), documents), strict=False):
        assert observed.total() == MANY
        assert is_split_as(observed, shares_of(document)), document["key"]
    # The last is not split in another way, not even by a little: a comparison of so many units finds that.
    assert not is_split_as(observed, {"v00": 0.105, "v01": 0.195, "v02": 0.7})


@pytest.mark.parametrize("units", [uuids, hashes])
def test_experiments_are_independent(units: Any) -> None:
    documents = [experiment(key, 2, [0.25] * 4, key) for key in [*KEYS, "exp-1-again", "a", "b"]]
    tables = places_of(units(), documents)[len(documents) :]
    for pair, table in zip(combinations(documents, 2), tables, strict=True):
        assert are_independent(table), [one["key"] for one in pair]


def test_version_1_is_not_independent() -> None:
    """Why version 2 is the default; and a comparison of these tables finds it."""
    documents = [experiment(key, 1, [0.25] * 4, key) for key in ["exp-1", "exp-2"]]
    assert not are_independent(places_of(uuids(), documents)[2])


@pytest.fixture
def layers(connect: Connect) -> list[dict[str, Any]]:
    """The configuration of a database with layers, each of them given away in four experiments."""
    connection = connect("admin")
    for layer, part in product(LAYERS, range(4)):
        if part == 0:
            connection.execute("select awf.create_layer(%s)", [layer])
        key = f"{layer}/{part}".replace("/", ".")
        connection.execute(
            "select awf.create_experiment(%s, %s, %s, 'session', p_settings => %s)",
            [
                key,
                key,
                Jsonb([{"variation": "a", "percent": 50}, {"variation": "b", "percent": 50}]),
                Jsonb({"layer": layer, "slots": [250 * part, 250 * part + 250]}),
            ],
        )
        for variation in ("a", "b"):
            connection.execute("select awf.create_variation(%s, %s, '{}')", [key, variation])
        connection.execute("select awf.start_experiment(%s)", [key])
    row = connection.execute("select awf.active_config()").fetchone()
    assert row is not None
    documents: list[dict[str, Any]] = row[0]["experiments"]
    return documents


@pytest.mark.parametrize("units", [uuids, hashes])
def test_layers_are_independent(units: Any, layers: list[dict[str, Any]]) -> None:
    evaluator = Evaluator({"version": 2, "revision": 1, "knobs": {}, "experiments": layers})
    slots = {layer: Counter[str]() for layer in LAYERS}
    tables = {pair: Counter[tuple[str, str]]() for pair in combinations(LAYERS, 2)}
    inside = {layer: Counter[tuple[str, str]]() for layer in LAYERS}
    for unit in units():
        given = {
            one["experiment"].partition(".")[0]: (one["experiment"], one["variation"])
            for one in evaluator.evaluate(unit, None).exposures
        }
        # One experiment of each layer: never none, never two.
        assert given.keys() == slots.keys()
        for layer, place in given.items():
            slots[layer][place[0]] += 1
            inside[layer][place] += 1
        for pair, table in tables.items():
            table[given[pair[0]][0], given[pair[1]][0]] += 1
    for layer in LAYERS:
        assert is_split_as(slots[layer], {f"{layer}.{part}": 0.25 for part in range(4)}), layer
        # The slot says nothing of the variation.
        assert are_independent(inside[layer]), layer
    for pair, table in tables.items():
        assert are_independent(table), pair


def test_p_values() -> None:
    for freedom, value in [(1, 3.841459), (2, 5.991465), (5, 11.070498), (10, 18.307038)]:
        assert p_value(value, freedom) == pytest.approx(0.05, rel=1e-5)
    assert p_value(360, 361) == pytest.approx(0.5, abs=0.02)


def test_tables_that_do_not_agree_are_found() -> None:
    assert not are_independent(Counter({("a", "a"): 580, ("a", "b"): 420, ("b", "a"): 420, ("b", "b"): 580}))
    assert are_independent(Counter({("a", "a"): 510, ("a", "b"): 490, ("b", "a"): 490, ("b", "b"): 510}))
    assert is_split_as(Counter({"a": 1030, "b": 970}), {"a": 0.5, "b": 0.5})
    assert not is_split_as(Counter({"a": 1130, "b": 870}), {"a": 0.5, "b": 0.5})
    assert not is_split_as(Counter({"a": 1000, "b": 1000, "out": 1}), {"a": 0.5, "b": 0.5})
