"""Options that several commands share."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.outputs import output_option

StorePath = Annotated[
    Path, typer.Option("--store", envvar="KALLOS_STORE", help="The DuckDB file.", rich_help_panel="Store")
]
DEFAULT_STORE = Path("kallos.duckdb")
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of tables for people.")]
Protocol = Annotated[
    str | None,
    typer.Option("--protocol", "-p", help="Split protocol, such as scut-5fold; of several data sets: a-5fold+b-5fold."),
]
Fold = Annotated[int | None, typer.Option("--fold", "-k", help="Fold of the protocol, from 1.", min=1)]
Weights = Annotated[
    str,
    typer.Option(
        "--weights",
        help="What the network starts from: a name that `kallos weights` lists, a .safetensors file, or none (random).",
    ),
]
Encoder = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        help="Any network of torchvision or timm, or several: a+b.  [default: the store's, else tf_efficientnet_lite0]",
    ),
]
EncoderWeights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        help="A name that `kallos weights` lists, a .safetensors file, or none (random).  "
        "[default: the store's, else imagenet]",
    ),
]
Download = Annotated[bool, typer.Option("--download", help="Allow torchvision and timm to fetch ImageNet weights.")]
Csv = Annotated[Path | None, output_option("Write the table into this csv file, or - for stdout.", "--csv")]
Parquet = Annotated[Path | None, output_option("Write the table into this Parquet file.", "--parquet")]
Sav = Annotated[Path | None, output_option("Write the table into this SPSS file, with labels.", "--sav")]


def with_parameters(command: Callable[..., None], parameters: Iterable[Parameter]) -> Callable[..., None]:
    """The command with these parameters, given by name, in place of those in its signature: typer reads them."""
    by_name = [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in parameters]
    command.__signature__ = Signature(by_name)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in by_name}
    return command


class PictureFormat(StrEnum):
    """Formats of figures."""

    PNG = "png"
    SVG = "svg"
