"""Made-up events for the measurements: a game with 20 worlds, 100 adventures, 12 locales and 4 models."""

from __future__ import annotations

from typing import Any

import psycopg

Connection = psycopg.Connection[Any]

DAY = "2025-01-15"

DICTIONARIES = """
insert into awf.dimensions (kind, value)
select k.kind, k.kind || '-' || n
from (values ('world', 20), ('adventure', 100), ('model', 4)) as k (kind, many)
cross join lateral generate_series(1, k.many) as n
order by k.kind, n;
insert into awf.dimensions (kind, value)
select 'locale', 'en-' || chr(65 + n) || chr(65 + n) from generate_series(0, 11) as n;
"""

# What the direct path copies into a partition.
DIRECT = (
    "ts, id, session_id, player_hash, world_id, adventure_id, locale_id, model_id, assignments, failed, "
    "turn_latency_us, model_latency_us, bundle_us, bundle_tokens, output_tokens, retries, fallbacks, "
    "tool_calls, acts, choices, time_advance_ticks"
)

# What the careful path copies into the staging table: texts and longer integers.
CAREFUL = DIRECT.replace(
    "world_id, adventure_id, locale_id, model_id", "world_ref, adventure_ref, locale, model"
)

PLAIN = "id, ts, session_id, player_hash, world_ref, adventure_ref, locale, metrics"

_EVENTS = f"""
select
    timestamptz '{DAY} 00:00:00+00' + n * interval '400 ms' as ts,
    gen_random_uuid() as id,
    'session-' || n / 10 as session_id,
    sha256(convert_to('player-' || n % 5000, 'UTF8')) as player_hash,
    'world-' || 1 + n / 10 % 20 as world_ref,
    'adventure-' || 1 + n / 10 % 100 as adventure_ref,
    'en-' || chr(65 + n / 10 % 12) || chr(65 + n / 10 % 12) as locale,
    'model-' || 1 + n % 4 as model,
    array[1 + n / 10 % 2] as assignments, false as failed,
    800000 + n % 1000000 as turn_latency_us, 700000 + n % 900000 as model_latency_us,
    40000 + n % 9000 as bundle_us, 1200 + n % 300 as bundle_tokens, 300 + n % 1000 as output_tokens,
    0 as retries, 0 as fallbacks, n % 8 as tool_calls, n % 6 as acts, n % 4 as choices,
    1 as time_advance_ticks
from generate_series({{first}}, {{last}}) as n
"""

_METRICS = """jsonb_build_object(
    'turnLatencyMs', turn_latency_us / 1000.0, 'modelLatencyMs', model_latency_us / 1000.0,
    'bundleMs', bundle_us / 1000.0, 'bundleTokens', bundle_tokens, 'outputTokens', output_tokens,
    'retries', retries, 'fallbacks', fallbacks, 'toolCalls', tool_calls, 'acts', acts, 'choices', choices,
    'timeAdvanceTicks', time_advance_ticks
)"""

_AS_DIRECT = f"""
select
    ts, e.id, session_id, player_hash, w.id, a.id, l.id, m.id,
    {DIRECT.partition("model_id, ")[2]}
from ({_EVENTS}) as e
inner join awf.dimensions as w on w.kind = 'world' and w.value = e.world_ref
inner join awf.dimensions as a on a.kind = 'adventure' and a.value = e.adventure_ref
inner join awf.dimensions as l on l.kind = 'locale' and l.value = e.locale
inner join awf.dimensions as m on m.kind = 'model' and m.value = e.model
order by ts
"""

_AS_CAREFUL = f"""
select
    {CAREFUL.partition("turn_latency_us")[0]}
    turn_latency_us::bigint, model_latency_us::bigint, bundle_us::bigint, bundle_tokens::bigint,
    output_tokens::bigint, retries::bigint, fallbacks::bigint, tool_calls::bigint, acts::bigint,
    choices::bigint, time_advance_ticks::bigint
from ({_EVENTS}) as e
"""

_AS_PLAIN = f"""
select
    id, ts, session_id, encode(player_hash, 'hex'), world_ref, adventure_ref, locale, {_METRICS}
from ({_EVENTS}) as e
"""

_AS_JSON = f"""
select jsonb_agg(jsonb_build_object(
    'id', id, 'ts', ts, 'session_id', session_id, 'player_hash', encode(player_hash, 'hex'),
    'world_ref', world_ref, 'adventure_ref', adventure_ref, 'locale', locale, 'model', model,
    'metrics', {_METRICS}
))::text
from ({_EVENTS}) as e
"""

_COPIES = {DIRECT: _AS_DIRECT, CAREFUL: _AS_CAREFUL, PLAIN: _AS_PLAIN}


def batches_for(connection: Connection, columns: str, rows: int, size: int) -> list[bytes]:
    """Batches for COPY, binary, ready to be sent."""
    batches = []
    for first in range(0, rows, size):
        query = _COPIES[columns].format(first=first, last=min(first + size, rows) - 1)
        with connection.cursor().copy(f"copy ({query}) to stdout (format binary)".encode()) as copy:
            batches.append(b"".join(bytes(part) for part in copy))
    return batches


def documents_for(connection: Connection, rows: int, size: int) -> list[str]:
    """Arrays of event documents."""
    documents = []
    for first in range(0, rows, size):
        query = _AS_JSON.format(first=first, last=min(first + size, rows) - 1)
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        documents.append(str(row[0]))
    return documents


def send(connection: Connection, table: str, columns: str, batch: bytes) -> None:
    """COPY one batch."""
    with connection.cursor().copy(f"copy {table} ({columns}) from stdin (format binary)".encode()) as copy:
        copy.write(batch)
