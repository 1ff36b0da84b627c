"""An experiment for people: its state, its timeline, its layer, its variations and its overrides."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from awf_pg.admin import Api
from awf_pg.cli import output
from awf_pg.cli.output import Column
from awf_pg.errors import NotInstalled, PermissionDenied

Document = dict[str, Any]

# Many overrides are a list of their own.
_OVERRIDES_SHOWN = 20

_TIMELINE = (
    Column("phase", "phase"),
    Column("startAt", "from"),
    Column("endAt", "to"),
    Column("running", "running"),
    Column("coverage", "coverage"),
    Column("split", "variation, percent, range of the hash"),
)
_VARIATIONS = (Column("variationKey", "variation"), Column("percent", "percent"), Column("params", "params"))


def describe(api: Api, document: Document) -> str:
    """Everything there is to say about an experiment."""
    if "phases" not in document:
        raise NotInstalled(
            "the SQL core of the database is older than this command", hint="upgrade it with: awf-pg install"
        )
    return "\n\n".join(_parts(api, document))


def _parts(api: Api, document: Document) -> Iterator[str]:
    yield output.as_pairs(dict(_facts(document)))
    if document["phases"]:
        timeline = [_with_times(row) | {"split": _split(row)} for row in document["phases"]]
        yield _section("Timeline (UTC)", output.as_table(timeline, _TIMELINE))
    if document["layer"] is not None:
        slots = output.as_table(api.layer_map(document["layer"]), output.LAYER_MAP.shown)
        yield _section(f"Layer {document['layer']}", slots)
    if document["variations"]:
        percents = {entry["variation"]: entry["percent"] for entry in document["allocations"]}
        rows = [row | {"percent": percents.get(row["variationKey"])} for row in document["variations"]]
        yield _section("Variations", output.as_table(rows, _VARIATIONS))
    if document["overrides"]:
        yield _overrides(api, document)


def _facts(document: Document) -> Iterator[tuple[str, Any]]:
    for name in ("key", "name", "state", "phase", "revision", "owner", "hypothesis", "tags", "conclusion"):
        yield name, document[name] or None
    for name in ("startAt", "stopAt"):
        yield name, _time(document[name])
    for name in ("hashBasis", "hashSeed", "hashVersion", "coverage"):
        yield name, document[name]
    yield "allocations", allocations_of(document) or None
    yield "guardrails", document["guardrails"] or None
    yield "condition", output.to_json(document["condition"]) if document["condition"] else None
    if document["layer"] is not None:
        low, high = document["slots"]
        yield "layer", f"{document['layer']}, slots {low} up to {high}"
    for name in ("optIn", "sticky", "allowOverlap"):
        yield name, document[name]
    yield "ramp", ramp_of(document) or None


def allocations_of(document: Document) -> str:
    return ", ".join(f"{entry['variation']} {entry['percent']} %" for entry in document["allocations"])


def ramp_of(document: Document) -> str:
    return ", ".join(map(step_of, document["ramp"]))


def step_of(step: Document) -> str:
    when = _time(step.get("at"))
    return f"{step['coverage'] * 100:g} %" + ("" if when is None else f" at {when:%Y-%m-%d %H:%M}")


def _with_times(row: Document) -> Document:
    return row | {"startAt": _time(row["startAt"]), "endAt": _time(row["endAt"])}


def _split(row: Document) -> str:
    """One line a variation: what it should get, and where on the hash's way from 0 to 1 it lies."""
    return "\n".join(
        f"{entry['variation']} {entry['percent']} % [{low:g}, {high:g})"
        for entry, (low, high) in zip(row["allocations"], row["ranges"], strict=False)
    )


def _overrides(api: Api, document: Document) -> str:
    try:
        rows = api.list_overrides(document["key"])
    except PermissionDenied:  # A reader may know that there are some, but not the units.
        return _section("Overrides", f"{document['overrides']} units")
    table = output.as_table(rows[:_OVERRIDES_SHOWN], output.OVERRIDES.shown)
    more = len(rows) - _OVERRIDES_SHOWN
    if more > 0:
        table += f"\n{more} more: awf-pg experiment overrides {document['key']}"
    return _section("Overrides", table)


def _section(title: str, table: str) -> str:
    return f"{title}\n\n{table}"


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
