"""The configuration document, kept in memory and renewed from a background thread."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from awf_pg.connect import Source, execute
from awf_pg.evaluate import EMPTY_CONFIG, Evaluator

_log = logging.getLogger("awf.config")

REFRESH_S = 60.0

_RETRY_FIRST_S = 1.0


class ConfigCache:
    """Holds an evaluator of the newest document; before the first one arrives, of an empty one.

    The first document is asked for in the constructor. If that fails, turns run on their defaults until a
    later attempt succeeds; if a later attempt fails, the document at hand stays in force.
    """

    def __init__(self, source: Source, *, refresh_s: float = REFRESH_S) -> None:
        self.evaluator = Evaluator(EMPTY_CONFIG)
        self._source = source
        self._refresh_s = refresh_s
        self._loaded_at: float | None = None
        self._error: str | None = None
        self._failures = 0
        self._stop = threading.Event()
        self.refresh()
        self._thread = threading.Thread(target=self._run, name="awf-config", daemon=True)
        self._thread.start()

    def refresh(self) -> bool:
        """Fetch the document; False when that failed. Whatever is wrong with it, turns go on."""
        try:
            evaluator = Evaluator(self._fetch())
        except Exception as error:
            self._failures += 1
            self._error = str(error)
            _log.warning("the configuration was not loaded: %s", error)
            return False
        if evaluator.revision != self.evaluator.revision:
            _log.info("configuration revision %d", evaluator.revision)
        self.evaluator = evaluator
        self._loaded_at = time.monotonic()
        self._failures, self._error = 0, None
        return True

    def stats(self) -> dict[str, Any]:
        loaded_at = self._loaded_at
        return {
            "config_loaded": loaded_at is not None,
            "config_revision": self.evaluator.revision if loaded_at is not None else None,
            "config_age_seconds": round(time.monotonic() - loaded_at, 1) if loaded_at is not None else None,
            "config_error": self._error,
        }

    def close(self) -> None:
        self._stop.set()
        self._thread.join(1)

    def _fetch(self) -> Any:
        try:
            with self._source.transaction() as connection:
                row = execute(connection, "select awf.active_config()").fetchone()
        finally:
            # Once a minute is not worth a connection held open.
            self._source.close()
        assert row is not None
        return row[0]

    def _run(self) -> None:
        while not self._stop.wait(self._pause()):
            self.refresh()

    def _pause(self) -> float:
        if self._failures == 0:
            return self._refresh_s
        return min(self._refresh_s, _RETRY_FIRST_S * 2.0 ** (self._failures - 1))
