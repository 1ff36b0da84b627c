"""A game in a process of its own, which says what it has done and may be killed at any time.

    python -m tests.player [--turns N] [--handler before|after]

Settings come from the environment. It writes lines, each at once: `playing ID`, then `played ID` when the
turn is recorded; `settled N` when the first N turns are stored or durable in the spool; at the end `stored`
or `not stored`. With --handler the game has its own SIGTERM handler, set before or after the client was made.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from itertools import count, islice

from awf_pg import Awf

ENDLESS = 10**9
PATIENCE_S = 60.0
HANDLED = 3  # the exit status that the game's own handler chooses


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def handle(*_: object) -> None:
    say("handled")
    sys.exit(HANDLED)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.player")
    parser.add_argument("--turns", type=int, default=ENDLESS)
    parser.add_argument("--handler", choices=["before", "after"])
    arguments = parser.parse_args()
    if arguments.handler == "before":
        signal.signal(signal.SIGTERM, handle)
    awf = Awf(application_name="victim")
    if arguments.handler == "after":
        signal.signal(signal.SIGTERM, handle)
    say("ready")
    for number in islice(count(1), arguments.turns):
        turn = awf.turn(session_id="s", player_id="p", world_ref="w", adventure_ref="a")
        say("playing", turn.id)
        with turn:
            turn["outputTokens"] = number
        say("played", turn.id)
        if number % 10 == 0:
            say("settled", number - awf.stats()["queue_depth"])
    say("stored" if awf.flush(PATIENCE_S) else "not stored")


if __name__ == "__main__":
    main()
