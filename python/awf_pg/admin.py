"""The functions of the SQL core as methods: one method is one function, with the same arguments.

Documents come back as dicts with camelCase keys, tables as lists of dicts with snake_case columns. An
argument left out or None takes the function's default.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from awf_pg.connect import Connection, Source
from awf_pg.errors import InvalidArgument, InvalidDateRange, translated

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

Document = dict[str, Any]
Rows = list[dict[str, Any]]
Notice = Callable[[str], None]
Moment = datetime | str
Day = date | str
Number = Decimal | int | float


class Api:
    """Calls the SQL functions over a connection of its own, opened at the first call, or over a pool's."""

    def __init__(
        self,
        dsn: str | None = None,
        *,
        pool: ConnectionPool[Any] | None = None,
        application_name: str = "awf-pg",
        on_notice: Notice | None = None,
    ) -> None:
        self._source = Source(dsn, pool, application_name)
        self._on_notice = on_notice

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> Any:
        self._source.close()

    @property
    def source(self) -> Source:
        """Where the connections come from: for COPY, which no function call can be."""
        return self._source

    # Install and operate

    def version(self) -> str:
        return str(self._value("version"))

    def migrate(self) -> Rows:
        return self._rows("migrate")

    def create_roles(self) -> None:
        self._rows("create_roles")

    def grant_usage(self, role: str, kind: str) -> None:
        self._rows("grant_usage", role, kind)

    def set_setting(self, name: str, value: Any) -> None:
        self._rows("set_setting", name, _json(value))

    def set_player_hash_key(self, key: str) -> None:
        self._rows("set_player_hash_key", key)

    # Experiments and variations

    def create_experiment(
        self,
        key: str,
        name: str,
        allocations: Any = None,
        hash_basis: str | None = None,
        guardrails: Any = None,
        start_at: Moment | None = None,
        stop_at: Moment | None = None,
        settings: Any = None,
    ) -> Document:
        return self._document(
            "create_experiment",
            _of_type("key", key, str),
            _of_type("name", name, str),
            p_allocations=_json(allocations),
            p_hash_basis=_of_type("hashBasis", hash_basis, str),
            p_guardrails=_json(guardrails),
            p_start_at=_of_type("startAt", start_at, str, datetime),
            p_stop_at=_of_type("stopAt", stop_at, str, datetime),
            p_settings=_json(settings),
        )

    def get_experiment(self, key: str) -> Document:
        return self._document("get_experiment", key)

    def list_experiments(self, status: str | None = None) -> Rows:
        return self._rows("list_experiments", p_status=status)

    def update_experiment(self, key: str, changes: Any, revision: int | None = None) -> Document:
        return self._document("update_experiment", key, _json(changes), p_revision=revision)

    def delete_experiment(self, key: str) -> None:
        self._rows("delete_experiment", key)

    def start_experiment(self, key: str, revision: int | None = None) -> Document:
        return self._document("start_experiment", key, p_revision=revision)

    def stop_experiment(self, key: str, conclusion: str | None = None) -> Document:
        return self._document("stop_experiment", key, p_conclusion=conclusion)

    def create_variation(
        self, experiment_key: str, variation_key: str, params: Any = None, revision: int | None = None
    ) -> Document:
        return self._document(
            "create_variation", experiment_key, variation_key, p_params=_json(params), p_revision=revision
        )

    def update_variation(
        self, experiment_key: str, variation_key: str, params: Any, revision: int | None = None
    ) -> Document:
        return self._document(
            "update_variation", experiment_key, variation_key, _json(params), p_revision=revision
        )

    def delete_variation(self, experiment_key: str, variation_key: str, revision: int | None = None) -> None:
        self._rows("delete_variation", experiment_key, variation_key, p_revision=revision)

    def list_variations(self, experiment_key: str) -> Rows:
        return self._rows("list_variations", experiment_key)

    def active_config(self) -> Document:
        return self._document("active_config")

    # Phases, ramps and overrides

    def open_phase(
        self, key: str, changes: Any = None, previous: str | None = None, revision: int | None = None
    ) -> Document:
        return self._document(
            "open_phase", key, p_changes=_json(changes), p_previous=previous, p_revision=revision
        )

    def list_phases(self, key: str) -> Rows:
        return self._rows("list_phases", key)

    def set_ramp(self, key: str, steps: Any, revision: int | None = None) -> Document:
        return self._document("set_ramp", key, _json(steps), p_revision=revision)

    def advance_ramp(self, key: str) -> Document:
        return self._document("advance_ramp", key)

    def set_override(
        self, key: str, unit_id: str, variation_key: str | None, note: str | None = None
    ) -> None:
        self._rows("set_override", key, unit_id, variation_key, p_note=note)

    def list_overrides(self, key: str) -> Rows:
        return self._rows("list_overrides", key)

    # Layers and templates

    def create_layer(
        self,
        key: str,
        hash_basis: str | None = None,
        description: str | None = None,
        holdout: Number | None = None,
    ) -> Document:
        return self._document(
            "create_layer",
            key,
            p_hash_basis=hash_basis,
            p_description=description,
            p_holdout=_numeric(holdout),
        )

    def list_layers(self) -> Rows:
        return self._rows("list_layers")

    def layer_map(self, key: str) -> Rows:
        return self._rows("layer_map", key)

    def set_holdout(self, layer_key: str, share: Number) -> None:
        self._rows("set_holdout", layer_key, _numeric(share))

    def delete_layer(self, key: str) -> None:
        self._rows("delete_layer", key)

    def list_templates(self) -> Rows:
        return self._rows("list_templates")

    def save_template(self, key: str, experiment_key: str, description: str | None = None) -> Document:
        return self._document("save_template", key, experiment_key, p_description=description)

    def delete_template(self, key: str) -> None:
        self._rows("delete_template", key)

    def create_from_template(
        self, template: str, key: str, name: str | None = None, changes: Any = None
    ) -> Document:
        return self._document(
            "create_from_template",
            template,
            _of_type("key", key, str),
            p_name=_of_type("name", name, str),
            p_changes=_json(changes),
        )

    # Assignment in the database

    def assign(
        self,
        experiment_key: str,
        session_id: str | None,
        player_hash: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        at: Moment | None = None,
        opted_in: bool | None = None,
    ) -> str | None:
        variation: str | None = self._value(
            "assign",
            experiment_key,
            session_id,
            p_player_hash=player_hash,
            p_attributes=_json(attributes),
            p_at=at,
            p_opted_in=opted_in,
        )
        return variation

    def explain_assignment(
        self,
        experiment_key: str,
        session_id: str | None,
        player_hash: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        at: Moment | None = None,
        opted_in: bool | None = None,
    ) -> Rows:
        return self._rows(
            "explain_assignment",
            experiment_key,
            session_id,
            p_player_hash=player_hash,
            p_attributes=_json(attributes),
            p_at=at,
            p_opted_in=opted_in,
        )

    def assign_many(
        self,
        key: str,
        units: Sequence[str],
        attributes: Mapping[str, Any] | None = None,
        at: Moment | None = None,
    ) -> Rows:
        return self._rows("assign_many", key, list(units), p_attributes=_json(attributes), p_at=at)

    def simulate_assignment(
        self, key: str, units: int | None = None, attributes: Mapping[str, Any] | None = None
    ) -> Rows:
        return self._rows("simulate_assignment", key, p_units=units, p_attributes=_json(attributes))

    def verify_assignments(self, key: str, grace: timedelta | str | None = None) -> Rows:
        return self._rows("verify_assignments", key, p_grace=grace)

    def turn_params(
        self,
        session_id: str | None,
        player_hash: str | None,
        defaults: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
        at: Moment | None = None,
        opted_in: bool | None = None,
        sticky: Any = None,
    ) -> Document:
        return self._document(
            "turn_params",
            session_id,
            player_hash,
            p_defaults=_json(defaults),
            p_attributes=_json(attributes),
            p_at=at,
            p_opted_in=opted_in,
            p_sticky=_json(sticky),
        )

    def in_namespace(self, value: str | None, namespace: Any) -> bool:
        return bool(self._value("in_namespace", value, _json(namespace)))

    def sticky_assignments(self, documents: Any, units: Any) -> Document:
        return self._document("sticky_assignments", _json(documents), _json(units))

    def hash_player(self, player_id: str) -> str:
        return str(self._value("hash_player", player_id))

    # Events, one call at a time; Awf.turn() and Awf.record() write them by the batch

    def record_turn(self, turn: Mapping[str, Any]) -> str:
        return str(self._value("record_turn", _json(turn)))

    def record_turns(self, turns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return self._rows("record_turns", _json(turns))[0]

    def record_lines(self, lines: str) -> dict[str, Any]:
        return self._rows("record_lines", lines)[0]

    def retry_rejected(self, reason: str | None = None, limit: int | None = None) -> dict[str, Any]:
        return self._rows("retry_rejected", p_reason=reason, p_limit=limit)[0]

    def dismiss_rejected(
        self, reason: str | None = None, before: Moment | None = None, dry_run: bool = False
    ) -> int:
        return int(self._value("dismiss_rejected", reason, before, dry_run))

    def open_source(self, name: str, digest: str) -> datetime:
        opened: datetime = self._value("open_source", name, digest)
        return opened

    def close_source(self, name: str, digest: str) -> None:
        self._rows("close_source", name, digest)

    # Erasure

    def forget_player(self, player_hash: str) -> dict[str, Any]:
        return self._rows("forget_player", player_hash)[0]

    def reapply_erasures(self) -> dict[str, Any]:
        return self._rows("reapply_erasures")[0]

    # Storage

    def ensure_partitions(self, first: Day | None = None, last: Day | None = None) -> Rows:
        return self._rows(
            "ensure_partitions",
            p_from=None if first is None else _day(first),
            p_to=None if last is None else _day(last),
        )

    def apply_retention(self, dry_run: bool = False, max_days: int | None = None) -> Rows:
        return self._rows("apply_retention", p_dry_run=dry_run, p_max_days=max_days)

    def storage_report(self, days_ahead: int | None = None) -> Rows:
        return self._rows("storage_report", p_days_ahead=days_ahead)

    # Jobs

    def list_jobs(self) -> Rows:
        return self._rows("list_jobs")

    def list_job_runs(self, job: str | None = None, limit: int | None = None) -> Rows:
        return self._rows("list_job_runs", p_job=job, p_limit=limit)

    def run_job(
        self, name: str, only_due: bool | None = None, scheduler: str | None = None
    ) -> dict[str, Any]:
        return self._rows("run_job", name, p_only_due=only_due, p_scheduler=scheduler)[0]

    def run_jobs(self) -> Rows:
        return self._rows("run_jobs")

    def set_job(
        self,
        name: str,
        enabled: bool | None = None,
        schedule: str | None = None,
        every: timedelta | str | None = None,
    ) -> None:
        self._rows("set_job", name, p_enabled=enabled, p_schedule=schedule, p_every=every)

    def schedule_jobs(self) -> Rows:
        return self._rows("schedule_jobs")

    def unschedule_jobs(self) -> Rows:
        return self._rows("unschedule_jobs")

    def cron_statements(self, role: str | None = None, remove: bool | None = None) -> list[str]:
        rows = self._rows("cron_statements", p_role=role, p_remove=remove)
        return [row["cron_statements"] for row in rows]

    # Rollups and reports

    def refresh_rollups(self) -> dict[str, Any]:
        return self._rows("refresh_rollups")[0]

    def rollup_daily(self, day: Day) -> Rows:
        return self._rows("rollup_daily", _day(day))

    def backfill(self, first: Day, last: Day) -> Rows:
        return self._rows("backfill", _day(first), _day(last))

    # Archive; awf_pg.archive writes and reads the files between these calls

    def archive_days(self, before: Day | None = None) -> Rows:
        return self._rows("archive_days", p_before=None if before is None else _day(before))

    def open_archive(self, day: Day) -> str | None:
        table: str | None = self._value("open_archive", _day(day))
        return table

    def close_archive(
        self, day: Day, file: str, rows: int, sha256: str, digest: str, format: int | None = None
    ) -> None:
        self._rows("close_archive", _day(day), file, rows, sha256, _numeric(Decimal(digest)), p_format=format)

    def drop_archived_day(self, day: Day, sha256: str) -> bool:
        return bool(self._value("drop_archived_day", _day(day), sha256))

    def attach_day(self, day: Day) -> dict[str, Any]:
        return self._rows("attach_day", _day(day))[0]

    def experiment_report(
        self,
        key: str,
        first: Day | None = None,
        last: Day | None = None,
        by: Sequence[str] | None = None,
        zone: str | None = None,
    ) -> Rows:
        return self._rows("experiment_report", key, **_asked_for(first, last, by, zone))

    def activity_report(
        self,
        first: Day | None = None,
        last: Day | None = None,
        by: Sequence[str] | None = None,
        zone: str | None = None,
    ) -> Rows:
        return self._rows("activity_report", **_asked_for(first, last, by, zone))

    def experiment_overview(self) -> Rows:
        return self._rows("experiment_overview")

    def daily_activity(self, days: int | None = None) -> Rows:
        return self._rows("daily_activity", p_days=days)

    def refresh_views(self) -> Rows:
        return self._rows("refresh_views")

    def analytics_stats(self) -> Document:
        return self._document("analytics_stats")

    def _document(self, function: str, *required: Any, **optional: Any) -> Document:
        document: Document = self._value(function, *required, **optional)
        return document

    def _value(self, function: str, *required: Any, **optional: Any) -> Any:
        (row,) = self._rows(function, *required, **optional)
        (value,) = row.values()
        return value

    def _rows(self, function: str, *required: Any, **optional: Any) -> Rows:
        given = {name: value for name, value in optional.items() if value is not None}
        arguments = [sql.Placeholder()] * len(required)
        named = [sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder()) for name in given]
        statement = sql.SQL("select * from awf.{}({})").format(
            sql.Identifier(function), sql.SQL(", ").join([*arguments, *named])
        )
        with (
            translated(self._source.target),
            self._source.transaction() as connection,
            self._notices(connection),
        ):
            cursor = psycopg.Cursor(connection, row_factory=dict_row)
            return cursor.execute(statement, [*required, *given.values()], prepare=False).fetchall()

    @contextmanager
    def _notices(self, connection: Connection) -> Iterator[None]:
        """Pass what the server says beside its answer on to the caller."""
        tell = self._on_notice
        if tell is None:
            yield
            return

        def handler(diagnostic: psycopg.errors.Diagnostic) -> None:
            parts = (diagnostic.message_primary, diagnostic.message_detail, diagnostic.message_hint)
            tell("\n".join(part for part in parts if part))

        connection.add_notice_handler(handler)
        try:
            yield
        finally:
            connection.remove_notice_handler(handler)


