"""In CI a skipped test is a failure, unless allowed_skips.txt lists it with its reason."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ALLOWED = Path(__file__).with_name("allowed_skips.txt")


def read_allowed(path: Path) -> list[str]:
    """The patterns; a line without a reason is an error."""
    patterns = []
    for line in path.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern, _, reason = line.partition("  ")
        if not reason.strip():
            raise pytest.UsageError(f"{path.name}: no reason given for {pattern!r}")
        patterns.append(pattern)
    return patterns


class SkipPolicy:
    """A pytest plugin; collects the skips of all workers and judges them at the end."""

    def __init__(self) -> None:
        self.allowed = read_allowed(ALLOWED)
        self.refused: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # An expected failure is reported as skipped too, and is none.
        if report.skipped and not hasattr(report, "wasxfail"):
            self.judge(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.judge(report.nodeid)

    def judge(self, nodeid: str) -> None:
        if not any(fnmatchcase(nodeid, pattern) for pattern in self.allowed):
            self.refused.append(nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.refused and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for nodeid in sorted(set(self.refused)):
            terminalreporter.write_line(f"SKIPPED IN CI, not in {ALLOWED.name}: {nodeid}", red=True)


def register(config: pytest.Config) -> None:
    # Workers report to the process that started them; only that one judges.
    if os.environ.get("CI") == "true" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(SkipPolicy(), "skip-policy")
