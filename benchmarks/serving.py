"""`make bench-serving`: `kallos serve` as people meet it, from the typed command to the answer on the page.

Photos are drawn at 350 x 350. The API is asked by an HTTP client, the page by headless Chromium where there is one.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import httpx
from PIL import Image
from rich.console import Console
from rich.table import Table

from kallos.portraits.painter import paint
from kallos.portraits.parameters import draw_parameters
from tests.waiting import wait_for_server

TIMES = 20
CLOCK = """() => {
    addEventListener("click", () => { window.clicked = performance.now() }, true);
    new MutationObserver(() => {
        // once the answer is drawn: in the frame after the next
        requestAnimationFrame(() => requestAnimationFrame(() => { window.answered ??= performance.now(); }));
    }).observe(document.getElementById("answer"), {childList: true});
}"""
"""The page's own clock: asked from outside, the answer seems half a second later."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bundle", type=Path, default=Path("demo/bundle"))
    parser.add_argument("--store", type=Path, default=Path("demo/kallos.duckdb"))
    arguments = parser.parse_args()
    table = Table("", "seconds", title="kallos serve, 350 x 350 photos")
    began = time.perf_counter()
    with server(arguments.bundle, arguments.store) as address:
        portraits = iter(photos(2 * TIMES + 11))
        table.add_row("from the command to a page that answers", f"{time.perf_counter() - began:.2f}")
        table.add_row("first photo, POST /predict", f"{_seconds(lambda: _ask(address, next(portraits))):.3f}")
        later = sorted(_seconds(lambda: _ask(address, next(portraits))) for _ in range(TIMES))
        table.add_row(
            f"later photos, POST /predict: median and slowest of {TIMES}", f"{median(later):.3f}, {later[-1]:.3f}"
        )
        ten = [next(portraits) for _ in range(10)]
        with ThreadPoolExecutor(10) as people:
            all_ten = _seconds(lambda: list(people.map(lambda photo: _ask(address, photo), ten)))
        table.add_row("ten people at once: until the last has an answer", f"{all_ten:.2f}")
        if browser := shutil.which("chromium") or shutil.which("google-chrome"):
            first, *others = _on_the_page(address, browser, [next(portraits) for _ in range(TIMES)])
            table.add_row("first photo on the page, click to answer with its picture", f"{first:.3f}")
            table.add_row(
                f"later photos on the page: median and slowest of {TIMES - 1}",
                f"{median(others):.3f}, {max(others):.3f}",
            )
    Console(highlight=False).print(table)


@contextlib.contextmanager
def server(bundle: Path, store: Path) -> Iterator[str]:
    """Its address, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "kallos", "serve", "--bundle", bundle, "--store", store, "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        address = f"http://127.0.0.1:{port}"
        wait_for_server(address, process, pause=0.02)
        yield address
        process.send_signal(signal.SIGINT)


def photos(count: int) -> list[bytes]:
    """JPEGs of portraits that the server has not seen."""
    jpegs = []
    for seed in range(1000, 1000 + count):
        file = io.BytesIO()
        Image.fromarray(paint(draw_parameters(seed), 350)).save(file, "JPEG")
        jpegs.append(file.getvalue())
    return jpegs


def _ask(address: str, photo: bytes) -> None:
    httpx.post(f"{address}/predict", files={"photo": ("photo.jpg", photo)}, timeout=60).raise_for_status()


def _on_the_page(address: str, browser: str, photos: list[bytes]) -> list[float]:
    """From the click to the picture of the answer, photo by photo."""
    from playwright.sync_api import sync_playwright

    seconds = []
    with sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page()
        for photo in photos:
            page.goto(address)
            page.locator("[name=photo]").set_input_files(
                {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": photo}
            )
            page.get_by_text("is chosen").wait_for()
            page.evaluate(CLOCK)
            page.get_by_role("button", name="Score this photo").click()
            page.wait_for_function("() => window.answered")
            seconds.append(page.evaluate("() => (window.answered - window.clicked) / 1000"))
        chromium.close()
    return seconds


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
