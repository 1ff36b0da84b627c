"""The rollups, and the same counted straight from the events: written apart from the refresh, slow and plain.

Valid where every experiment stands, no event waits for a refresh, and no day's events are gone.
"""

from __future__ import annotations

from typing import Any

import psycopg

# What becomes of an event: a row for each metric that it carries, in stored units.
_MEASURED = """
measured as (
    select e.*, m.id as metric_id, x.value
    from (select t.*, to_jsonb(t) as document from awf.turn_events as t offset 0) as e
    cross join awf.metrics as m
    cross join lateral (
        select case when m.id = 0 then e.failed::integer else (e.document ->> m.column_name)::bigint end
    ) as x (value)
    where x.value is not null
)"""
_EACH_VARIATION = """
cross join lateral (
    select 0 as variation_id union select v.id from awf.variation_ids as v where v.id = any (e.assignments)
) as v"""
_TOTALS = "count(*), sum(e.value), sum(e.value::numeric * e.value), min(e.value), max(e.value)"


def _kept(table: str, keys: str) -> str:
    """A row for each metric that a row of totals has."""
    return (
        f"select {keys}, (u.place - 1)::integer as metric_id, u.n, u.sum, u.sum_squares, u.min, u.max"
        f" from awf.{table} as t"
        " cross join lateral unnest(t.n, t.sum, t.sum_squares, t.min, t.max)"
        " with ordinality as u (n, sum, sum_squares, min, max, place) where u.n <> 0"
    )


def _totals(*keys: str) -> str:
    numbers = ", ".join(map(str, range(1, len(keys) + 2)))
    return (
        f"with {_MEASURED} select v.variation_id, {', '.join(keys)}, e.metric_id, {_TOTALS}"
        f" from measured as e {_EACH_VARIATION} group by {numbers}, e.metric_id"
    )


# The unit of each experiment and phase that an event carries.
_CARRIED = """
carried as (
    select
        e.*, v.id as variation_id, v.experiment_id, v.phase, p.hash_basis,
        case p.hash_basis when 'player' then encode(e.player_hash, 'hex') else e.session_id end as unit_id
    from measured as e
    inner join awf.variation_ids as v on v.id = any (e.assignments)
    inner join awf.experiments as p on p.id = v.experiment_id
)"""
_UNITS = """
units as (
    select variation_id, experiment_id, phase, hash_basis, unit_id, metric_id,
        count(*)::numeric as d, sum(value)::numeric as m
    from carried group by 1, 2, 3, 4, 5, 6
)"""
_HISTORIES = """
first_days as (
    select experiment_id, phase, unit_id, min((ts at time zone 'UTC')::date) as day
    from carried group by 1, 2, 3
),
histories as (
    select
        u.variation_id, m.id as metric_id,
        coalesce(y.d, 0) as d, coalesce(y.m, 0) as m, x.d as xd, x.m as xm
    from (
        select distinct variation_id, experiment_id, phase, unit_id from units where hash_basis = 'player'
    ) as u
    inner join first_days as f using (experiment_id, phase, unit_id)
    cross join awf.metrics as m
    left join units as y on y.variation_id = u.variation_id and y.unit_id = u.unit_id and y.metric_id = m.id
    cross join lateral (
        select count(*)::numeric as d, sum(e.value)::numeric as m
        from measured as e
        where encode(e.player_hash, 'hex') = u.unit_id and e.metric_id = m.id
            and (e.ts at time zone 'UTC')::date >= f.day
                - (select (value #>> '{}')::integer from awf.settings where name = 'history_days')
            and (e.ts at time zone 'UTC')::date < f.day
    ) as x
    where x.d > 0
)"""

_BUCKET = """
case when e.value = 0 then -1 else ceil(ln(e.value::double precision) / ln(1.01::double precision / 0.99)) end
"""


def _histogram(period: str, start: str) -> str:
    return f"""
    select
        v.variation_id, '{period}', ({start})::text as start, e.locale_id, e.metric_id,
        {_BUCKET} as bucket, count(*)
    from measured as e {_EACH_VARIATION}
    where e.metric_id between 1 and 5
    group by 1, 3, 4, 5, 6"""


_METRICS = "select id, column_name from awf.metrics where id > 0 order by id"

_DAY = "(e.ts at time zone 'UTC')::date"
_PERIODS = {"day": _DAY, "month": f"date_trunc('month', {_DAY})::date", "run": "'-infinity'::date"}

