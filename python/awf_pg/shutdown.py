"""The end of the process: what is recorded is stored, or durable, before it goes.

At its ordinary end, after Ctrl-C too, the recorders are closed. On SIGTERM, where nobody else handles it,
they are flushed and the process then dies of the signal, as it would have done without us. A handler of the
application is never replaced; one that calls ours, the one before it, has the events flushed and goes on.

The handler runs in the main thread, in the middle of anything. So it waits but a moment for other threads:
one of them may need a lock that the main thread holds, that of a log for example. If the events are not
settled by then the main thread goes on, a helper waits for them, and the signal comes again.
"""

from __future__ import annotations

import _thread
import atexit
import logging
import multiprocessing.util
import os
import signal
import threading
import time
from contextlib import suppress
from types import FrameType
from typing import Protocol

_log = logging.getLogger("awf.flush")

FREEZE_S = 0.25  # how long the main thread may be kept
AGAIN_S = 0.05  # how long it then goes on


class Flushable(Protocol):
    """A recorder."""

    shutdown_s: float

    def settle(self, timeout: float) -> bool: ...

    def seal(self, timeout: float) -> bool: ...

    def unseal(self) -> None: ...

    def rescue(self) -> None: ...

    def begin_close(self, timeout: float) -> None: ...

    def close(self, timeout: float | None = None) -> bool: ...


class _Process:
    """What is known of this process; a forked child begins anew."""

    def __init__(self) -> None:
        self.recorders: set[Flushable] = set()
        self.told = False  # SIGTERM has come
        self.helped = False  # a helper waits for the events
        self.exiting = False
        self.is_child = False  # of multiprocessing, which will call us at its end
        self.dies_at = float("inf")


_process = _Process()
_registered = False


def install() -> None:
    """Handle SIGTERM, if nobody does and this is the main thread."""
    if threading.current_thread() is threading.main_thread() and _is_default():
        with suppress(ValueError):  # a subinterpreter
            signal.signal(signal.SIGTERM, _on_sigterm)


def add(recorder: Flushable) -> None:
    """Flush a recorder at the end."""
    global _registered
    install()
    _process.recorders.add(recorder)
    if not _registered:
        _registered = True
        atexit.register(_at_exit)
    if not _process.is_child and multiprocessing.parent_process() is not None:
        # Such a child ends by os._exit(), and calls nobody but those that multiprocessing knows.
        _process.is_child = True
        multiprocessing.util.Finalize(None, _at_exit, exitpriority=0)


def remove(recorder: Flushable) -> None:
    _process.recorders.discard(recorder)


def _is_default() -> bool:
    return signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def _may_die() -> bool:
    """Whether it was ours to handle. A process 1 does not die of a signal that it does not handle."""
    return signal.getsignal(signal.SIGTERM) is _on_sigterm and os.getpid() != 1


def _on_sigterm(_signal: int, _frame: FrameType | None) -> None:
    process = _process
    process.told = True
    if process.exiting:
        return  # The events are being flushed, and nobody else is left to wait for.
    if _may_die() and (not process.recorders or time.monotonic() > process.dies_at or _sealed(process)):
        _die()
    if not process.helped:
        process.helped = True
        process.dies_at = time.monotonic() + _longest(process)
        try:
            # Not a threading.Thread, whose start takes a lock and waits.
            _thread.start_new_thread(_help, (process,))
        except RuntimeError:
            _close_all(process)
            if _may_die():
                _die()


def _sealed(process: _Process) -> bool:
    """Whether all events are settled, and no other will be taken."""
    until = time.monotonic() + FREEZE_S
    recorders = tuple(process.recorders)
    if all(one.settle(until - time.monotonic()) for one in recorders):
        if all(one.seal(max(0.0, until - time.monotonic())) for one in recorders):
            return True
        for one in recorders:
            one.unseal()
    return False


def _help(process: _Process) -> None:
    """Wait for the events; then tell the main thread, until it has ended."""
    recorders = tuple(process.recorders)
    began = time.monotonic()
    for one in recorders:
        if not one.settle(began + one.shutdown_s / 2 - time.monotonic()):
            one.rescue()
    for one in recorders:
        one.settle(began + one.shutdown_s - time.monotonic())
    while _may_die() and not process.exiting:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(FREEZE_S + AGAIN_S)
        if time.monotonic() > process.dies_at + 1 and _may_die():
            # The main thread is in a call that lets no handler run.
            os._exit(128 + signal.SIGTERM)
    process.helped = False


def _die() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def _longest(process: _Process) -> float:
    return max((one.shutdown_s for one in tuple(process.recorders)), default=0.0)


def _close_all(process: _Process) -> None:
    recorders = tuple(process.recorders)
    for one in recorders:
        one.begin_close(one.shutdown_s)
    for one in recorders:
        one.close()


def _at_exit() -> None:
    process = _process
    process.exiting = True
    _close_all(process)
    if process.told and _may_die():
        _die()


def _after_fork_in_child() -> None:
    global _process
    _process = _Process()


os.register_at_fork(after_in_child=_after_fork_in_child)
