"""An event: what is recorded about one turn."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from numbers import Integral, Real
from typing import Any
from uuid import UUID

import uuid_utils

from awf_pg.errors import InvalidEvent

METRICS: dict[str, str] = {
    "turnLatencyMs": "turn_latency_us",
    "modelLatencyMs": "model_latency_us",
    "bundleMs": "bundle_us",
    "bundleTokens": "bundle_tokens",
    "outputTokens": "output_tokens",
    "retries": "retries",
    "fallbacks": "fallbacks",
    "toolCalls": "tool_calls",
    "acts": "acts",
    "choices": "choices",
    "timeAdvanceTicks": "time_advance_ticks",
}
"""The standard metrics and their columns, in the order of the columns."""

Assignment = int | tuple[str, str]
"""A variation: its id, or the keys of its experiment and itself."""


# A child process would make the same ids as its parent.
os.register_at_fork(after_in_child=uuid_utils.reseed_rng)


def new_id() -> bytes:
    """A UUIDv7: ids made one after another lie close together in the key's index."""
    return uuid_utils.uuid7().bytes


@dataclass(slots=True)
class Event:
    """One turn. It keeps its id and its time for ever, so a batch sent twice is stored once."""

    session_id: str
    player_hash: bytes
    world_ref: str
    adventure_ref: str
    locale: str = "en-US"
    model: str | None = None
    assignments: tuple[Assignment, ...] = ()
    metrics: dict[str, float | bool] = field(default_factory=dict)
    attributes: dict[str, str | float | bool] = field(default_factory=dict)
    failed: bool = False
    ts: datetime = field(default_factory=lambda: datetime.now(UTC))
    id: bytes = field(default_factory=new_id)

    @property
    def id_text(self) -> str:
        return str(UUID(bytes=self.id))

    def to_json(self) -> dict[str, Any]:
        """The event as a document, keys as `awf.record_turn()` takes them."""
        return {
            "id": self.id_text,
            "ts": self.ts.isoformat(),
            "session_id": self.session_id,
            "player_hash": self.player_hash.hex(),
            "world_ref": self.world_ref,
            "adventure_ref": self.adventure_ref,
            "locale": self.locale,
            "model": self.model,
            "assignments": [
                {"id": one} if isinstance(one, int) else {"experiment": one[0], "variation": one[1]}
                for one in self.assignments
            ],
            "attributes": self.attributes,
            "metrics": {**self.metrics, "failed": self.failed},
        }


def event_from_json(document: Mapping[str, Any]) -> Event:
    """The event that `to_json()` made a document of, exactly; nothing is checked."""
    metrics = dict(document["metrics"])
    failed = metrics.pop("failed")
    return Event(
        session_id=document["session_id"],
        player_hash=bytes.fromhex(document["player_hash"]),
        world_ref=document["world_ref"],
        adventure_ref=document["adventure_ref"],
        locale=document["locale"],
        model=document["model"],
        assignments=tuple(
            one["id"] if "id" in one else (one["experiment"], one["variation"])
            for one in document["assignments"]
        ),
        metrics=metrics,
        failed=failed,
        attributes=document["attributes"],
        ts=datetime.fromisoformat(document["ts"]),
        id=UUID(document["id"]).bytes,
    )


_SNAKE_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])")


def field_name(key: str) -> str:
    """The field that a key names, in snake_case, camelCase or any other case."""
    return _SNAKE_CASE.sub("_", key).lower()


def metric_name(name: str) -> str:
    """The name that a metric is stored under: a standard one may also be given in snake_case."""
    if not isinstance(name, str):
        raise TypeError(f"a metric is named by a str, not {type(name).__name__}")
    return _STANDARD.get(name, name)


def metric_value(name: str, value: Any) -> float | bool:
    """A metric's value as a plain number or boolean; TypeError for anything else."""
    if isinstance(value, bool):
        if name in METRICS:
            raise TypeError(f"metric {name} takes a number, not {value!r}")
        return value
    if isinstance(value, int | float):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real | Decimal):
        return float(value)
    allowed = "a number" if name in METRICS else "a number or a boolean"
    raise TypeError(f"metric {name} takes {allowed}, not {value!r}")


def kept_attributes(attributes: Mapping[str, Any], names: Iterable[str]) -> dict[str, str | float | bool]:
    """Those of the names that have a short text, a number or a boolean; the others are left out.

    Nothing that the database would refuse: an attribute must not cost the event.
    """
    kept: dict[str, str | float | bool] = {}
    room = _ATTRIBUTES_MAX_BYTES
    for name in names:
        value: Any = attributes.get(name)
        if isinstance(value, str):
            fits = len(value) <= _ATTRIBUTE_MAX_CHARS and value.isprintable()
        else:
            fits = isinstance(value, int | float) and abs(value) < _ATTRIBUTE_MAX_NUMBER
        # With its escapes it is no shorter than what the database counts.
        if fits and (room := room - len(json.dumps({name: value}))) >= 0:
            kept[name] = value
    return kept


