"""Photos and videos to scores, one row a face; many are distributed over worker processes."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

import cv2
import polars as pl

from ensemble.parts import Parts
from ensemble.predictor import Predictor
from extractors.errors import InputError, KallosError, NoFaceError, PhotoError
from extractors.photo import Photo, read_photo
from extractors.tracking import Tracker
from extractors.video import frames_in_file, frames_of_camera, frames_of_file
from featurestore.errors import UsageError
from featurestore.records import Explanation, Prediction, Sight
from kallos.engines.pool import FailedTask, Pool
from kallos.workflows.photos import Photos, Source, sources_in
from kallos.workflows.progress import OnProgress, ignore
from kallos.workflows.trained_models import open_parts
from reports.pages.prediction_overlay import draw_overlay
from reports.pages.prediction_table import row, table

log = logging.getLogger(__name__)

MIN_PARALLEL = 32
"""Below this many photos, one process is faster than starting workers, and each photo gets its own panel."""
EVERY = 10
"""Frames of a video from one that is looked at to the next."""
BEFORE_CAMERA = 10.0
"""Seconds that a camera is looked through."""

Answer: TypeAlias = Prediction | Explanation | KallosError


@dataclass(frozen=True)
class ScoreOptions:
    """How to score.

    group     the subset whose calibration is used
    overlays  folder for pictures with landmarks and scores
    explain   whether to say what each score consists of
    every     which frames of videos are looked at
    seconds   how long videos and cameras are; None for whole videos
    """

    group: str | None = None
    overlays: Path | None = None
    explain: bool = False
    every: int = EVERY
    seconds: float | None = None

    def check(self, sources: Sequence[Source]) -> None:
        """Raises UsageError."""
        if self.every < 1 or (self.seconds is not None and self.seconds <= 0):
            raise UsageError("Frames are taken each 1st, 2nd, ..., for more than 0 seconds.")
        if (self.overlays or self.explain) and any(source.moves for source in sources):
            raise UsageError("Overlays and explanations are of photos alone: score videos without.")


@dataclass(frozen=True, eq=False)
class Scored:
    """What is said of a photo, or of one face in a frame of a video; `sight` says which."""

    source: Source
    answer: Answer
    sight: Sight | None


@dataclass(frozen=True, eq=False)
class _Picture:
    """What a worker looks at: a photo, or a frame, all of whose faces count."""

    source: Source
    photo: Photo | None
    problem: KallosError | None = None
    overlay: Path | None = None
    sight: Sight | None = None


def score(
    photos: Photos,
    *,
    bundle: str | Path | None = None,
    store: str | Path = "kallos.duckdb",
    protocol: str | None = None,
    fold: int | None = None,
    group: str | None = None,
    data_set: str | None = None,
    explain: bool = False,
    overlays: str | Path | None = None,
    every: int = EVERY,
    seconds: float | None = None,
    on_progress: OnProgress = ignore,
) -> pl.DataFrame:
    """Scores as a table with one row a photo, by a bundle or else by the models that the store trained last.

    photos    a path, the bytes of a photo file, a PIL image, (h, w, 3) uint8 RGB pixels, or any number of these; a path
              may be that of a folder, a pattern such as `photos/*.jpg`, a video file, or `camera`, `camera:1`
    explain   also columns that say what the score consists of, as in `kallos explain`
    overlays  folder for pictures of the photos with landmarks and score
    every     of a video one frame of so many is scored; each of its faces has a row, and a number that it keeps
    seconds   how much of a video is scored, by default all; how long a camera is looked through, by default 10 s

    A photo that cannot be used has a row with the reason in `problem`. Columns as in the files of `kallos score --csv`.
    32 photos and more are shared among all cores, and `on_progress` hears of each. Raises UsageError, and as
    `kallos.load_bundle`.
    """
    sources = sources_in(photos)
    options = ScoreOptions(group, Path(overlays) if overlays else None, explain, every, seconds)
    options.check(sources)
    parts = open_parts(Path(store), Path(bundle) if bundle else None, protocol, fold, data_set)
    answers = score_photos(parts, sources, options, on_progress)
    return table([row(each.source.name, each.answer, group, each.sight) for each in answers])[0]


def score_photos(
    parts: Parts, sources: Sequence[Source], options: ScoreOptions, on_progress: OnProgress = ignore
) -> Iterator[Scored]:
    """An answer for each photo and for each face of each frame, in order; overlays are written along the way.

    What cannot be used gives its error, and the others go on. Memory does not grow with the photos.
    """
    options.check(sources)
    total = sum(_frames(source, options) for source in sources)
    is_many = total >= MIN_PARALLEL or any(source.camera is not None for source in sources)
    pictures = _pictures(sources, options)
    trackers = defaultdict[Source, Tracker](Tracker)
    answered = (_score_in_parallel if is_many else _score_serially)(parts, pictures, options)
    for number, (picture, answers) in enumerate(answered, start=1):
        if is_many:
            on_progress(number, max(number, total), "scoring")
        if picture.overlay and not isinstance(answers[0], KallosError):
            log.info("wrote %s", picture.overlay)
        yield from _by_face(picture, answers, trackers[picture.source])


def _frames(source: Source, options: ScoreOptions) -> int:
    """How many pictures to expect of a source."""
    is_file = source.moves and source.camera is None
    return frames_in_file(source.name, options.every) if is_file else 1


def _by_face(picture: _Picture, answers: Sequence[Answer], tracker: Tracker) -> Iterator[Scored]:
    seen = [answer for answer in answers if isinstance(answer, Prediction)]
    if picture.sight is None or not seen:
        yield Scored(picture.source, answers[0], picture.sight)
        return
    faces = tracker.follow([each.landmarks for each in seen], picture.sight.seconds)
    for face, answer in sorted(zip(faces, seen, strict=True), key=lambda pair: pair[0]):
        yield Scored(picture.source, answer, replace(picture.sight, face=face))


def _pictures(sources: Sequence[Source], options: ScoreOptions) -> Iterator[_Picture]:
    """Photos, and the frames of videos as they are needed."""
    for source, overlay in zip(sources, _overlays(sources, options.overlays), strict=True):
        if not source.moves:
            yield _Picture(source, source.photo, source.problem, overlay)
            continue
        try:
            if source.camera is None:
                frames = frames_of_file(source.name, options.every, options.seconds)
            else:
                frames = frames_of_camera(source.camera, options.every, options.seconds or BEFORE_CAMERA)
            for frame in frames:
                yield _Picture(source, frame.pixels, sight=Sight(frame.number, frame.seconds, None))
        except (InputError, PhotoError) as error:
            yield _Picture(source, None, error)


def _overlays(sources: Sequence[Source], folder: Path | None) -> Iterator[Path | None]:
    """Where each photo's overlay goes; photos of one name, from several folders, must not overwrite each other."""
    stems = Counter(source.name.stem for source in sources)
    for number, source in enumerate(sources, start=1):
        stem = source.name.stem
        name = stem if stems[stem] == 1 else f"{stem}_{number}"
        yield folder / f"{name}_overlay.png" if folder else None


