"""The loop that runs the jobs where there is no pg_cron.

A round goes through a list of tasks, and each does whatever is due. `Jobs` is the task that runs the jobs of
the database, each in a transaction of its own.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from awf_pg import archive
from awf_pg.admin import Api
from awf_pg.errors import AwfError, ServerUnreachable

EVERY_S = 5.0  # a look at what is due
BACK_OFF_MAX_S = 60.0


@dataclass(frozen=True)
class Run:
    """What came of a job; the fields are those of run_job()."""

    job: str
    outcome: str
    started_at: datetime | None = None
    duration_ms: Any = None
    rows: int | None = None
    code: str | None = None
    error: str | None = None

    @property
    def failed(self) -> bool:
        return self.outcome == "failed"


Task = Callable[[], Iterable[Run]]


class Bell:
    """Says once and for all that it is time to end. A signal handler may ring it: it takes no lock."""

    def __init__(self) -> None:
        self.rung = False
        self._hears, self._rings = os.pipe()

    def ring(self) -> None:
        self.rung = True
        os.write(self._rings, b"\0")

    def wait(self, seconds: float) -> None:
        """Sleep, but not on when it rings."""
        select.select([self._hears], [], [], seconds)

    def close(self) -> None:
        os.close(self._hears)
        os.close(self._rings)


class Jobs:
    """The jobs of a database that are due, one after the other."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def __call__(self) -> Iterator[Run]:
        for job in self._api.list_jobs():
            if job["due"]:
                run = Run(**self._api.run_job(job["name"], only_due=True, scheduler="awf-pg"))
                # Somebody else has run it since the list was made: nothing to tell.
                if run.outcome != "not due":
                    yield run


class Archive:
    """Writes days of events to Parquet files once a day; which days the setting events_keep_days says.

    What it did not get or could not do is tried again after an hour.
    """

    def __init__(self, api: Api, folder: Path, bell: Bell) -> None:
        self._api = api
        self._folder = folder
        self._bell = bell
        self._due = datetime.min.replace(tzinfo=UTC)

    def __call__(self) -> Iterator[Run]:
        started, began = datetime.now(UTC), time.monotonic()
        if started < self._due:
            return
        rows = code = error = None
        try:
            done = archive.run(self._api, None, self._folder, ended=lambda: self._bell.rung)
            rows = sum(one.action in ("archived", "dropped") for one in done)
            left = any(one.action in ("waits", "busy") for one in done)
        except ServerUnreachable:
            raise
        except AwfError as failure:
            left, code = True, failure.code
            more = "; ".join(filter(None, (failure.detail, failure.hint)))
            error = failure.message + (f" ({more})" if more else "")
        self._due = started + (timedelta(hours=1) if left else timedelta(days=1))
        duration_ms = (time.monotonic() - began) * 1000
        yield Run("archive", "failed" if code else "done", started, duration_ms, rows, code, error)


class Runner:
    """Runs rounds until the bell rings. Whatever the database refuses for the moment is tried again."""

    def __init__(
        self,
        tasks: Sequence[Task],
        bell: Bell,
        on_run: Callable[[Run], None],
        on_trouble: Callable[[str], None],
    ) -> None:
        self._tasks = tasks
        self._bell = bell
        self._on_run = on_run
        self._on_trouble = on_trouble

    def round(self) -> None:
        """One round; when the bell rings it ends with the job at work."""
        for task in self._tasks:
            for run in task():
                self._on_run(run)
                if self._bell.rung:
                    return

    def forever(self, every_s: float = EVERY_S) -> None:
        while not self._bell.rung:
            self._patiently()
            self._bell.wait(every_s)

    def _patiently(self) -> None:
        attempts = Retrying(
            retry=retry_if_exception(_passes),
            wait=wait_random_exponential(multiplier=1, max=BACK_OFF_MAX_S),
            sleep=self._bell.wait,
            stop=lambda _: self._bell.rung,
            before_sleep=self._say_why,
            retry_error_callback=lambda _: None,
        )
        attempts(self.round)
        if attempts.statistics["attempt_number"] > 1 and not self._bell.rung:
            self._on_trouble("going on")

    def _say_why(self, state: RetryCallState) -> None:
        assert state.outcome is not None
        error = state.outcome.exception()
        detail = f" ({error.detail})" if isinstance(error, AwfError) and error.detail else ""
        self._on_trouble(f"{error}{detail}; trying again".replace("\n", " "))


def _passes(error: BaseException) -> bool:
    """Whether it may go away by itself: a lost connection, a deadlock, a timeout; no lack of rights."""
    return isinstance(error, ServerUnreachable | psycopg.Error)
