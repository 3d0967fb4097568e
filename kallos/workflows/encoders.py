"""The encoders of a store: those already used, and a newly requested one."""

import logging
import shutil
import time

from extractors.outputs import EMBEDDING
from extractors.values import EncoderIdentity, outputs
from featurestore.outputs import active_versions, encoder_folder, found_encoder
from featurestore.staging import staging
from featurestore.store import Store
from kallos.workflows.extras import TRAINING, need
from kallos.workflows.progress import OnProgress, ignore
from models.encoders.spec import EncoderSpec
from models.spec import DEFAULT_NETWORK

DEFAULT_WEIGHTS = "imagenet"

log = logging.getLogger(__name__)


def chosen_encoders(
    store: Store, name: str | None, weights: str | None, download: bool, on_progress: OnProgress = ignore
) -> list[EncoderSpec]:
    """The encoder of that id or architecture; by default those with stored embeddings, else EfficientNet-Lite0.

    By default the weights are those of the stored embeddings, else ImageNet's.
    Raises UsageError for an unknown network or where torch is not installed, WeightsError when weights are missing.
    """
    stored = known_encoders(store)
    if weights is None and (matching := [encoder for encoder in stored if name in (None, encoder.id, encoder.name)]):
        return [_current(store, encoder) for encoder in matching]
    need("train", *TRAINING)
    from models.encoders.network import EncoderNetwork

    built = EncoderNetwork.build(name or DEFAULT_NETWORK, weights or DEFAULT_WEIGHTS, download=download)
    if any((encoder.id, encoder.weights_sha256) == (built.name, built.weights_sha256) for encoder in stored):
        # earlier versions of kallos used the architecture as id
        built.id = built.name
    folder = encoder_folder(store, _version(built))
    if not folder.is_dir():
        began = time.monotonic()
        on_progress(0, 1, f"writing {built.name} as a graph")
        with staging(folder) as staged:
            built.save(staged)
            staged.rename(folder)
        log.info("wrote %s as a graph in %.0f s, once for this store", built.name, time.monotonic() - began)
    return [EncoderSpec.read(folder)]


def known_encoders(store: Store) -> list[EncoderSpec]:
    """The encoders with stored embeddings."""
    return [
        EncoderSpec.read(found_encoder(store, extractor.removeprefix(EMBEDDING), version))
        for extractor, version in active_versions(store).items()
        if extractor.startswith(EMBEDDING)
    ]


def _current(store: Store, encoder: EncoderSpec) -> EncoderSpec:
    """The encoder under the current version of its embeddings, which changes with that of landmarks."""
    folder = encoder_folder(store, _version(encoder))
    if not folder.is_dir():
        with staging(folder) as staged:
            shutil.copytree(encoder.folder, staged, dirs_exist_ok=True)
            staged.rename(folder)
    return EncoderSpec.read(folder)


def _version(encoder: EncoderIdentity) -> str:
    return outputs([encoder])[-1].version
