"""Training options, shared by `kallos train` and `kallos benchmark`."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, get_type_hints

import typer

from kallos.cli.options import Download, Weights, with_parameters
from models.spec import Options

_DEFAULT = Options()


@dataclass(frozen=True)
class TrainingOptions:
    """How models are trained; each field is an option of the command."""

    encoder: Annotated[str | None, typer.Option(help="Encoder whose embeddings models use: its id or network.")] = None
    backbone: Annotated[str, typer.Option(help="Model A: any network of torchvision or timm.")] = _DEFAULT.backbone
    weights: Weights = _DEFAULT.weights
    download: Download = _DEFAULT.download
    epochs: Annotated[int, typer.Option(help="Model A: epochs.", min=1)] = _DEFAULT.epochs
    image_size: Annotated[int, typer.Option(help="Model A: pixels a side.", min=32, max=256)] = _DEFAULT.image_size
    batch_size: Annotated[int, typer.Option(help="Model A: photos a step.", min=2)] = _DEFAULT.batch_size
    optimizer: Annotated[str, typer.Option(help="Model A: adamw or adam.")] = _DEFAULT.optimizer
    histogram: Annotated[
        float,
        typer.Option(help="Model A: weight of the raters' histogram in the loss; 0 is squared error alone.", min=0),
    ] = _DEFAULT.histogram
    precision: Annotated[
        str, typer.Option(help="Model A: float32, bfloat16, or auto, the fastest here by a trial of a second or two.")
    ] = _DEFAULT.precision
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = _DEFAULT.seed

    @property
    def options(self) -> Options:
        """The options for models."""
        chosen = asdict(self)
        chosen.pop("encoder")
        return Options(**chosen)


def with_training_options(command: Callable[..., None]) -> Callable[..., None]:
    """Replace the parameter `training` of a command by an option for each field of TrainingOptions."""
    hints = get_type_hints(TrainingOptions, include_extras=True)
    names = [field.name for field in fields(TrainingOptions)]
    signature = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def run(**arguments: Any) -> None:
        chosen = {name: arguments.pop(name) for name in names if name in arguments}
        command(training=TrainingOptions(**chosen), **arguments)

    unchanged = [parameter for parameter in signature.parameters.values() if parameter.name != "training"]
    added = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(TrainingOptions)
    ]
    del run.__wrapped__
    return with_parameters(run, [*unchanged, *added])
