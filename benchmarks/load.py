"""`make bench-load`: `kallos serve` under many clients at once: answers, errors, latency and memory.

Each client has an address of its own on this machine's loopback network, sends a drawn portrait of 350 x 350, waits for
the answer, and sends the next. One that is told to try later waits as long as it was told.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.serving import photos, server

PHOTOS = 200
TIMEOUT = 120
"""Seconds until a client calls it an error."""


@dataclass
class Load:
    """What happened: seconds of each answer, answers by status, and (seconds, MB) of the server's memory."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[float, float]] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bundle", type=Path, default=Path("demo/bundle"))
    parser.add_argument("--store", type=Path, default=Path("demo/kallos.duckdb"))
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=300)
    arguments = parser.parse_args()
    with server(arguments.bundle, arguments.store) as address:
        load = asyncio.run(_load(address, arguments.clients, arguments.seconds))
    Console(highlight=False).print(_table(load, arguments.clients, arguments.seconds))


async def _load(address: str, clients: int, seconds: float) -> Load:
    load, portraits, end = Load(), itertools.cycle(photos(PHOTOS)), time.monotonic() + seconds
    watching = asyncio.create_task(_watch(address, load))
    await asyncio.gather(*(_client(address, f"127.0.1.{n + 1}", portraits, end, load) for n in range(clients)))
    watching.cancel()
    return load


async def _client(address: str, own: str, portraits: itertools.cycle[bytes], end: float, load: Load) -> None:
    transport = httpx.AsyncHTTPTransport(local_address=own)
    async with httpx.AsyncClient(transport=transport, timeout=TIMEOUT) as client:
        while (began := time.monotonic()) < end:
            try:
                answer = await client.post(f"{address}/predict", files={"photo": ("photo.jpg", next(portraits))})
            except httpx.HTTPError as error:
                load.statuses[type(error).__name__] += 1
                continue
            load.statuses[str(answer.status_code)] += 1
            if answer.status_code == 200:
                load.seconds.append(time.monotonic() - began)
            elif again := answer.headers.get("Retry-After"):
                await asyncio.sleep(float(again))


async def _watch(address: str, load: Load) -> None:
    began = time.monotonic()
    async with httpx.AsyncClient(timeout=TIMEOUT) as client:
        while True:
            text = (await client.get(f"{address}/metrics")).text
            memory = float(re.findall(r"^kallos_resident_memory_bytes (\S+)", text, re.MULTILINE)[0])
            load.memory.append((time.monotonic() - began, memory / 1e6))
            await asyncio.sleep(1)


def _table(load: Load, clients: int, seconds: float) -> Table:
    table = Table("", "", title=f"kallos serve, {clients} clients for {seconds:.0f} s")
    later = load.statuses["429"] + load.statuses["503"]
    errors = {status: count for status, count in load.statuses.items() if status not in ("200", "429", "503")}
    table.add_row("answers, a second", f"{len(load.seconds):,}, {len(load.seconds) / seconds:.1f}")
    table.add_row("errors", ", ".join(f"{status}: {count}" for status, count in errors.items()) or "none")
    table.add_row("told to try later", f"{later:,}")
    median, most, nearly_all = np.percentile(load.seconds, [50, 95, 99])
    table.add_row(
        "seconds: median, 95 %, 99 %, longest", f"{median:.2f}, {most:.2f}, {nearly_all:.2f}, {max(load.seconds):.2f}"
    )
    for part in range(5):
        memories = [memory for moment, memory in load.memory if part <= 5 * moment / load.memory[-1][0] < part + 1]
        table.add_row(f"memory in fifth {part + 1}: mean, most", f"{np.mean(memories):.0f}, {max(memories):.0f} MB")
    return table


if __name__ == "__main__":
    main()
