"""`kallos weights`: the pretrained weights that kallos knows, which of them are here, and their terms."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import RenderableType

from models.networks.known_weights import KNOWN
from reports.render.layout import dim, number, page, plain_table, section

ELSEWHERE = (
    "imagenet is known of every other network of torchvision and timm, too: --download fetches it. A .safetensors "
    "file is taken by its path; kallos does not know its terms."
)
OF_KNOWN = (
    *("network", "mean", "std", "sha256", "licence", "trained_on", "data_terms", "research_only", "pearson"),
    "how_to_get",
)
"""Fields of a line that are those of `KnownWeights`."""


@dataclass(frozen=True)
class WeightsLine:
    """Weights of one network.

    weights        what `--weights` calls them
    mean, std      of RGB in [0, 1], subtracted and divided by
    sha256         of what is published: the packaged file, or the converted tensors
    research_only  whether the terms of the weights or of their data exclude other uses
    pearson        correlation with the scores of fold 1 of SCUT-FBP5500, of a ridge regression on its pooled features;
                   None where not measured
    file           where they are on this machine; None where they are not
    how_to_get     what to do then
    """

    weights: str
    network: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    sha256: str
    licence: str
    trained_on: str
    data_terms: str
    research_only: bool
    pearson: float | None
    file: Path | None
    how_to_get: str


@dataclass(frozen=True)
class WeightsReport:
    """What is known."""

    lines: tuple[WeightsLine, ...]


def data() -> WeightsReport:
    return WeightsReport(
        tuple(
            WeightsLine(known.name, **{name: getattr(known, name) for name in OF_KNOWN}, file=known.file())
            for known in KNOWN
        )
    )


def render(report: WeightsReport) -> RenderableType:
    table = plain_table("weights", "network", "here", "licence", "trained on", "research only", "PC", text=range(6))
    for line in report.lines:
        use, here = ("yes" if answer else "no" for answer in (line.research_only, line.file))
        table.add_row(line.weights, line.network, here, line.licence, line.trained_on, use, number(line.pearson, 2))
    data = dict.fromkeys(f"{line.trained_on}: {line.data_terms}" for line in report.lines)
    missing = _missing(report.lines)
    return page(
        "Weights",
        f"{sum(line.file is not None for line in report.lines)} of {len(report.lines)} known ones are here",
        table,
        dim(
            f"{'; '.join(data)}. PC: ridge on the pooled features, on the test photos of "
            "fold 1 of SCUT-FBP5500: whoever chooses by it has looked at them."
        ),
        section("How to get the others", *map(dim, missing)) if missing else None,
        dim(ELSEWHERE),
    )


def _missing(lines: Sequence[WeightsLine]) -> list[str]:
    ways = dict.fromkeys(line.how_to_get for line in lines if not line.file)
    named = {way: [f"{line.weights} of {line.network}" for line in lines if line.how_to_get == way] for way in ways}
    return [f"{', '.join(names)}: {way}" for way, names in named.items()]
