"""One player turn: what to play it with, and what it measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from math import isfinite
from types import TracebackType
from typing import Any, Literal, Self

from awf_pg.evaluate import Evaluation, Exposure, Invalid, Params
from awf_pg.event import Event, metric_name, metric_value


class Turn:
    """A turn, made by `Awf.turn()`; it is recorded when its block ends.

        with awf.turn(session_id=..., player_id=..., world_ref=..., adventure_ref=...) as turn:
            answer = play(turn.params)
            turn.metrics(outputTokens=answer.tokens, retries=answer.retries)

    `params` are what to play it with, `exposures` the variations that it counts for, `forced` those of an
    override, which it plays with and does not count for, `invalid` the values that were not used as given.
    `sticky` are documents for the game to keep, and to pass to the next turn of the session or player, in
    GrowthBook's form: {"attributeName": "session" or "player", "attributeValue", "assignments"}.

    `async with` does the same; nothing of a turn waits for anything. An exception inside the block records a
    failed turn and goes on its way. A turn has one block; a second raises RuntimeError.

    What it cannot record is no error in the game: a metric that is no number, or anything that is set after
    the end of the block. It is left out, counted in `Awf.stats()`, and the log `awf.turn` says so once a
    minute.
    """

    __slots__ = (
        "_ended",
        "_entered",
        "_event",
        "_left_out",
        "_metrics",
        "_record",
        "_started_ns",
        "exposures",
        "forced",
        "invalid",
        "params",
        "sticky",
    )

    def __init__(
        self,
        event: Event,
        evaluation: Evaluation,
        sticky: list[dict[str, Any]],
        record: Callable[[Turn, Event], None],
        left_out: Callable[[str, str], None],
    ) -> None:
        self.params: Params = evaluation.params
        self.exposures: list[Exposure] = evaluation.exposures
        self.forced: list[Exposure] = evaluation.forced
        self.invalid: list[Invalid] = evaluation.invalid
        self.sticky = sticky
        self._event = event
        self._metrics: dict[str, float | bool | None] = {}
        self._record = record
        self._left_out = left_out
        self._entered = self._ended = False
        self._started_ns = time.perf_counter_ns()

    def metrics(self, **values: float | bool | None) -> None:
        """Set metrics: the standard ones by name, others as numbers or booleans; None stands for not known.

        The turn's own latency is measured unless `turnLatencyMs` is set.
        """
        for name, value in values.items():
            self[name] = value

    def __setitem__(self, name: str, value: float | bool | None) -> None:
        try:
            name = metric_name(name)
            if name == "failed":
                self.failed = False if value is None else value  # type: ignore[assignment]  # checked there
            elif self._may_set(name):
                number = None if value is None else metric_value(name, value)
                if isinstance(number, float) and not isfinite(number):
                    raise TypeError(f"metric {name} takes a number, not {value!r}")
                self._metrics[name] = number
        except TypeError as error:
            self._left_out(str(name), str(error))

    def __getitem__(self, name: str) -> float | bool | None:
        return self._metrics[metric_name(name)]

    @property
    def id(self) -> str:
        """The id that the turn is recorded under."""
        return self._event.id_text

    @property
    def ts(self) -> datetime:
        """When the turn happened."""
        return self._event.ts

    @property
    def failed(self) -> bool:
        """Whether the turn failed; an exception inside the block sets it."""
        return self._event.failed

    @failed.setter
    def failed(self, failed: bool) -> None:
        if not isinstance(failed, bool):
            self._left_out("failed", f"failed must be a bool, not {type(failed).__name__}")
        elif self._may_set("failed"):
            self._event.failed = failed

    @property
    def model(self) -> str | None:
        """The language model that played the turn; it may be known only at the end."""
        return self._event.model

    @model.setter
    def model(self, model: str | None) -> None:
        if not isinstance(model, str | None):
            self._left_out("model", f"model must be a str or None, not {type(model).__name__}")
        elif self._may_set("model"):
            self._event.model = model

    def _may_set(self, name: str) -> bool:
        if self._ended:
            self._left_out(name, f"{name} was set after the end of the turn, which is recorded")
        return not self._ended

    def __enter__(self) -> Self:
        if self._entered:
            raise RuntimeError("a turn has one block only; make another with Awf.turn()")
        self._entered = True
        self._started_ns = time.perf_counter_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        if kind is not None:
            self.failed = True
        # Whole microseconds, as they are stored.
        self._metrics.setdefault("turnLatencyMs", (time.perf_counter_ns() - self._started_ns) // 1000 / 1000)
        self._event.metrics = {name: value for name, value in self._metrics.items() if value is not None}
        self._ended = True
        self._record(self, self._event)
        return False

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        return self.__exit__(kind, error, traceback)
