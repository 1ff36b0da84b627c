"""The spool: what is durable, in which order, when there is no room, and when the file is not what it was."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import stat
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awf_pg import Awf, ConfigurationError, Settings
from awf_pg.event import Event
from awf_pg.spool import Spool, SpoolError, SpoolFull, SpoolUnusable
from tests import scale

EVENT = Event("s", bytes(32), "w", "a", metrics={"acts": 1, "won": True, "score": 0.1})


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "awf.spool")


def event(session: object = "s") -> Event:
    return Event(str(session), bytes(32), "w", "a")


def drained(spool: Spool) -> list[str]:
    """Take everything out."""
    assert spool.try_to_replay()
    sessions = []
    while (batch := spool.next()) is not None:
        sessions += [one.session_id for one in batch.events]
        spool.remove(batch.seq)
    spool.stop_replaying()
    return sessions


texts = st.text(max_size=20)
numbers = st.integers() | st.floats(allow_nan=False)
events = st.builds(
    Event,
    session_id=texts,
    player_hash=st.binary(max_size=40),
    world_ref=texts,
    adventure_ref=texts,
    locale=texts,
    model=st.none() | texts,
    assignments=st.lists(st.integers() | st.tuples(texts, texts)).map(tuple),
    metrics=st.dictionaries(texts.filter(lambda name: name != "failed"), st.booleans() | numbers),
    failed=st.booleans(),
    attributes=st.dictionaries(texts, texts | st.booleans() | numbers),
    ts=st.datetimes(timezones=st.just(UTC)),
    id=st.uuids().map(lambda one: one.bytes),
)


@given(st.lists(events))
def test_events_come_back_as_they_were(made: list[Event]) -> None:
    with TemporaryDirectory() as folder:
        spool = Spool(Path(folder) / "awf.spool")
        spool.append(made)
        batch = spool.next()
        assert batch is not None
        assert batch.events == made


def test_batches_come_in_order_and_an_empty_file_goes(spool: Spool) -> None:
    before = datetime.now(UTC)
    for number in range(5):
        status = spool.append([event(number), event(number)])
    assert (status.batches, status.events, status.unreadable) == (5, 10, 0)
    assert status.bytes == spool.path.stat().st_size
    assert status.oldest is not None
    assert abs(status.oldest - before) < timedelta(seconds=60)
    assert drained(spool) == [str(number) for number in range(5) for _ in range(2)]
    assert not spool.path.exists()
    assert spool.status().events == 0
    assert spool.next() is None


def test_the_file_is_for_its_owner_only(spool: Spool) -> None:
    spool.append([EVENT])
    for path in spool.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_the_file_is_a_database_in_wal_mode(spool: Spool) -> None:
    spool.append([EVENT])
    with closing(sqlite3.connect(spool.path)) as database:
        assert database.execute("pragma journal_mode").fetchone() == ("wal",)
        assert database.execute("pragma user_version").fetchone() == (1,)


def test_numbers_are_not_used_again(spool: Spool) -> None:
    """A batch is removed by its number, also when the file has been another one since."""
    spool.append([event("old")])
    old = spool.next()
    assert old is not None
    spool.path.unlink()
    spool.append([event("new")])
    spool.remove(old.seq)
    assert drained(spool) == ["new"]


def test_the_clock_may_go_back(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, ns in enumerate((2_000_000, 1_000_000, 5_000_000, 5_000_000)):
        monkeypatch.setattr(time, "time_ns", lambda ns=ns: ns)
        spool.append([event(number)])
    assert drained(spool) == ["0", "1", "2", "3"]


# No room


def test_the_limit(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "awf.spool", max_mb=1)
    batch = [event(number) for number in range(100)]
    kept = 0
    while spool.path.stat().st_size < 0.9 * 2**20 if kept else True:
        spool.append(batch)
        kept += 1
    assert kept > 10
    with pytest.raises(SpoolFull):
        spool.append(batch * 10)
    assert spool.path.stat().st_size <= 2**20
    assert spool.status().batches == kept
    first = spool.next()
    assert first is not None
    spool.remove(first.seq)
    assert spool.append(batch).batches == kept, "there is room for one again"


def test_a_full_disk_lets_the_file_go(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches that cannot be removed are passed over; when all are stored the file goes."""
    for number in range(3):
        spool.append([event(number)])
    assert spool.try_to_replay()
    set_up = Spool._set_up

    def full(self: Spool, database: sqlite3.Connection) -> None:
        set_up(self, database)
        database.execute(
            "create temp trigger full before delete on batches begin select raise(fail, ''); end"
        )

    def is_full(_: sqlite3.Error) -> int:
        return sqlite3.SQLITE_FULL

    monkeypatch.setattr(Spool, "_set_up", full)
    monkeypatch.setattr("awf_pg.spool._code", is_full)
    for number in range(3):
        batch = spool.next()
        assert batch is not None
        assert batch.events[0].session_id == str(number)
        assert spool.remove(batch.seq).batches == 2 - number
        assert spool.path.exists() == (number < 2)