def _json(value: Any) -> Jsonb | None:
    return None if value is None else Jsonb(value, dumps=_dumps)


def _dumps(value: Any) -> str:
    """JSON in which a Decimal is a number with all its digits."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{json.dumps(str(name))}: {_dumps(item)}" for name, item in value.items()) + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_dumps, value)) + "]"
    return json.dumps(value)


def _numeric(value: Number | None) -> Decimal | None:
    """PostgreSQL takes no double for a numeric argument."""
    return None if value is None else Decimal(str(value))


def _of_type(name: str, value: Any, *types: type) -> Any:
    """The value; of another type, PostgreSQL would look in vain for a function that takes it."""
    if value is None or isinstance(value, types):
        return value
    raise InvalidArgument(
        f"{name} must be a text, not {value!r}", hint=f'in JSON a text stands in quotes: {name}="..."'
    )


def _asked_for(
    first: Day | None, last: Day | None, by: Sequence[str] | None, zone: str | None
) -> dict[str, Any]:
    """The arguments that the reports share."""
    return {
        "p_from": None if first is None else _day(first),
        "p_to": None if last is None else _day(last),
        "p_by": None if by is None else list(by),
        "p_zone": zone,
    }


def _day(value: Day) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise InvalidDateRange(
            f"{value!r} is not a date", detail=str(error), hint="write it as YYYY-MM-DD"
        ) from None
