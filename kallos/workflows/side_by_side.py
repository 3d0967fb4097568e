"""Fits of several parts at once, each in a process of its own with its share of the threads.

Threads of one fit wait for each other after every operation, fits side by side for nothing: alone they take half of the
time, beside other programs no more (docs/lab/training-step.md).
"""

from __future__ import annotations

import json
import os
import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context, parent_process
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from extractors.errors import KallosError
from featurestore.errors import ExtractionError
from featurestore.machine import origin
from featurestore.records import Epoch, FaceBatch
from featurestore.staging import staging
from kallos.engines.pool import interrupted_later
from models.spec import Fitter, Listener, Model

ORIGIN, CHECKPOINT = "origin.json", "checkpoint"
POLL_SECONDS = 0.5
"""Seconds between looks at whether the processes still live."""


@dataclass(frozen=True)
class Place:
    """Where the fit of a part is kept, and the name of the file of its epochs there."""

    part: int
    folder: Path
    history: str


def fits_at_once(missing: int) -> int:
    """How many of the missing fits run side by side: on a processor, one a thread that torch has."""
    return 1 if torch.cuda.is_available() else max(1, min(missing, torch.get_num_threads()))


def fit(
    fitter: Fitter, train: FaceBatch, watched: FaceBatch, place: Place, computing: Mapping[str, Any], listener: Listener
) -> Model:
    """Fit one part and keep it in its place, with its epochs and where it was made."""
    epochs: list[Epoch] = []

    def on_epoch(epoch: Epoch) -> None:
        epochs.append(epoch)
        listener.on_epoch(epoch)

    model = fitter.fit(train, watched, replace(listener, on_epoch=on_epoch), computing)
    place.folder.mkdir(parents=True, exist_ok=True)
    uses_gpu = train.faces is not None and torch.cuda.is_available()
    device = torch.cuda.get_device_name() if uses_gpu else "processor"
    (place.folder / ORIGIN).write_text(json.dumps(origin(device, computing)))
    (place.folder / place.history).write_text(json.dumps([asdict(epoch) for epoch in epochs]))
    model.save(place.folder)
    return model


def fit_side_by_side(
    fitter: Fitter,
    places: Sequence[Place],
    rows: tuple[FaceBatch, FaceBatch, NDArray[np.int64]],
    computing: Mapping[str, Any],
    processes: int,
    scratch: Path,
    on_epoch: Callable[[int, Epoch], None],
    on_step: Callable[[int, int], None],
) -> None:
    """Fit the parts of `rows`, which are training rows, val rows, and the part of each training row.

    `on_epoch` gets the part too; `on_step` gets the steps done and in all, of these parts together. Faces lie beside
    `scratch` meanwhile, where every process finds them, and the next fits find what a killed command left. Raises
    ExtractionError when a process dies, and what a fit raises.
    """
    context = get_context("spawn")
    events: Queue[Any] = context.Queue()
    train, val, part_of = rows
    done = dict.fromkeys((place.part for place in places), 0)
    with staging(scratch) as folder:
        shared = [_lay_down(batch, folder / f"{name}.npy") for name, batch in (("train", train), ("val", val))]
        workers = [
            context.Process(target=_work, args=(fitter, places[one::processes], shared, part_of, computing, events))
            for one in range(processes)
        ]
        try:
            with interrupted_later():
                for worker in workers:
                    worker.start()
            for event in _events_of(workers, events):
                match event:
                    case part, Epoch() as epoch:
                        on_epoch(part, epoch)
                    case part, steps, total:
                        done[part] = steps
                        on_step(sum(done.values()), total * len(places))
        finally:
            for worker in workers:
                worker.kill()
                worker.join()


def _events_of(workers: Sequence[SpawnProcess], events: Queue[Any]) -> Iterator[Any]:
    """What workers tell until the last has ended. Raises what one raised, and ExtractionError when one dies."""
    at_work = len(workers)
    while at_work:
        try:
            event = events.get(timeout=POLL_SECONDS)
        except queue.Empty:
            if died := [worker for worker in workers if worker.exitcode]:
                raise ExtractionError(
                    f"A process that trained died (exit code {died[0].exitcode}): run the same command again, "
                    "what was trained is kept."
                ) from None
            continue
        if isinstance(event, KallosError):
            raise event
        if event is None:
            at_work -= 1
        else:
            yield event


def _lay_down(batch: FaceBatch, file: Path) -> tuple[FaceBatch, Path | None]:
    """A batch without its faces, and the file that has them: processes would copy them once more each."""
    if batch.faces is None:
        return batch, None
    np.save(file, batch.faces)
    return replace(batch, faces=None), file


def _work(
    fitter: Fitter,
    places: Sequence[Place],
    shared: Sequence[tuple[FaceBatch, Path | None]],
    part_of: NDArray[np.int64],
    computing: Mapping[str, Any],
    events: Queue[Any],
) -> None:
    """The process of some fits."""
    threadpool_limits(int(computing["threads"]))
    train, val = (replace(batch, faces=open_memmap(file, mode="r") if file else None) for batch, file in shared)
    parent = parent_process()
    try:
        for place in places:

            def on_step(done: int, total: int, part: int = place.part) -> None:
                if parent is None or not parent.is_alive():
                    os._exit(1)  # killed, it could not end this process
                events.put((part, done, total))

            def on_epoch(epoch: Epoch, part: int = place.part) -> None:
                events.put((part, epoch))

            learned, held_out = train.take(part_of != place.part), train.take(part_of == place.part)
            listener = Listener(on_epoch, on_step, place.folder / CHECKPOINT)
            fit(fitter, learned, val if len(val) else held_out, place, computing, listener)
        events.put(None)
    except KallosError as problem:
        events.put(problem)
