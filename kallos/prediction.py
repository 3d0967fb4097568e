"""What `kallos predict` does: photos to predictions, one after another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2

from ensemble.bundle import open_bundle
from ensemble.parts import Parts, parts_of_store
from ensemble.predictor import Predictor
from extractors.decode import decode, photo_paths
from featurestore.errors import PhotoError
from featurestore.records import Prediction
from kallos.console import note
from kallos.stores import open_for_reading
from reports.overlay import draw_overlay


def open_parts(store: Path, bundle: Path | None, protocol: str | None, fold: int | None) -> Parts:
    """The models of a bundle, or those trained last in the store."""
    if bundle:
        return open_bundle(bundle)
    with open_for_reading(store) as opened:
        return parts_of_store(opened, protocol, fold)


def predict_each(
    parts: Parts, photos: list[Path], overlay: Path | None, group: str | None = None
) -> Iterator[Prediction | PhotoError]:
    """What can be said of each photo in files and folders, in order; overlays are written on the way.

    A photo that cannot be used gives its PhotoError, and the others go on.
    """
    paths = [path for given in photos for path in photo_paths(given)]
    stems = Counter(path.stem for path in paths)
    with Predictor(parts) as predictor:
        for number, path in enumerate(paths, start=1):
            try:
                prediction = predictor.predict(path, group)
            except PhotoError as error:
                yield error
                continue
            if overlay:
                # photos of one name, from several folders, must not overwrite each other
                name = path.stem if stems[path.stem] == 1 else f"{path.stem}_{number}"
                note(f"wrote {_write_overlay(prediction, overlay / f'{name}_overlay.png')}")
            yield prediction


def _write_overlay(prediction: Prediction, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    picture = draw_overlay(decode(prediction.photo), prediction)
    # imwrite says nothing of a disk that is full
    _, png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    target.write_bytes(png.tobytes())
    return target
