"""Good and bad events mixed, by every way in: the good are stored, the bad refused, each for its reason.

Each bad event has exactly one defect, so there is one right reason. At least 10,000 bad ones in full.
"""

from __future__ import annotations

import json
import math
import re
import string
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from awf_pg.admin import Api
from awf_pg.connect import Source
from awf_pg.copy import Writer
from awf_pg.event import METRICS, Event, new_id
from tests import scale, servers

Connection = psycopg.Connection[tuple[Any, ...]]
Changes = dict[str, Any]

BAD_EVENTS = scale.examples(10_000)
BAD_A_BATCH = 12

NOW = datetime.now(UTC)
DAYS = [timedelta(days=-3649), timedelta(days=-40), timedelta(days=-1), timedelta(), timedelta(hours=23)]
LATENCIES = [name for name, column in METRICS.items() if column.endswith("_us")]
COUNTS = [name for name in METRICS if name not in LATENCIES]
REFS = ["session_id", "world_ref", "adventure_ref"]
INT4_MAX = 2**31 - 1


class Bad(NamedTuple):
    """What makes an event bad, and the reason that it must be refused for."""

    reason: str
    changes: Changes


def bad(reason: str, changes: st.SearchStrategy[Changes]) -> st.SearchStrategy[Bad]:
    return changes.map(lambda chosen: Bad(reason, chosen))


