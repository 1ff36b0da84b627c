"""Counts the calls to a database, by the thread that makes them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg


@contextmanager
def database_calls() -> Iterator[Counter[int]]:
    """What is counted here passes through every statement, COPY and connection of psycopg, by thread id."""
    calls: Counter[int] = Counter()
    wait, connect = psycopg.Connection.wait, psycopg.Connection.connect

    def counted_wait(*arguments: Any, **options: Any) -> Any:
        calls[threading.get_ident()] += 1
        return wait(*arguments, **options)

    def counted_connect(*arguments: Any, **options: Any) -> Any:
        calls[threading.get_ident()] += 1
        return connect(*arguments, **options)

    psycopg.Connection.wait = counted_wait  # type: ignore[method-assign]
    psycopg.connect = psycopg.Connection.connect = counted_connect  # type: ignore[method-assign]
    try:
        yield calls
    finally:
        psycopg.Connection.wait = wait  # type: ignore[method-assign]
        psycopg.connect = psycopg.Connection.connect = connect  # type: ignore[method-assign]