ROLLUPS: dict[str, tuple[str, str]] = {
    "daily_totals": (
        _kept("daily_totals", "variation_id, day, world_id, locale_id"),
        _totals(_DAY, "e.world_id", "e.locale_id"),
    ),
    "dimension_totals": (
        _kept("dimension_totals", "variation_id, day, kind, dimension_id"),
        "("
        + _totals(_DAY, "'adventure'", "e.adventure_id")
        + ") union all ("
        + _totals(_DAY, "'model'", "coalesce(e.model_id, 0)")
        + ")",
    ),
    "hourly_totals": (
        _kept("hourly_totals", "variation_id, hour, locale_id"),
        _totals("date_trunc('hour', e.ts, 'UTC')", "e.locale_id"),
    ),
    "locale_totals": (
        _kept("locale_totals", "variation_id, period, start::text, locale_id"),
        " union all ".join(
            "(" + _totals(f"'{period}'", f"({start})::text", "e.locale_id") + ")"
            for period, start in _PERIODS.items()
        ),
    ),
    "histograms": (
        "select h.variation_id, h.period, h.start::text, h.locale_id, h.metric_id, u.bucket, u.n"
        " from awf.histograms as h cross join lateral unnest(h.buckets, h.counts) as u (bucket, n)",
        f"with {_MEASURED}"
        + " union all ".join(_histogram(period, start) for period, start in _PERIODS.items()),
    ),
    "crossovers": (
        "select experiment_id, unit_id, phase, variation_id, first_ts, event_id, player_hash"
        " from awf.crossovers",
        f"with {_MEASURED}, {_CARRIED}, firsts as ("
        " select distinct on (experiment_id, unit_id, phase, variation_id)"
        " experiment_id, unit_id, phase, variation_id, ts, id, player_hash"
        " from carried where metric_id = 0"
        " order by experiment_id, unit_id, phase, variation_id, ts, id)"
        " select f.* from firsts as f where exists (select from firsts as o"
        " where o.experiment_id = f.experiment_id and o.unit_id = f.unit_id and o.phase = f.phase"
        " and o.variation_id <> f.variation_id)",
    ),
    "exposure_days": (
        "select variation_id, day, locale_id, units from awf.exposure_days",
        f"with {_MEASURED}, {_CARRIED}, firsts as ("
        " select distinct on (experiment_id, unit_id, phase) variation_id, ts, locale_id"
        " from carried where metric_id = 0 order by experiment_id, unit_id, phase, ts, id, variation_id)"
        " select variation_id, (ts at time zone 'UTC')::date, locale_id, count(*)"
        " from firsts group by 1, 2, 3",
    ),
    "unit_totals": (
        "select variation_id, unit_id, day, world_id, locale_id, player_hash, x.metric_id, x.d, x.m"
        " from awf.unit_totals as t {spread} where x.d <> 0",
        f"with {_MEASURED}, {_CARRIED}"
        " select variation_id, unit_id, (ts at time zone 'UTC')::date, world_id, locale_id, player_hash,"
        " metric_id, count(*), sum(value) from carried group by 1, 2, 3, 4, 5, 6, 7",
    ),
    "player_days": (
        "select player_hash, day, x.metric_id, x.d, x.m from awf.player_days as t {spread} where x.d <> 0",
        f"with {_MEASURED} select player_hash, {_DAY}, metric_id, count(*), sum(value)"
        " from measured as e group by 1, 2, 3",
    ),
    "experiment_moments": (
        "select variation_id, metric_id, units, sum_d, sum_m, sum_dd, sum_dm, sum_mm"
        " from awf.experiment_moments where units > 0",
        f"with {_MEASURED}, {_CARRIED}, {_UNITS}"
        " select variation_id, metric_id, count(*), sum(d), sum(m), sum(d * d), sum(d * m), sum(m * m)"
        " from units group by 1, 2",
    ),
    "history_moments": (
        "select variation_id, metric_id, units, sum_xd, sum_xm, sum_xd_xd, sum_xd_xm, sum_xm_xm,"
        " sum_d_xd, sum_d_xm, sum_m_xd, sum_m_xm from awf.history_moments where units > 0",
        f"with {_MEASURED}, {_CARRIED}, {_UNITS}, {_HISTORIES}"
        " select variation_id, metric_id, count(*), sum(xd), sum(xm), sum(xd * xd), sum(xd * xm),"
        " sum(xm * xm), sum(d * xd), sum(d * xm), sum(m * xd), sum(m * xm) from histories group by 1, 2",
    ),
}
"""For each rollup: what is kept, and the recount; rows of the same columns in any order."""

Connection = psycopg.Connection[tuple[Any, ...]]


def assert_equal(connection: Connection) -> None:
    """Every rollup equals the recount of the events."""
    connection.execute("set jit = off")  # It would take longer to compile a recount than to run it.
    columns = connection.execute(_METRICS).fetchall()
    values = ", ".join(f"({id}, t.{name}_count, t.{name}_sum)" for id, name in columns)
    spread = f"cross join lateral (values (0, t.turns, t.failed_turns), {values}) as x (metric_id, d, m)"
    for name, (kept, recount) in ROLLUPS.items():
        rows = connection.execute(kept.replace("{spread}", spread).encode()).fetchall()
        counted = connection.execute(recount.encode()).fetchall()
        stale, missing = set(rows) - set(counted), set(counted) - set(rows)
        assert not stale, f"{name}: {len(stale)} of {len(rows)} rows are wrong, such as {_some(stale)}"
        assert not missing, (
            f"{name}: {len(missing)} of {len(counted)} rows are missing, such as {_some(missing)}"
        )
        assert len(rows) == len(counted), f"{name}: a row stands twice"


def _some(rows: set[tuple[Any, ...]]) -> str:
    return "; ".join(sorted(map(str, rows))[:2])