def one_field(names: Sequence[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Changes]:
    return st.builds(lambda name, value: {name: value}, st.sampled_from(names), values)


def one_metric(names: Sequence[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Changes]:
    return one_field(names, values).map(lambda metrics: {"metrics": metrics})


# Good events

characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.text(characters, min_size=1, max_size=12) | st.sampled_from(["x" * 200, "\U0001f600" * 200, " "])
locales = st.sampled_from(
    ["en", "de-DE", "zh-Hant-TW", "sl-rozaj-biske", "de-CH-1901", "es-419", "en-a-bbb-x-a-ccc", "x-private"]
)
extras = ["mood", "won", "a b", "é", "s" * 100]
numbers = st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)
metrics = st.fixed_dictionaries(
    {},
    optional={name: st.floats(0, INT4_MAX // 1000) for name in LATENCIES}
    | {name: st.integers(0, INT4_MAX) for name in COUNTS}
    | {name: st.booleans() | numbers for name in extras},
)
names = st.sampled_from(["country", "level", "é"])
good = st.fixed_dictionaries(
    {
        "ts": st.sampled_from([NOW + day for day in DAYS]),
        "session_id": texts,
        "player_hash": st.binary(min_size=32, max_size=32).map(bytes.hex),
        "world_ref": texts,
        "adventure_ref": texts,
        "locale": locales,
        "model": st.none() | texts,
        "assignments": st.sampled_from([[], [{"experiment": "x", "variation": "v"}]]),
        "metrics": metrics,
        "attributes": st.dictionaries(names, st.booleans() | numbers | texts, max_size=3),
    }
)

# Bad events, by the reasons


def letters(least: int, most: int) -> st.SearchStrategy[str]:
    return st.text(string.ascii_letters, min_size=least, max_size=most)


def assigned(*keys: str) -> Changes:
    return {"assignments": [dict(zip(("experiment", "variation"), keys, strict=True))]}


not_locales = (
    st.sampled_from(["", "-", "e", "1en", "en_US", "en US", "en-", "-en", "en--US", "é", "de-Ä", "en-US\n"])
    | st.builds("{}--{}".format, letters(1, 8), letters(1, 8))
    | letters(9, 200)
    | st.builds("en-{}".format, letters(9, 100))
)
outside_window = (
    st.datetimes(datetime(1, 1, 4), datetime(2010, 1, 1), timezones=st.just(UTC))
    | st.datetimes(datetime(2100, 1, 1), datetime(9999, 12, 28), timezones=st.just(UTC))
    | st.sampled_from([NOW + timedelta(days=2), NOW - timedelta(days=3651)])
)
unknown = [("nope", "v"), ("x", "nope"), ("x", ""), ("", "v"), ("x/v", "v"), ("x", "v" * 300)]
not_32_bytes = st.binary(max_size=31) | st.binary(min_size=33, max_size=99)
nothing = st.sampled_from(["", None])
long = st.builds("".ljust, st.sampled_from([201, 1000, 20_000]), st.sampled_from(["x", "é", " "]))
no_scalar = st.sampled_from([[], [1], {}, {"a": 1}])
no_number = st.sampled_from(["high", "1", "NaN", ""]) | no_scalar
not_finite = st.sampled_from([math.nan, math.inf, -math.inf])
unstorable = st.sampled_from(["\0", "a\0b", "\ud800", "a\udfffb", "\udc00\ud800"])

anywhere = st.one_of(
    bad("bad_player_hash", one_field(["player_hash"], not_32_bytes.map(bytes.hex))),
    bad("missing_session", one_field(["session_id"], nothing)),
    bad("missing_world", one_field(["world_ref"], nothing)),
    bad("missing_adventure", one_field(["adventure_ref"], nothing)),
    bad("ts_out_of_window", one_field(["ts"], outside_window)),
    bad("bad_metric", one_metric(COUNTS, st.integers(-(2**70), -1))),
    bad("bad_metric", one_metric(LATENCIES, st.floats(max_value=-1e-6, allow_infinity=False))),
    bad("bad_metric", one_metric(COUNTS, st.integers(INT4_MAX + 1, 2**70) | st.just(0.5))),
    bad("bad_metric", one_metric(LATENCIES, st.floats(INT4_MAX / 999, 1e300))),
    bad("bad_extra", one_metric(extras, no_number)),
    bad("bad_locale", one_field(["locale"], not_locales)),
    bad("too_long", one_field([*REFS, "model"], long)),
    bad("too_long", st.just({"metrics": {f"metric {number}": 0.125 for number in range(600)}})),
    bad("unknown_variation", st.sampled_from(unknown).map(lambda keys: assigned(*keys))),
)
in_attributes = st.one_of(
    bad("bad_attributes", one_field(["attributes"], st.dictionaries(names, no_scalar, min_size=1))),
    bad("too_long", one_field(["attributes"], st.dictionaries(names, st.just("x" * 2048), min_size=1))),
)
in_python = in_attributes | st.one_of(
    bad("bad_text", one_field([*REFS, "locale", "model"], unstorable)),
    bad("bad_metric", one_metric(list(METRICS), not_finite)),
    bad("bad_extra", one_metric(extras, not_finite)),
    bad("not_encodable", unstorable.map(lambda name: {"metrics": {name: 1}})),
    bad("not_encodable", unstorable.map(lambda text: {"attributes": {"country": text}})),
    bad("not_encodable", not_finite.map(lambda number: {"attributes": {"level": number}})),
    bad("unknown_variation", unstorable.map(lambda key: assigned("x", key))),
)
in_rows = st.one_of(
    bad("missing_player", st.just({"player_hash": None})),
    bad("bad_metric", one_metric(list(METRICS), no_number)),
)
in_documents = (
    in_rows
    | in_attributes
    | st.one_of(
        bad(
            "bad_ts", one_field(["ts"], st.sampled_from(["yesterday", "2025-13-01", "", "2025-01-01T99:00"]))
        ),
        bad("bad_attributes", one_field(["attributes"], st.sampled_from(["DE", 1, True, ["DE"]]))),
    )
)
# Written into a line as \u0000 and \ud800; such a line is no document.
in_lines = in_documents | st.one_of(
    bad("bad_text", one_field([*REFS, "locale", "model"], unstorable)),
    bad("bad_text", unstorable.map(lambda name: {"metrics": {name: 1}})),
    bad("bad_text", unstorable.map(lambda text: {"attributes": {"country": text}})),
    bad("not_json", one_metric(list(METRICS), not_finite)),
    bad("not_json", one_field(["line"], st.sampled_from(["{", "nonsense", "{}}", '{"model": "m}', "\x01"]))),
)


STORED = "stored"


def new_id_text() -> str:
    return str(UUID(bytes=new_id()))


class Outcome(NamedTuple):
    """Ids of the stored events, and the reasons of the refused ones by id."""

    stored: list[str]
    refused: dict[str, str]


class Database:
    """A database with experiment x, its variation v, and nothing else."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.writer_dsn = psycopg.conninfo.make_conninfo(dsn, user="t_writer")
        self.owner = psycopg.connect(dsn, autocommit=True)
        with Api(dsn) as api:
            api.create_experiment("x", "X", [{"variation": "v", "percent": 100}])
            api.create_variation("x", "v")

    def kept(self) -> Outcome:
        """What is there; then it is removed. Every refusal counts, also one without a readable id."""
        stored = self.owner.execute("select id::text from awf.turn_events order by id").fetchall()
        refused = self.owner.execute(
            "select coalesce(event ->> 'id', substring(detail, 'line [0-9]+')), reason "
            "from awf.rejected_events"
        ).fetchall()
        assert len(dict(refused)) == len(refused), "refused twice"
        self.owner.execute("truncate awf.turn_events, awf.rejected_events, awf.ingest_log")
        return Outcome([row[0] for row in stored], dict(refused))


@pytest.fixture(scope="module")
def database(server: servers.Server) -> Iterator[Database]:
    server.create_database("t_bad_events", servers.TEMPLATE)
    made = Database(server.dsn_of("t_bad_events"))
    yield made
    made.owner.close()
    server.drop_database("t_bad_events")


# The ways in


def as_event(document: Changes) -> Event:
    """What a client makes of the fields; a game can put anything into them."""
    fields = {
        **document,
        "id": UUID(document["id"]).bytes,
        "player_hash": bytes.fromhex(document["player_hash"]),
    }
    fields["assignments"] = tuple(
        one.get("id") or (one["experiment"], one["variation"]) for one in document["assignments"]
    )
    return Event(**fields)


def by_writer(database: Database, documents: list[Changes]) -> Outcome:
    return write(database, [documents])


def by_writer_alone(database: Database, documents: list[Changes]) -> Outcome:
    """Nothing else in the batch sends it to the careful path."""
    return write(database, [[document] for document in documents])


def write(database: Database, batches: list[list[Changes]]) -> Outcome:
    writer = Writer(Source(database.writer_dsn, None, "test"))
    try:
        written = [writer.write([as_event(document) for document in batch]) for batch in batches]
    finally:
        writer.close()
    kept = database.kept()
    counts = sum(one.accepted for one in written), sum(one.rejected for one in written)
    assert counts == (len(kept.stored), len(kept.refused))
    return kept


def as_json(document: Changes) -> Changes:
    return document | {"ts": str(document["ts"])}


def by_record_turns(database: Database, documents: list[Changes]) -> Outcome:
    with psycopg.connect(database.writer_dsn, autocommit=True) as writer:
        counts = writer.execute(
            "select accepted, duplicate, rejected from awf.record_turns(%s)",
            [Jsonb([as_json(document) for document in documents])],
        ).fetchone()
    kept = database.kept()
    assert counts == (len(kept.stored), 0, len(kept.refused))
    return kept


def by_record_lines(database: Database, documents: list[Changes]) -> Outcome:
    lines = [document.get("line") or json.dumps(as_json(document)) for document in documents]
    with psycopg.connect(database.writer_dsn, autocommit=True) as writer:
        counts = writer.execute(
            "select accepted, duplicate, rejected from awf.record_lines(%s)", ["\n".join(lines)]
        ).fetchone()
    kept = database.kept()
    assert counts == (len(kept.stored), 0, len(kept.refused))
    # What cannot be read is known by the number of its line.
    numbered = {f"line {number}": document["id"] for number, document in enumerate(documents, start=1)}
    return Outcome(kept.stored, {numbered.get(id, id): reason for id, reason in kept.refused.items()})


def one_by_one(
    database: Database, documents: list[Changes], send: Callable[[Connection, Changes], object]
) -> Outcome:
    """The error names the reason, and nothing is kept."""
    refused = {}
    with psycopg.connect(database.writer_dsn, autocommit=True) as writer:
        for document in documents:
            try:
                send(writer, as_json(document))
            except psycopg.Error as error:
                if error.sqlstate != "WF201":
                    raise
                refused[document["id"]] = re.findall("event refused: ([a-z_]+):", str(error))[0]
    kept = database.kept()
    assert kept.refused == {}
    return Outcome(kept.stored, refused)


def by_record_turn(database: Database, documents: list[Changes]) -> Outcome:
    return one_by_one(
        database, documents, lambda writer, one: writer.execute("select awf.record_turn(%s)", [Jsonb(one)])
    )


def by_insert(database: Database, documents: list[Changes]) -> Outcome:
    def insert(writer: Connection, document: Changes) -> None:
        columns = ["id", "ts", "session_id", "player_hash", "world_ref", "adventure_ref", "locale"]
        row = {column: document[column] for column in columns}
        row["metrics"] = Jsonb(document["metrics"] | {"model": document["model"]})
        for one in document["assignments"]:
            row |= {"experiment_key": one["experiment"], "variation_key": one["variation"]}
        places = ", ".join(f"%({column})s" for column in row)
        writer.execute(f"insert into awf.analytics_events ({', '.join(row)}) values ({places})".encode(), row)

    return one_by_one(database, documents, insert)


Way = Callable[[Database, list[Changes]], Outcome]
WAYS: dict[Way, st.SearchStrategy[Bad]] = {
    by_writer: anywhere | in_python,
    by_writer_alone: anywhere | in_python,
    by_record_turns: anywhere | in_documents,
    by_record_lines: anywhere | in_lines,
    by_record_turn: anywhere | in_documents,
    # There is no column of attributes, and a time that cannot be read is refused by its column.
    by_insert: anywhere | in_rows,
}


class Batch:
    """What is sent, and what must become of each event: the reason, or `stored`. It is too long to show."""

    def __init__(self, documents: list[Changes], expected: dict[str, str]) -> None:
        self.documents, self.expected = documents, expected


@st.composite
def batches(draw: st.DrawFn, defects: st.SearchStrategy[Bad]) -> Batch:
    sent: list[tuple[Changes, str]] = []
    for _ in range(draw(st.integers(1, 6))):
        sent.append(({"id": new_id_text(), **draw(good)}, STORED))
    for _ in range(BAD_A_BATCH):
        defect = draw(defects)
        sent.append(({"id": new_id_text(), **draw(good), **defect.changes}, defect.reason))
    order = draw(st.permutations(range(len(sent))))
    return Batch([sent[place][0] for place in order], {one["id"]: reason for one, reason in sent})


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_each_event_gets_what_it_deserves(database: Database, way: Way) -> None:
    sent: Counter[str] = Counter()

    # A failure names the events in question, so there is no need to search for a smaller batch.
    @given(batches(WAYS[way]))
    @settings(max_examples=math.ceil(BAD_EVENTS / len(WAYS) / BAD_A_BATCH), phases=[Phase.generate])
    def check(batch: Batch) -> None:
        stored, refused = way(database, batch.documents)
        assert len(set(stored)) == len(stored)
        became = dict.fromkeys(stored, STORED) | refused
        wrong = [
            f"{became.get(one['id'], 'lost')} instead of {expected}: {one}"[:2000]
            for one in batch.documents
            if became.get(one["id"]) != (expected := batch.expected[one["id"]])
        ]
        assert not wrong, "\n".join(wrong)
        assert len(stored) + len(refused) == len(batch.documents)
        sent.update(batch.expected.values())

    check()
    assert sent.total() - sent[STORED] >= BAD_EVENTS / len(WAYS)
    assert len(sent) > 8, sent
