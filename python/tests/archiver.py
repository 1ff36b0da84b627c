"""Archiving in a process of its own, which kills itself at the stage that it is told.

python -m tests.archiver STAGE BEFORE FOLDER
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

from awf_pg import archive, parquet
from awf_pg.admin import Api

# Where a run can be struck: a function that it calls, before or after it has done its work.
STAGES: dict[str, tuple[Any, str, bool]] = {
    "before detaching": (Api, "open_archive", False),
    "detached": (Api, "open_archive", True),
    "while reading": (parquet, "_explained", False),
    "file written": (parquet, "write", True),
    "file read back": (parquet, "read", True),
    "recorded": (Api, "close_archive", True),
    "file renamed": (archive, "_note", False),
    "manifest half written": (json, "dump", True),
    "manifest written": (archive, "_note", True),
    "dropped": (Api, "drop_archived_day", True),
}


@contextmanager
def struck(stage: str, strike: Callable[[], object]) -> Iterator[None]:
    """Strike once, when the run inside the block comes to the stage."""
    owner, name, afterwards = STAGES[stage]
    original = getattr(owner, name)
    waiting = [strike]

    def replaced(*args: Any, **kwargs: Any) -> Any:
        if afterwards:
            result = original(*args, **kwargs)
        while waiting:
            waiting.pop()()
        return result if afterwards else original(*args, **kwargs)

    with patch.object(owner, name, replaced):
        yield
    assert not waiting, f"no run came to the stage: {stage}"


def main(stage: str, before: str, folder: str) -> None:
    with (
        struck(stage, lambda: os.kill(os.getpid(), signal.SIGKILL)),
        Api(os.environ["AWF_DATABASE_URL"]) as api,
    ):
        archive.run(api, date.fromisoformat(before), Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
