"""Saved models, restored by the kind that their `model.json` names."""

from pathlib import Path

from featurestore.errors import BundleError
from models.cross_fitted import CrossFitted, part_folders
from models.registry import MODELS
from models.serialization import DESCRIPTION, read_description
from models.spec import Model, resolve
from models.untrusted import as_bundle_error


def load_model(folder: Path) -> Model:
    """The model that was saved in a folder. Raises BundleError when there is none of a known kind."""
    kind = read_description(folder).get("kind")
    if kind == CrossFitted.kind:
        return CrossFitted([load_model(part) for part in part_folders(folder)])
    classes = {kind: named for spec in MODELS.values() for kind, named in spec.classes.items()}
    if not isinstance(kind, str) or kind not in classes:
        raise BundleError(f"{folder / DESCRIPTION} names no known kind of model, but {kind!r}: train it again.")
    try:
        loader = resolve(classes[kind])
    except ModuleNotFoundError as missing:
        raise BundleError(
            f"{folder} needs {missing.name}: `pip install 'kallos[train]'`, or export with --onnx."
        ) from missing
    with as_bundle_error(folder):
        model: Model = loader.load(folder)
    return model
