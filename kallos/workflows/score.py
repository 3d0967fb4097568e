"""Photos to predictions; many photos are distributed over worker processes."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import cv2

from ensemble.parts import Parts
from ensemble.predictor import Predictor
from extractors.decode import decode
from extractors.errors import InputError, PhotoError
from featurestore.errors import UsageError
from featurestore.folders import beside_line, contents
from featurestore.records import Prediction
from kallos.engines.pool import FailedTask, Pool
from kallos.workflows.progress import OnProgress, ignore
from kallos.workflows.trained_models import open_parts
from reports.pages.prediction_overlay import draw_overlay

log = logging.getLogger(__name__)

MIN_PARALLEL = 32
"""Below this many photos, one process is faster than starting workers, and each photo gets its own panel."""


@dataclass(frozen=True)
class ScoreRequest:
    """A photo, the group whose calibration to use, and the file for the overlay, if any."""

    photo: Path
    group: str | None
    overlay: Path | None


def score(
    photos: str | Path | Sequence[str | Path],
    *,
    bundle: str | Path | None = None,
    store: str | Path | None = None,
    protocol: str | None = None,
    fold: int | None = None,
    group: str | None = None,
    data_set: str | None = None,
    overlays: str | Path | None = None,
    on_progress: OnProgress = ignore,
) -> list[Prediction | PhotoError]:
    """Predictions of photos and of all photos in folders, by a bundle or by the models that a store trained last.

    A photo that cannot be used gives its PhotoError in place of a prediction, and the others go on. For photos that are
    not files, see `kallos.load_bundle`, which says what `data_set` is. Raises UsageError where neither bundle nor store
    is named.
    """
    if bundle is None and store is None:
        raise UsageError("Give a bundle or a store, whose models score the photos.")
    named = [photos] if isinstance(photos, str | Path) else photos
    chosen, _ = photos_in([Path(photo) for photo in named])
    parts = open_parts(Path(store or ""), Path(bundle) if bundle else None, protocol, fold, data_set)
    return list(score_photos(parts, chosen, Path(overlays) if overlays else None, group, on_progress))


def photos_in(paths: list[Path]) -> tuple[list[Path], int]:
    """Photos, and all photos below folders; and the number of unreadable ones, each of which is logged.

    Other files of a folder are summed up in one log line. Raises InputError for a path that is not there, and
    for a folder without photos.
    """
    chosen, refused = list[Path](), 0
    for path in paths:
        if not path.is_dir():
            if not path.is_file():
                raise InputError(f"{path} does not exist: give the path of a photo or of a folder of photos.")
            chosen.append(path)
            continue
        inside = contents(path)
        for name, reason in inside.refused:
            log.info("kallos: %s", InputError(f"{name} {reason}."))
        if not inside.photos:
            raise InputError(f"{path} holds no photo that can be read: give a folder with JPEG or PNG files.")
        if line := beside_line(inside.beside):
            log.info("%s: %s", path, line)
        chosen += inside.photos
        refused += len(inside.refused)
    return chosen, refused


def score_photos(
    parts: Parts, photos: list[Path], overlays: Path | None, group: str | None = None, on_progress: OnProgress = ignore
) -> Iterator[Prediction | PhotoError]:
    """A prediction or an error for each photo, in order; overlays are written along the way.

    A photo that cannot be used gives its PhotoError, and the others go on. Memory does not grow with the photos.
    """
    requests = [
        ScoreRequest(photo, group, target) for photo, target in zip(photos, _overlays(photos, overlays), strict=True)
    ]
    many = len(requests) >= MIN_PARALLEL
    answers = _score_in_parallel(parts, requests) if many else _score_serially(parts, requests)
    for number, (request, answer) in enumerate(answers, start=1):
        if many:
            on_progress(number, len(requests), "scoring")
        if request.overlay and isinstance(answer, Prediction):
            log.info("wrote %s", request.overlay)
        yield answer


def _overlays(photos: list[Path], folder: Path | None) -> Iterator[Path | None]:
    """Where each photo's overlay goes; photos of one name, from several folders, must not overwrite each other."""
    stems = Counter(photo.stem for photo in photos)
    for number, photo in enumerate(photos, start=1):
        name = photo.stem if stems[photo.stem] == 1 else f"{photo.stem}_{number}"
        yield folder / f"{name}_overlay.png" if folder else None


Answers = Iterator[tuple[ScoreRequest, Prediction | PhotoError]]


def _score_serially(parts: Parts, requests: list[ScoreRequest]) -> Answers:
    with Predictor(parts) as predictor:
        for request in requests:
            yield request, _answer(predictor, request)


def _score_in_parallel(parts: Parts, requests: list[ScoreRequest]) -> Answers:
    with Pool(_set_state, parts, ready=_get_ready) as pool:
        for request, answer in pool.map(_answer_in_worker, requests):
            yield request, PhotoError(f"{request.photo}: {answer.detail}") if isinstance(answer, FailedTask) else answer


def _answer(predictor: Predictor, request: ScoreRequest) -> Prediction | PhotoError:
    try:
        prediction = predictor.predict(request.photo, request.group)
    except PhotoError as error:
        return error
    if request.overlay:
        _write_overlay(prediction, request.overlay)
    return prediction


def _write_overlay(prediction: Prediction, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    picture = draw_overlay(decode(prediction.photo), prediction)
    # imwrite does not report a full disk
    _, png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    target.write_bytes(png.tobytes())


class _WorkerState:
    """Set once in each worker process."""

    parts: ClassVar[Parts]


def _set_state(parts: Parts) -> None:
    _WorkerState.parts = parts


@cache
def _predictor() -> Predictor:
    return Predictor(_WorkerState.parts)


def _get_ready() -> None:
    _predictor()


def _answer_in_worker(request: ScoreRequest) -> Prediction | PhotoError:
    return _answer(_predictor(), request)