# Another file than expected


@pytest.mark.parametrize("damage", ["header", "page", "cut"])
def test_a_damaged_file_is_kept_aside(spool: Spool, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(20):
        spool.append([event(number) for _ in range(50)])
    if damage == "cut":
        os.truncate(spool.path, 5000)
    with spool.path.open("r+b") as file:
        if damage != "cut":
            file.seek(16 if damage == "header" else 4096)
            file.write(b"\xff" * (84 if damage == "header" else 3 * 4096))
    before = spool.path.read_bytes()
    try:
        spool.append([event("new")])
    except SpoolError:
        spool.append([event("new")])
    assert drained(spool) == ["new"]
    [kept] = spool.path.parent.glob("awf.spool.damaged-*[0-9]")
    assert len(kept.read_bytes()) == len(before)
    assert "is damaged" in caplog.text


def test_a_batch_that_cannot_be_read_is_passed_over(spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(3):
        spool.append([event(number)])
    with closing(sqlite3.connect(spool.path)) as database, database:
        for seq, text in zip(
            database.execute("select seq from batches").fetchall(), ("[", "[{}]"), strict=False
        ):
            database.execute("update batches set events = ? where seq = ?", [text, *seq])
    assert drained(spool) == ["2"]
    status = spool.status()
    assert (status.events, status.unreadable) == (2, 2)
    assert caplog.text.count("cannot be read") == 2


def test_a_row_without_its_values_is_damage(spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    """As SQLite reads some files that were cut short."""
    spool.append([EVENT])
    with closing(sqlite3.connect(spool.path)) as database, database:
        database.execute("pragma writable_schema = on")
        loosen = "update sqlite_schema set sql = replace(sql, 'count integer not null', 'count integer')"
        database.execute(loosen)
    with closing(sqlite3.connect(spool.path)) as database, database:
        database.execute("update batches set count = null")
    with pytest.raises(SpoolError, match="lost its values"):
        spool.status()
    assert spool.status().batches == 0
    assert "is damaged" in caplog.text


@pytest.mark.parametrize("metrics", [{"score": 10**5000}, {("a", 1): 1}, {"score": [10**5000, {1, 2}]}])
def test_what_json_has_no_form_for_costs_the_others_nothing(spool: Spool, metrics: dict[Any, Any]) -> None:
    odd = event("odd")
    odd.metrics = metrics
    spool.append([event("before"), odd, event("behind")])
    spool.append([event("next")])
    assert drained(spool) == ["before", "odd", "behind", "next"]


@pytest.mark.parametrize("content", [b"", b"\0" * 8192])
def test_an_empty_file_is_a_new_one(spool: Spool, content: bytes) -> None:
    """As a crash may leave it."""
    spool.path.write_bytes(content)
    try:
        spool.append([EVENT])
    except SpoolError:
        spool.append([EVENT])
    assert spool.status().events == 1


def place(spool: Spool, what: str) -> None:
    if what == "text":
        spool.path.write_text("not a database\n" * 1000)
    elif what == "folder":
        spool.path.mkdir()
    elif what == "pipe":
        os.mkfifo(spool.path)
    else:
        with closing(sqlite3.connect(spool.path)) as database:
            database.execute("create table t (n)")
            if what == "newer":
                database.execute(f"pragma application_id = {0x61776673}")
                database.execute("pragma user_version = 99")


@pytest.mark.parametrize("what", ["text", "folder", "pipe", "other program", "newer"])
def test_what_is_no_spool_is_left_alone(spool: Spool, what: str) -> None:
    place(spool, what)
    before = spool.path.read_bytes() if spool.path.is_file() else None
    with pytest.raises(SpoolUnusable):
        spool.append([EVENT])
    with pytest.raises(ConfigurationError, match="AWF_SPOOL_FILE is") as raised:
        spool.check()
    assert str(spool.path) in str(raised.value)
    assert before is None or spool.path.read_bytes() == before


def test_a_missing_folder_stops_the_start(tmp_path: Path) -> None:
    settings = Settings(
        player_hash_key="a key of some length", spool_file=str(tmp_path / "none" / "awf.spool")
    )
    with pytest.raises(ConfigurationError, match=r"AWF_SPOOL_FILE is .*none"):
        Awf("host=/nowhere", settings=settings)


# Several processes and threads


def append(path: Path, name: str, count: int) -> None:
    for number in range(count):
        Spool(path).append([event(f"{name}-{number}")])


def test_processes_and_threads_append_together(spool: Spool) -> None:
    count = scale.examples(50)
    context = multiprocessing.get_context("spawn")
    workers: list[threading.Thread | multiprocessing.process.BaseProcess] = [
        *(context.Process(target=append, args=(spool.path, f"p{one}", count)) for one in range(2)),
        *(threading.Thread(target=append, args=(spool.path, f"t{one}", count)) for one in range(2)),
    ]
    for worker in workers:
        worker.start()
    seen: list[str] = []
    while any(worker.is_alive() for worker in workers):
        seen += drained(spool)
    seen += drained(spool)
    for name in ("p0", "p1", "t0", "t1"):
        assert [one for one in seen if one.startswith(name)] == [
            f"{name}-{number}" for number in range(count)
        ]


def test_one_replays_at_a_time(spool: Spool) -> None:
    other = Spool(spool.path)
    assert spool.try_to_replay()
    assert spool.try_to_replay(), "asked again"
    assert not other.try_to_replay()
    other.append([EVENT])
    spool.stop_replaying()
    assert other.try_to_replay()


def hold(path: Path, ready: multiprocessing.synchronize.Event) -> None:
    spool = Spool(path)
    assert spool.try_to_replay()
    ready.set()
    time.sleep(60)


def test_the_lock_of_the_dead_is_free(spool: Spool) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=hold, args=(spool.path, ready))
    holder.start()
    assert ready.wait(30)
    assert not spool.try_to_replay()
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    assert spool.try_to_replay()


def test_a_forked_child_takes_no_lock_along(spool: Spool) -> None:
    """Its parent may die, and another process has to take over."""
    assert spool.try_to_replay()
    ready, done = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        spool.append([event("child")])
        os.write(ready[1], b"x" if not Spool(spool.path).try_to_replay() else b"-")
        os.read(done[0], 1)
        os._exit(0)
    try:
        assert os.read(ready[0], 1) == b"x", "the parent still has it"
        spool.stop_replaying()
        assert Spool(spool.path).try_to_replay()
    finally:
        os.write(done[1], b"x")
        os.waitpid(pid, 0)
    assert spool.status().events == 1


def test_a_fork_waits_for_a_call(spool: Spool) -> None:
    """No child finds SQLite in the middle of something."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            spool.append([EVENT])

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for number in range(scale.examples(50)):
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    spool.append([event(f"child-{number}")])
                    status = 0
                finally:
                    os._exit(status)
            assert os.waitpid(pid, 0)[1] == 0
    finally:
        stop.set()
        thread.join()
    assert len([one for one in drained(spool) if one.startswith("child")]) == scale.examples(50)
