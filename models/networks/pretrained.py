"""Pretrained weights on this machine: known ones, torchvision's and timm's. Nothing is fetched unless it is allowed."""

from pathlib import Path
from typing import Any

import torch
from torchvision.models import get_model_weights

from extractors.file_hash import sha256_of_file
from featurestore.errors import WeightsError
from models.networks.known_weights import KnownWeights, Package, known
from models.networks.weights import read_weights

CHOICES = "give --weights FILE (safetensors), or choose --weights none for a random network"
HUB_FILE = "model.safetensors"


def known_tensors(weights: KnownWeights) -> dict[str, torch.Tensor]:
    """Tensors by timm's names. Raises WeightsError when they are not here, or are not what they were."""
    file = weights.file()
    if file is None:
        what = f"The {weights.name} weights of {weights.network} are not on this machine"
        raise WeightsError(f"{what}: {weights.how_to_get}, or {CHOICES}.")
    if not isinstance(weights.source, Package):
        return read_weights(file)[0]
    if sha256_of_file(file) != weights.source.sha256:
        raise WeightsError(f"{file} is not the file that {weights.source.name} had: install the package again.")
    import timm

    state = torch.load(file, map_location="cpu", weights_only=True)
    with torch.device("meta"):
        names = timm.create_model(weights.network).state_dict()
    return dict(zip(names, state.values(), strict=True))


def torchvision_weights(name: str, download: bool) -> Any:
    """torchvision's best ImageNet weights of a network, in the torch hub's cache when this returns.

    Raises WeightsError when they are not there and may not or cannot be downloaded.
    """
    weights = get_model_weights(name).DEFAULT
    if not cached_file(weights).is_file():
        if not download:
            raise _not_here(name, f"add --download to fetch them ({weights.meta['_file_size']:.0f} MB)")
        try:
            weights.get_state_dict(progress=False, check_hash=True)
        except (OSError, RuntimeError) as problem:  # no network; a file whose hash is wrong
            raise _not_downloaded(name, problem) from problem
    return weights


def cached_file(weights: Any) -> Path:
    """Where torchvision keeps the downloaded file."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name


def timm_file(name: str, download: bool) -> tuple[Path, tuple[float, ...], tuple[float, ...]]:
    """timm's ImageNet weights of a network in the cache of the Hugging Face Hub, and the mean and sd of their input.

    Raises WeightsError when they are not there and may not or cannot be downloaded.
    """
    import timm
    from huggingface_hub import hf_hub_download

    settings = timm.get_pretrained_cfg(name)
    if settings is None or not settings.hf_hub_id:
        raise WeightsError(f"timm has no ImageNet weights of {name}: {CHOICES}.")
    try:
        file = hf_hub_download(settings.hf_hub_id, HUB_FILE, local_files_only=not download)
    except (OSError, ValueError) as problem:  # LocalEntryNotFoundError is both; no network
        if download:
            raise _not_downloaded(name, problem) from problem
        listed = known("imagenet", name)
        package = f"{listed.how_to_get}, or " if listed else ""
        raise _not_here(name, f"{package}add --download to fetch them") from problem
    return Path(file), settings.mean, settings.std


def _not_here(name: str, remedy: str) -> WeightsError:
    return WeightsError(f"The ImageNet weights of {name} are not on this machine: {remedy}, {CHOICES}.")


def _not_downloaded(name: str, problem: Exception) -> WeightsError:
    reason = str(problem).partition("\n")[0]
    return WeightsError(
        f"The ImageNet weights of {name} could not be downloaded ({reason}): try again with a network, {CHOICES}."
    )
