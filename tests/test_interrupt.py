"""Ctrl-C in real processes: code 130, one sentence, no process left behind, what was done is kept.

Sent as a terminal does, to every process of the command, and to the first one alone. `make faults` stops the slow
commands too, at random moments.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pebble import ProcessPool

from benchmarks.faults.interrupts import MARK, STOPPED, left
from featurestore import snapshots
from featurestore.opening import open_store
from kallos.engines.pool import Pool, interrupted_later
from tests.conftest import Workspace
from tests.waiting import wait_until

WAYS = pytest.mark.parametrize("send", [os.killpg, os.kill], ids=["to all processes", "to the first"])
Send = Callable[[int, int], None]


def stopped(send: Send, arguments: tuple[object, ...], ready: Callable[[], bool]) -> str:
    """What a command says that is stopped as soon as it is ready for it."""
    mark = f"test-{time.monotonic_ns()}"
    with subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env=os.environ | {MARK: mark},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # where the tests were started in the background, Ctrl-C is ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        try:
            wait_until(ready, process, pause=0.02)
            assert left(mark), "the mark must be found while it runs"
            send(process.pid, signal.SIGINT)
            message = process.communicate(timeout=60)[1]
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode == 130, message
    assert left(mark) == []
    assert message.endswith(STOPPED)
    assert "Traceback" not in message
    return message


@WAYS
def test_ingest_keeps_the_portraits_that_were_drawn(tmp_path: Path, send: Send):
    images = tmp_path / "portraits" / "images"
    ingest = ("-m", "kallos", "ingest", "demo", tmp_path / "portraits", "--count", 2_000)
    stopped(send, (*ingest, "--store", tmp_path / "s.duckdb"), lambda: len(list(images.glob("*.jpg"))) > 3)
    assert len(list(images.glob("*.jpg"))) > 3
    assert not (tmp_path / "s.duckdb").exists()


@WAYS
def test_extract_keeps_what_was_looked_at_and_ends_its_workers(workspace: Workspace, tmp_path: Path, send: Send):
    path = tmp_path / "s.duckdb"
    workspace.ingest(path)
    wal = path.with_name("s.duckdb.wal")

    def has_written() -> bool:
        """After the first snapshot, which empties it, the log holds batches of photos alone."""
        with contextlib.suppress(FileNotFoundError):
            return bool(snapshots.files(path)) and wal.stat().st_size > 20_000
        return False

    stopped(
        send,
        ("-m", "kallos", "extract", "--encoder", "mobilenet_v3_small", "--weights", "none", "--store", path),
        has_written,
    )
    with open_store(path, read_only=True) as store:
        assert store.value("SELECT count(*) FROM landmarks") > 0


def test_it_cannot_strike_within_the_queue_of_the_workers(monkeypatch: pytest.MonkeyPatch):
    """Where it does, a waiter can be woken twice and the next one never: the command waits for ever."""
    threads, schedule = [], ProcessPool.schedule

    def watched(*arguments, **options):
        threads.append(threading.current_thread())
        return schedule(*arguments, **options)

    monkeypatch.setattr(ProcessPool, "schedule", watched)
    with Pool(int) as pool:
        assert [result for _, result in pool.map(max, [1, -2])] == [1, 0]
    assert len(threads) == 3
    assert threading.main_thread() not in threads


def test_while_processes_start_it_waits_and_is_not_lost():
    """Threads of DuckDB and torch may take it: one stands for them here."""
    other_ends, reached = threading.Event(), []
    threading.Thread(target=other_ends.wait, daemon=True).start()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), interrupted_later():
            child = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
            child.start()
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(child.pid, signal.SIGINT)
            time.sleep(0.2)
            reached.append(child.is_alive())
        assert reached == [True]
        child.join(1)
        assert child.is_alive(), "it would end with a traceback"
    finally:
        signal.signal(signal.SIGINT, before)
        other_ends.set()
        child.kill()
        child.join()


def test_a_worker_that_is_still_starting_ends_without_a_traceback(tmp_path: Path):
    script, starting, store = (tmp_path / name for name in ("stopped.py", "starting", "s.duckdb"))
    open_store(store).close()
    script.write_text(
        "import pathlib, sys, time\n"
        "if __name__ == '__mp_main__':\n"  # in a worker
        f"    pathlib.Path({str(starting)!r}).touch()\n"
        "    time.sleep(1)\n"
        "if __name__ == '__main__':\n"
        "    from kallos.cli.app import main\n"
        "    from kallos.engines.pool import Pool\n"
        "    from featurestore.store import Store\n"
        "    def with_workers(store):\n"
        "        with Pool(int) as pool:\n"
        "            list(pool.map(max, [1]))\n"
        "            time.sleep(60)\n"
        "    Store.describe = with_workers\n"
        f"    sys.argv = ['kallos', 'tables', '--store', {str(store)!r}]\n"
        "    main()\n"
    )
    stopped(os.killpg, (script,), starting.exists)


def test_within_a_query_it_is_no_bug(workspace: Workspace, tmp_path: Path):
    """DuckDB makes an error of its own of it; on a busy machine it is told of it, or it would wait for the query."""
    script = tmp_path / "stopped.py"
    asking = tmp_path / "asking"
    script.write_text(
        "import pathlib, sys, threading\n"
        "from kallos.cli.app import main\n"
        "from featurestore.store import Store\n"
        "def long(store):\n"
        # half a second later DuckDB is within it, however busy the machine is
        f"    threading.Timer(0.5, pathlib.Path({str(asking)!r}).touch).start()\n"
        "    return store.value('SELECT sum(sqrt(range)) FROM range(20000000000)')\n"
        "Store.describe = long\n"
        f"sys.argv = ['kallos', 'tables', '--store', {str(workspace.store)!r}]\n"
        "main()\n"
    )
    with contextlib.ExitStack() as busy:

        def within_the_query_of_a_busy_machine() -> bool:
            if not asking.exists():
                return False
            for _ in range(os.cpu_count() or 1):
                other = busy.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
                busy.callback(other.kill)
            return True

        message = stopped(os.killpg, (script,), within_the_query_of_a_busy_machine)
    assert message.startswith("kallos: stopped")


def twice(process: int, number: int) -> None:
    for _ in range(2):
        os.kill(process, number)
        time.sleep(0.3)


def test_a_server_stopped_twice_within_a_request_says_one_sentence(tmp_path: Path):
    """The second Ctrl-C cuts off what the first one waits for."""
    script, asked, store = (tmp_path / name for name in ("stopped.py", "asked", "s.duckdb"))
    open_store(store).close()
    script.write_text(
        "import asyncio, pathlib, socket, sys, threading, urllib.request\n"
        "from fastapi import FastAPI\n"
        "from featurestore.store import Store\n"
        "from kallos.cli.app import main\n"
        "from kallos.web import running\n"
        "app = FastAPI()\n"
        "@app.get('/')\n"
        "async def slow() -> None:\n"
        f"    pathlib.Path({str(asked)!r}).touch()\n"
        "    await asyncio.sleep(60)\n"
        "def ask(port):\n"
        "    try:\n"
        "        urllib.request.urlopen(f'http://127.0.0.1:{port}').read()\n"
        "    except OSError:\n"
        "        pass\n"
        "def serve(store):\n"
        "    listening = socket.create_server(('127.0.0.1', 0))\n"
        "    threading.Thread(target=ask, args=(listening.getsockname()[1],), daemon=True).start()\n"
        "    running.run(None, listening)\n"
        "running.application = lambda service, name: app\n"
        "Store.describe = serve\n"
        f"sys.argv = ['kallos', 'tables', '--store', {str(store)!r}]\n"
        "main()\n"
    )
    assert stopped(twice, (script,), asked.exists) == STOPPED


def test_an_import_ends_before_the_command_does(workspace: Workspace, tmp_path: Path):
    """NumPy and others print a traceback of their own when their import is stopped."""
    importing, imported = tmp_path / "importing", tmp_path / "imported"
    (tmp_path / "slow.py").write_text(
        f"import pathlib, time\npathlib.Path({str(importing)!r}).touch()\ntime.sleep(1)\n"
        f"pathlib.Path({str(imported)!r}).touch()\n"
    )
    script = tmp_path / "stopped.py"
    script.write_text(
        "import sys, time\n"
        "from kallos.cli.app import main\n"
        "from featurestore.store import Store\n"
        "def slow(store):\n"
        "    import slow\n"
        "    time.sleep(60)\n"
        "Store.describe = slow\n"
        f"sys.argv = ['kallos', 'tables', '--store', {str(workspace.store)!r}]\n"
        "main()\n"
    )
    stopped(os.killpg, (script,), importing.exists)
    assert imported.exists()
