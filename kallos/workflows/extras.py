"""Optional packages, which only some commands need."""

from collections.abc import Collection, Iterable, Iterator
from importlib.util import find_spec

from packaging.requirements import Requirement

from featurestore.errors import UsageError

TRAINING = ("torch", "torchvision", "timm", "onnx", "onnxscript")
"""Packages for training, new encoders and ONNX graphs."""


def required(lines: Iterable[str], extras: Collection[str]) -> Iterator[str]:
    """Names of the required packages on this machine, with these extras."""
    for requirement in map(Requirement, lines):
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
            yield requirement.name


def need(extra: str, *modules: str) -> None:
    """Raises UsageError, naming what to install, when a module of that extra is missing."""
    if missing := [module for module in modules if find_spec(module) is None]:
        raise UsageError(f"This needs {missing[0]}: `pip install 'kallos[{extra}]'`.")
