"""The end of a process, with a database that is away: what was recorded is in the spool, and in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from textwrap import dedent
from typing import Any, Protocol

import pytest

from tests import scale
from tests.faulty import spooled_ids

PREAMBLE = """
    import logging, os, signal, sys, threading, time
    from awf_pg import Awf

    logging.basicConfig(level=logging.INFO)
    awf = Awf("host=/nowhere port=1")

    def play():
        with awf.turn(session_id="s", player_id="p", world_ref="w", adventure_ref="a") as turn:
            pass
        os.write(1, f"{turn.id}\\n".encode())

"""


class Start(Protocol):
    def __call__(self, program: str, *, spool: bool = True, **env: str) -> subprocess.Popen[str]: ...


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "awf.spool"


@pytest.fixture
def start(spool: Path, tmp_path: Path) -> Iterator[Start]:
    """Start programs that have a client `awf`, and `play()` a turn, whose id they then write."""
    with ExitStack() as started:
        log = started.enter_context((tmp_path / "log").open("w"))

        def start_program(program: str, **given: Any) -> subprocess.Popen[str]:
            env = os.environ | {
                "AWF_PLAYER_HASH_KEY": "a key of more than sixteen bytes",
                "AWF_SPOOL_FILE": str(spool) if given.pop("spool", True) else "",
                "EXPERIMENTS_ENABLED": "false",
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            }
            process = subprocess.Popen(
                [sys.executable, "-c", dedent(PREAMBLE) + dedent(program)],
                env=env | given,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
            started.enter_context(process)
            started.callback(process.kill)
            return process

        yield start_program


def read(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(count)]


def rest(process: subprocess.Popen[str]) -> list[str]:
    """What it writes until its end."""
    assert process.stdout is not None
    return process.stdout.read().split()


@pytest.mark.parametrize("waits", ["time.sleep(60)", "while True: pass", "threading.Event().wait()"])
def test_sigterm(start: Start, spool: Path, waits: str) -> None:
    """The process dies of the signal, as it would have done without us."""
    process = start(f"for _ in range(7): play()\n{waits}")
    ids = read(process, 7)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == -signal.SIGTERM
    assert sorted(spooled_ids(spool)) == sorted(ids)


def test_sigterm_while_threads_play(start: Start, spool: Path) -> None:
    for _ in range(scale.examples(20)):
        spool.unlink(missing_ok=True)
        process = start("""
            def play_on():
                while True:
                    play()
                    time.sleep(0.001)
            for _ in range(3):
                threading.Thread(target=play_on, daemon=True).start()
            while True:
                logging.info("the main thread has the lock of the log now and then")
        """)
        ids = read(process, 200)
        process.send_signal(signal.SIGTERM)
        rest(process)
        assert process.wait(20) == -signal.SIGTERM
        assert not set(ids) - set(spooled_ids(spool)), "what was recorded before the signal"


def test_sigterm_within_the_deadline(start: Start, tmp_path: Path) -> None:
    """Without a spool there is nothing to wait for but the database."""
    process = start("play()\ntime.sleep(60)", spool=False, AWF_SHUTDOWN_MS="1000")
    read(process, 1)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == -signal.SIGTERM
    assert time.monotonic() - began < 15
    assert "was not stored" in (tmp_path / "log").read_text()


def test_a_handler_that_calls_ours(start: Start, spool: Path) -> None:
    """The events are flushed, and what the process does then is the game's business."""
    process = start("""
        def handle(*arguments):
            before(*arguments)
            os.write(1, b"handled\\n")
        before = signal.signal(signal.SIGTERM, handle)
        play()
        time.sleep(3)
        play()
        os.write(1, b"ended\\n")
    """)
    ids = read(process, 1)
    process.send_signal(signal.SIGTERM)
    handled, second, ended = read(process, 3)
    assert (handled, ended, process.wait(20)) == ("handled", "ended", 0)
    assert sorted(spooled_ids(spool)) == sorted([*ids, second])


def test_a_handler_of_the_game_is_left_alone(start: Start, spool: Path) -> None:
    process = start("""
        def handle(*_):
            sys.exit(5)
        signal.signal(signal.SIGTERM, handle)
        again = Awf("host=/nowhere port=1")
        play()
        time.sleep(60)
    """)
    ids = read(process, 1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 5
    assert spooled_ids(spool) == ids


@pytest.mark.parametrize(
    "ending", ["", "sys.exit(3)", "raise ValueError", "os.kill(os.getpid(), signal.SIGINT)"]
)
def test_other_ends(start: Start, spool: Path, ending: str) -> None:
    process = start(f"for _ in range(3): play()\n{ending}")
    ids = rest(process)
    process.wait(20)
    assert len(ids) == 3
    assert sorted(spooled_ids(spool)) == sorted(ids)


def test_forked_children(start: Start, spool: Path) -> None:
    """As in a pre-fork server: each child has a queue of its own, and stores it when it is told to end."""
    process = start("""
        play()
        children = []
        for _ in range(3):
            pid = os.fork()
            if pid == 0:
                play()
                time.sleep(60)
            children.append(pid)
        time.sleep(1)
        for pid in children:
            os.kill(pid, signal.SIGTERM)
            assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGTERM
    """)
    ids = rest(process)
    assert process.wait(20) == 0
    assert len(ids) == 4
    assert sorted(spooled_ids(spool)) == sorted(ids)


@pytest.mark.parametrize("made", ["before", "after"])
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_of_multiprocessing(
    start: Start, spool: Path, tmp_path: Path, method: str, made: str
) -> None:
    """They end by os._exit(), and yet what they recorded is kept, whoever made the client."""
    (tmp_path / "worker.py").write_text(
        dedent("""
            import os
            from awf_pg import Awf

            def play(awf):
                awf = awf or Awf("host=/nowhere port=1")
                for _ in range(5):
                    with awf.turn(session_id="s", player_id="p", world_ref="w", adventure_ref="a") as turn:
                        pass
                    os.write(1, f"{turn.id}\\n".encode())
        """)
    )
    process = start(
        f"""
        sys.path.insert(0, {str(tmp_path)!r})
        import multiprocessing, worker
        inherited = awf if {made == "before" and method == "fork"} else None
        context = multiprocessing.get_context({method!r})
        children = [context.Process(target=worker.play, args=[inherited]) for _ in range(2)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        """,
        AWF_SHUTDOWN_MS="2000",
    )
    played = set(read(process, 10))
    assert process.wait(60) == 0
    assert set(spooled_ids(spool)) == played
