"""Trained models as a bundle to deploy, or as a Hugging Face Space around it."""

import logging
import tempfile
from pathlib import Path

from ensemble.bundle import export as write_bundle
from ensemble.bundle import open_bundle
from featurestore.errors import UsageError
from kallos.workflows.extras import TRAINING, need
from kallos.workflows.stores import open_for_reading
from kallos.workflows.trained_models import trained_parts
from models.registry import ENSEMBLE
from reports.cards.write import cards

log = logging.getLogger(__name__)


def export(
    store: str | Path,
    folder: str | Path,
    *,
    protocol: str | None = None,
    fold: int | None = None,
    onnx: bool = True,
    space: bool = False,
    browser: bool = False,
) -> Path:
    """Write the ensemble trained last, or that of a fold, with all that a prediction needs.

    `onnx` writes networks as ONNX graphs, which need no torch; `space` writes a self-contained Space with the bundle,
    `browser` a static page in its place. Raises InputError when the folder holds anything else; nothing is deleted.
    Raises UsageError for a Space that is a page.
    """
    if browser and (space or not onnx):
        raise UsageError("A page is no Space, and its networks are graphs: leave out --space and --no-onnx.")
    if onnx:
        need("train", *TRAINING)
    if space:
        need("web", "fastapi", "python_multipart", "uvicorn")
    with open_for_reading(Path(store)) as opened:
        parts = trained_parts(opened, protocol, fold)
        texts = cards(opened, parts.run_ids[ENSEMBLE])
    if onnx:
        log.info("writing the networks as graphs")
    if browser:
        from kallos.workflows.browser import export_page

        with tempfile.TemporaryDirectory() as scratch:
            return export_page(open_bundle(write_bundle(parts, texts, Path(scratch) / "bundle")), Path(folder))
    if space:
        from kallos.workflows.space import export_space

        return export_space(parts, texts, Path(folder), onnx=onnx)
    return write_bundle(parts, texts, Path(folder), onnx=onnx)