_ATTRIBUTE_MAX_CHARS = 100
_ATTRIBUTE_MAX_NUMBER = 1e15
_ATTRIBUTES_MAX_BYTES = 2000  # the database takes 2,048


def event_from_mapping(source: Mapping[str, Any], hash_player: Callable[[str], bytes]) -> Event:
    """An event; keys are the columns of `analytics_events`, also in camelCase. A player id is hashed at once.

    Types are checked here, because a wrong one cannot be sent; the rules for values are the database's.
    """
    for key in source:
        if not isinstance(key, str):
            raise TypeError(f"the fields of an event are named by a str, not {type(key).__name__}")
    fields = {field_name(key): value for key, value in source.items() if value is not None}
    for key in fields:
        if key not in _FIELDS:
            raise InvalidEvent(f"unknown field {key!r}", hint=f"known fields: {', '.join(sorted(_FIELDS))}")
    metrics, failed, model = _metrics(fields.get("metrics", {}))
    event = Event(
        session_id=_text(fields, "session_id"),
        player_hash=_player_hash(fields, hash_player),
        world_ref=_text(fields, "world_ref"),
        adventure_ref=_text(fields, "adventure_ref"),
        locale=_text(fields, "locale", "en-US"),
        model=_text(fields, "model") if "model" in fields else model,
        assignments=_assignments(fields),
        metrics=metrics,
        failed=failed,
        attributes=_attributes(fields.get("attributes", {})),
    )
    if "ts" in fields:
        event.ts = _instant(fields["ts"])
    if "id" in fields:
        event.id = _uuid(fields["id"])
    return event


_STANDARD = {field_name(name): name for name in METRICS}
_FIELDS = {
    "id", "ts", "session_id", "player_hash", "player_id", "world_ref", "adventure_ref", "locale", "model",
    "experiment_key", "variation_key", "assignments", "metrics", "attributes", "created_at",
}  # fmt: skip


def _text(fields: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = fields.get(key, default)
    if value is None:
        raise InvalidEvent(f"{key} is missing")
    if not isinstance(value, str):
        raise InvalidEvent(f"{key} must be a text, not {value!r}")
    return value


def _player_hash(fields: Mapping[str, Any], hash_player: Callable[[str], bytes]) -> bytes:
    if "player_hash" not in fields:
        if "player_id" not in fields:
            raise InvalidEvent("player_hash is missing", hint="give player_hash (64 hex digits) or player_id")
        player_id = _text(fields, "player_id")
        if not player_id:
            raise InvalidEvent("player_id is empty", hint="give player_hash (64 hex digits) or player_id")
        return hash_player(player_id)
    text = _text(fields, "player_hash")
    if not re.fullmatch("[0-9a-fA-F]{64}", text):
        # The value is not repeated: it may be a raw player id put into the wrong field.
        raise InvalidEvent("player_hash must be 64 hex digits", hint="give a raw id as player_id")
    return bytes.fromhex(text)


def _metrics(given: Any) -> tuple[dict[str, float | bool], bool, str | None]:
    """The metrics, and the two that have columns of another kind: failed and model."""
    if not isinstance(given, Mapping):
        raise InvalidEvent(f"metrics must be an object, not {given!r}")
    try:
        metrics = {metric_name(name): value for name, value in given.items() if value is not None}
        failed = metrics.pop("failed", False)
        if not isinstance(failed, bool):
            raise InvalidEvent(f"metric failed must be true or false, not {failed!r}")
        model = _text(metrics, "model") if "model" in metrics else None
        metrics.pop("model", None)
        return {name: metric_value(name, value) for name, value in metrics.items()}, failed, model
    except TypeError as error:
        raise InvalidEvent(str(error)) from None


def _attributes(given: Any) -> dict[str, str | float | bool]:
    if not isinstance(given, Mapping):
        raise InvalidEvent(f"attributes must be an object, not {given!r}")
    for name, value in given.items():
        if not isinstance(name, str) or not isinstance(value, str | int | float | None):
            raise InvalidEvent(f"attribute {name} must be a text, a number or a boolean, not {value!r}")
    return {name: value for name, value in given.items() if value is not None}


def _assignments(fields: Mapping[str, Any]) -> tuple[Assignment, ...]:
    given = fields.get("assignments")
    if given is None:
        if "experiment_key" not in fields and "variation_key" not in fields:
            return ()
        return ((_text(fields, "experiment_key"), _text(fields, "variation_key")),)
    if not isinstance(given, list | tuple) or not all(isinstance(item, Mapping) for item in given):
        raise InvalidEvent(f"assignments must be a list of objects, not {given!r}")
    return tuple((_text(item, "experiment"), _text(item, "variation")) for item in given)


def _instant(value: Any) -> datetime:
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise InvalidEvent(f"ts must be a timestamp, not {value!r}") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _uuid(value: Any) -> bytes:
    try:
        return (value if isinstance(value, UUID) else UUID(value)).bytes
    except (AttributeError, TypeError, ValueError):
        raise InvalidEvent(f"id must be a UUID, not {value!r}") from None
