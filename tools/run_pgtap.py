"""Run sql/tests/*.sql with pg_prove on a temporary server with awf and pgTAP in it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tests import servers

TESTS = Path(__file__).resolve().parent.parent / "sql" / "tests"


def why_not() -> str | None:
    if servers.choose_kind() != "debian":
        return f"the embedded server has no pgTAP. {servers.why_embedded()}"
    if shutil.which("pg_prove") is None:
        return "there is no pg_prove (Debian: libtap-parser-sourcehandler-pgtap-perl)."
    return None


def main() -> int:
    if reason := why_not():
        print(f"pgTAP SKIPPED: {reason}")
        return 1 if os.environ.get("CI") == "true" else 0
    chosen = sys.argv[1:] or sorted(map(str, TESTS.glob("*.sql")))
    return servers.run(["pg_prove", "--quiet", *chosen], awf=True, pgtap=True, kind="debian")


if __name__ == "__main__":
    sys.exit(main())