_Answered: TypeAlias = Iterator[tuple[_Picture, Sequence[Answer]]]


def _score_serially(parts: Parts, pictures: Iterator[_Picture], options: ScoreOptions) -> _Answered:
    with Predictor(parts) as predictor:
        for picture in pictures:
            yield picture, _answers(predictor, picture, options=options)


def _score_in_parallel(parts: Parts, pictures: Iterator[_Picture], options: ScoreOptions) -> _Answered:
    with Pool(Predictor, parts) as pool:
        for picture, answers in pool.map(partial(_answers, options=options), pictures):
            if isinstance(answers, FailedTask):
                answers = [PhotoError(f"{picture.source.name}: {answers.detail}")]
            yield picture, answers


def _answers(predictor: Predictor, picture: _Picture, *, options: ScoreOptions) -> Sequence[Answer]:
    if picture.problem or picture.photo is None:
        return [picture.problem or InputError(f"{picture.source.name} holds nothing: give a photo.")]
    try:
        if picture.sight:
            return predictor.predict_faces(picture.photo, options.group)
        scored = predictor.explain if options.explain else predictor.predict
        answer: Prediction | Explanation = scored(picture.photo, options.group)
    except NoFaceError as error:
        frame = picture.sight and PhotoError(f"{picture.source.name}, frame {picture.sight.frame}: no face was found.")
        return [frame or error]
    except (InputError, PhotoError) as error:
        return [error]
    if picture.overlay:
        _write_overlay(picture.photo, answer.prediction if isinstance(answer, Explanation) else answer, picture.overlay)
    return [answer]


def _write_overlay(photo: Photo, prediction: Prediction, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    overlay = draw_overlay(read_photo(photo)[1], prediction)
    # imwrite does not report a full disk
    _, png = cv2.imencode(".png", cv2.cvtColor(overlay, cv2.COLOR_RGB2BGR))
    target.write_bytes(png.tobytes())
