"""A copy of the configuration document on disk, for a start while the database is away."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

_log = logging.getLogger("awf.config")

_FORMAT = "awf-pg configuration 1"


class Kept(NamedTuple):
    """A document, and when it was saved, in seconds since 1970."""

    document: Any
    saved_at: float


class ConfigFile:
    """The file, which names its database: the document of another one would record wrong variations.

    Only its owner may read it, because overrides name units.
    """

    def __init__(self, path: Path, database: str) -> None:
        self.path = path
        self._database = database

    def load(self) -> Kept | None:
        """What is in the file, or None without one; an error says what is wrong with it."""
        try:
            held = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return None
        if not isinstance(held, dict) or held.get("format") != _FORMAT:
            raise ValueError("it is no copy of a configuration")
        if held["database"] != self._database:
            raise ValueError(f"it comes from {held['database']}, not from {self._database}")
        return Kept(held["config"], float(held["savedAt"]))

    def save(self, document: Any) -> None:
        """Replace the file as a whole; readers see the old one or the new one. A failure is logged."""
        held = {
            "format": _FORMAT,
            "database": self._database,
            "savedAt": time.time(),
            "config": document,
        }
        try:
            # The temporary file is made with mode 0600.
            handle, temporary = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
            try:
                with os.fdopen(handle, "w", encoding="ascii") as file:
                    json.dump(held, file)
                    file.flush()
                    os.fsync(handle)
                os.replace(temporary, self.path)
            except BaseException:
                os.unlink(temporary)
                raise
        except OSError as error:
            _log.warning("the configuration was not saved to %s: %s", self.path, error)
