"""The counters as OpenTelemetry metrics."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from psycopg.conninfo import make_conninfo

from awf_pg import Awf, Settings, otel

KEY = "a key of more than sixteen bytes"
READER = InMemoryMetricReader()


@pytest.fixture(scope="module", autouse=True)
def provider() -> None:
    """There is one for a process, and once it is set it stays."""
    metrics.set_meter_provider(MeterProvider([READER]))


def collected() -> dict[str, Any]:
    """The metrics by their names: a number, or the count of a histogram."""
    data = READER.get_metrics_data()
    assert data is not None
    found = {}
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                points: list[Any] = list(metric.data.data_points)
                found[metric.name] = sum(getattr(one, "value", getattr(one, "count", 0)) for one in points)
    return found


def turn(awf: Awf) -> None:
    with awf.turn(session_id="s", player_id="p", world_ref="w", adventure_ref="a"):
        pass


def test_the_counters_are_metrics(db: str) -> None:
    dsn = make_conninfo(db, user="t_writer")
    settings = Settings(player_hash_key=KEY, analytics_batch_ms=60_000)
    awf = Awf(dsn, settings=settings)
    before = collected()
    turn(awf)
    turn(awf)
    waiting = collected()
    assert waiting["awf.analytics.queue_depth"] == 2
    assert awf.flush()
    after = collected()
    assert after["awf.analytics.queue_depth"] == 0
    assert after["awf.analytics.flush.count"] == before["awf.analytics.flush.count"] + 1
    assert after["awf.analytics.flush.duration"] == before.get("awf.analytics.flush.duration", 0) + 1
    for name in otel._COUNTERS:
        assert name in after
    with Awf(dsn, settings=settings) as other:
        turn(other)
        assert collected()["awf.analytics.queue_depth"] == 1, "the figures of several clients are added up"
    assert awf.close()
    assert collected()["awf.analytics.flush.count"] == before["awf.analytics.flush.count"] + 2, (
        "closed ones count"
    )


def test_without_the_extra() -> None:
    program = """
import sys
sys.modules["opentelemetry"] = None
from awf_pg import Awf, Settings, otel
assert otel.metrics is None
settings = Settings(player_hash_key="a key of some length", experiments_enabled=False)
awf = Awf("host=/nowhere", settings=settings)
otel.record_flush(0.1, "direct")
print(awf.stats()["awf.analytics.flush.count"], awf.close())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "0 True\n"
