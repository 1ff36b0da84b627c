"""A real trace of requests to a language model, replayed as turns through the client."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from awf_pg import Api, Awf, Settings

SETTINGS = Settings(player_hash_key="a key of more than sixteen bytes")
REQUESTS = 19_366
TURNS_A_SESSION = 10


def requests(folder: Path) -> Iterator[tuple[datetime, int, int]]:
    with (folder / "azure_llm_inference_trace_conv.csv").open() as lines:
        for row in csv.DictReader(lines):
            at = datetime.fromisoformat(row["TIMESTAMP"][:26]).replace(tzinfo=UTC)
            yield at, int(row["ContextTokens"]), int(row["GeneratedTokens"])


def test_the_report_of_a_replayed_trace_has_its_exact_totals(db: str, data_dir: Path) -> None:
    with Api(db) as api:
        halves = [{"variation": "control", "percent": 50}, {"variation": "treatment", "percent": 50}]
        api.create_experiment("trace", "Replayed trace", halves, start_at="2023-11-01")
        api.create_variation("trace", "control", {"maxActs": 6})
        api.create_variation("trace", "treatment", {"maxActs": 8})
        api.start_experiment("trace")
    with Awf(db, settings=SETTINGS) as awf:
        for number, (at, context_tokens, generated_tokens) in enumerate(requests(data_dir)):
            session = number // TURNS_A_SESSION
            with awf.turn(
                session_id=f"session-{session}",
                player_id=f"player-{session}",
                world_ref="conversation",
                adventure_ref="trace",
                ts=at,
            ) as turn:
                turn.metrics(bundleTokens=context_tokens, outputTokens=generated_tokens)
        assert awf.flush(60)
        stats = awf.stats()
        assert (stats["accepted"], stats["rejected"], stats["dropped"]) == (REQUESTS, 0, 0)
        assert stats["batches"]["careful"] == 0
        while awf.refresh_rollups()["batches"]:
            pass
        report = awf.experiment_report("trace", by=["variation"])
    assert [row["variation_key"] for row in report] == ["control", "treatment"]
    assert sum(row["turns"] for row in report) == REQUESTS
    assert sum(row["units"] for row in report) == -(-REQUESTS // TURNS_A_SESSION)
    assert sum(row["bundle_tokens"] for row in report) == 22_361_870
    assert sum(row["output_tokens"] for row in report) == 4_088_665
