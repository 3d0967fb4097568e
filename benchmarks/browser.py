"""`make bench-browser`: the page of `kallos export --browser` beside `kallos score`, in headless Chromium.

How far scores, landmarks and features of the same photos lie apart, how long the page takes, and how large it is.
"""

from __future__ import annotations

import argparse
import base64
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ensemble.bundle import open_bundle
from ensemble.predictor import Predictor
from extractors.errors import PhotoError
from featurestore.folders import contents
from featurestore.records import Prediction
from kallos.workflows.browser import export_page

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SOFTWARE = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
"""A graphics card drawn by the processor: MediaPipe wants one, and a server has none."""
SCORE = """async photo => kallosScore(new File([Uint8Array.from(atob(photo), c => c.charCodeAt(0))], "photo"))"""
CLOSE = 0.01


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a static server of a folder, as `python -m http.server` is one."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def chromium(*arguments: str) -> Iterator[Any]:
    """A browser of playwright's."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*SOFTWARE, *arguments])
        yield browser
        browser.close()


def wait_until_ready(page: Any) -> None:
    """Raises TimeoutError of playwright's where the models are not loaded within five minutes."""
    page.wait_for_selector("html[data-ready]", state="attached", timeout=300_000)


def score_in(page: Any, photo: Path) -> dict[str, Any]:
    """What the page answers."""
    return dict(page.evaluate(SCORE, base64.b64encode(photo.read_bytes()).decode()))


def predictions(predictor: Predictor, photos: Sequence[Path]) -> dict[Path, Prediction]:
    """Of those photos that can be used."""
    found = {}
    for photo in photos:
        with suppress(PhotoError):
            found[photo] = predictor.predict(photo)
    return found


def differences(
    answers: Mapping[Path, Mapping[str, Any]], expected: Mapping[Path, Prediction], spread: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """measure -> how far the page's answers lie from predictions of the same photos.

    Scores in points, one a photo; the landmark furthest off, as a share of the face's width; features in standard
    deviations of the training rows, one for each feature of each photo, infinite where one side measured none.
    """
    differences_of: dict[str, list[float]] = {
        name: [] for name in ("score", "interval", "sub-scores", "landmarks", "features")
    }
    for photo, prediction in expected.items():
        answer = answers[photo]
        differences_of["score"].append(abs(answer["score"] - prediction.score))
        ends = [(answer[end], getattr(prediction, end)) for end in ("low", "high")]
        differences_of["interval"].append(max(abs(a - b) if b is not None else 0.0 for a, b in ends))
        differences_of["sub-scores"].append(
            max(abs(answer["sub_scores"][name] - v) for name, v in prediction.sub_scores.items())
        )
        landmarks = np.reshape(answer["landmarks"], prediction.landmarks.shape) - prediction.landmarks
        differences_of["landmarks"].append(float(np.abs(landmarks[:, :2]).max() / np.ptp(prediction.landmarks[:, 0])))
        values = np.array(
            [(answer["features"][name], value) for name, value in prediction.features.items()], dtype=np.float64
        )
        difference = np.abs(values[:, 0] - values[:, 1]) / spread
        difference[np.isnan(values).all(axis=1)] = 0
        differences_of["features"] += np.nan_to_num(difference, nan=np.inf).tolist()
    return {name: np.array(values) for name, values in differences_of.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos")
    parser.add_argument("--count", type=int, default=300, help="photos at most")
    arguments = parser.parse_args()
    photos = list(contents(arguments.photos).photos)[: arguments.count]
    parts = open_bundle(arguments.bundle)
    with tempfile.TemporaryDirectory() as place, Predictor(parts) as predictor, chromium() as browser:
        folder = export_page(parts, Path(place) / "page")
        with served(folder) as address:
            page = browser.new_page()
            began = time.monotonic()
            page.goto(address)
            wait_until_ready(page)
            loading = time.monotonic() - began
            expected = predictions(predictor, photos)
            answers = {photo: score_in(page, photo) for photo in expected}
            found = differences(answers, expected, predictor.normalization.sd)
        times = [answer["milliseconds"] for answer in answers.values()]
        table = Table("", "", title=f"The page beside `kallos score`, {len(found['score'])} photos")
        table.add_row(f"scores within {CLOSE} of a point", f"{100 * np.mean(found['score'] <= CLOSE):.1f} %")
        for name, values in found.items():
            table.add_row(
                f"{name}: median, 99 %, most", " ".join(f"{v:.5f}" for v in np.quantile(values, (0.5, 0.99, 1)))
            )
        table.add_row("from nothing to ready, s", f"{loading:.1f}")
        table.add_row("first score after that, s", f"{times[0]['all'] / 1000:.2f}")
        for name in times[0]:
            table.add_row(f"later, {name}, median s", f"{np.median([each[name] for each in times[1:]]) / 1000:.3f}")
        sizes = {
            path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()
        }
        table.add_row("all files, MB", f"{sum(sizes.values()) / 1e6:.1f}")
        for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:8]:
            table.add_row(f"  {name}", f"{size / 1e6:.2f}")
    Console(highlight=False).print(table)


if __name__ == "__main__":
    main()
