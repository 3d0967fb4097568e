"""Worker processes that apply one function to many items. One that dies loses only the item that it was working on."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from multiprocessing import resource_tracker
from typing import Any, ClassVar, Self, TypeVar

import cv2
from pebble import ProcessExpired, ProcessPool
from threadpoolctl import threadpool_limits

from featurestore.errors import ExtractionError

WORKERS = min(os.cpu_count() or 1, 8)
WAITING = 8
"""Queued items per worker: enough that no worker is idle, few enough for any memory."""

SECONDS_AN_ITEM = 60.0

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class FailedTask:
    """An item whose worker gave no result: crash or timeout, with the detail."""

    status: str
    detail: str
    milliseconds: float


class Pool:
    """Spawned processes, which start at once. Use it as a context manager, which ends every process."""

    def __init__(self, make: Callable[..., object], *arguments: object, processes: int | None = None) -> None:
        """Each process makes its tools once, by `make(*arguments)`; one that has them can work.

        Without a number there are WORKERS of them.
        """
        processes = processes or WORKERS
        self._waiting = processes * WAITING
        # never forked: MediaPipe, torch and DuckDB have threads, which a fork would lose
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPool(
            max_workers=processes, context=context, initializer=_begin, initargs=(partial(make, *arguments),)
        )
        # Ctrl-C strikes in the main thread. Within the queue that pebble schedules by, it can leave a waiter behind
        # that is woken instead of the next one, and `join` would wait for ever: so another thread schedules
        self._scheduler = ThreadPoolExecutor(max_workers=1)
        with interrupted_later():
            # the first that is scheduled starts the processes
            self._can_work = self._scheduler.submit(self._pool.schedule, _get_ready)
            wait([self._can_work])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        with self._scheduler:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._scheduler.submit(self._pool.join).result()

    def map(
        self, work: Callable[[Any, Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result | FailedTask]]:
        """Items with the result of `work`, which gets the tools and an item, in order. Its exceptions are raised here.

        Raises ExtractionError when workers cannot start.
        """
        self._start()
        coming = iter(items)
        running = deque((item, self._schedule(work, item)) for item in islice(coming, self._waiting))
        while running:
            item, future = running.popleft()
            result = _result(future.result())
            running.extend((item, self._schedule(work, item)) for item in islice(coming, 1))
            yield item, result

    def _start(self) -> None:
        """Without this, one item after another would be blamed for workers that cannot start."""
        try:
            self._can_work.result().result()
        except ProcessExpired as died:
            raise ExtractionError(
                f"A worker process cannot start ({_how(died)}): `kallos doctor` shows what is installed."
            ) from died

    def _schedule(self, work: Callable[[Any, Item], Result], item: Item) -> Future[Future[Result]]:
        return self._scheduler.submit(self._pool.schedule, _work, args=(work, item), timeout=SECONDS_AN_ITEM)


@contextmanager
def interrupted_later() -> Iterator[None]:
    """Processes that start within it ignore Ctrl-C, or they would print a traceback while they import; here it waits.

    In other threads than the main one, where no handler can be set, nothing changes.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or handler is None:
        yield
        return
    interrupts: list[int] = []
    # it starts with the first process, and would unblock the signal then
    resource_tracker.ensure_running()
    # what starts within inherits this
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    # threads that are there already take the signal all the same: ignored, it would be lost
    signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        if interrupts:
            signal.raise_signal(signal.SIGINT)


class _Process:
    """A worker process: gives its tools, which are made when they are first needed."""

    tools: ClassVar[Callable[[], object]]


def _begin(make: Callable[[], object]) -> None:
    """Runs in a new process, which gets one core: more threads would busy-wait for those of other processes."""
    threadpool_limits(1)
    cv2.setNumThreads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # for libraries that are loaded later, such as torch
    _Process.tools = cache(make)


def _get_ready() -> None:
    _Process.tools()


def _work(work: Callable[[Any, Item], Result], item: Item) -> Result:
    return work(_Process.tools(), item)


def _result(future: Future[Result]) -> Result | FailedTask:
    try:
        return future.result()
    except ProcessExpired as died:
        return FailedTask("crash", f"the worker process died ({_how(died)})", float("nan"))
    except TimeoutError:
        return FailedTask("timeout", f"took longer than {SECONDS_AN_ITEM:g} s", SECONDS_AN_ITEM * 1000)


def _how(died: ProcessExpired) -> str:
    return signal.Signals(-died.exitcode).name if died.exitcode < 0 else f"exit code {died.exitcode}"
