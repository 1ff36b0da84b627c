"""Sticky assignments on the client's side: what a turn's units had before, and what they keep."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from awf_pg.evaluate import Evaluation, Evaluator, sticky_assignments

Document = dict[str, Any]
Unit = tuple[str, str]
"""An attribute, "session" or "player", and its value: a session id or a player hash."""

CACHE_UNITS = 10_000


class StickyCache:
    """The assignments of the units seen last, so that a session keeps its variation while this process lives.

    Nothing is lost when a unit falls out: the documents that a game keeps, and the database, remember longer.
    """

    def __init__(self, size: int = CACHE_UNITS) -> None:
        self._size = size
        self._held: OrderedDict[Unit, dict[str, str]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, unit: Unit) -> dict[str, str]:
        with self._lock:
            if unit not in self._held:
                return {}
            self._held.move_to_end(unit)
            return self._held[unit].copy()

    def put(self, unit: Unit, assignments: dict[str, str]) -> None:
        with self._lock:
            self._held[unit] = assignments.copy()
            self._held.move_to_end(unit)
            if len(self._held) > self._size:
                self._held.popitem(last=False)

    def leave_parent(self) -> None:
        """In a forked child: another thread of the parent may have held the lock."""
        self._lock = threading.Lock()


class Keeper:
    """One turn's sticky assignments: `earlier` for the evaluation, then the documents to keep."""

    def __init__(self, cache: StickyCache, units: Iterable[Unit], documents: Any) -> None:
        self._cache = cache
        self._held = {unit: cache.get(unit) | sticky_assignments(documents, [unit]) for unit in units}

    @property
    def earlier(self) -> Mapping[str, str]:
        merged: dict[str, str] = {}
        for assignments in self._held.values():
            merged |= assignments
        return merged

    def keep(self, evaluator: Evaluator, evaluation: Evaluation) -> list[Document]:
        """Remember what the turn was given, and return it with what its units had, in GrowthBook's form."""
        for (attribute, _), assignments in self._held.items():
            assignments.update(
                (name, variation)
                for name, variation in evaluation.sticky.items()
                if evaluator.sticky_attributes[name] == attribute
            )
        for unit, assignments in self._held.items():
            if assignments:
                self._cache.put(unit, assignments)
        return [
            {"attributeName": attribute, "attributeValue": value, "assignments": assignments}
            for (attribute, value), assignments in self._held.items()
            if assignments
        ]
