"""What only some commands need, and not everyone has installed."""

from __future__ import annotations

from importlib.util import find_spec

from featurestore.errors import UsageError

TRAINING = ("torch", "torchvision", "onnx", "onnxscript")
"""What training, a new encoder and graphs are made with."""


def need(extra: str, *modules: str) -> None:
    """Raises UsageError, with what to install, when a module of that extra is missing."""
    if missing := [module for module in modules if find_spec(module) is None]:
        raise UsageError(f"This needs {missing[0]}: in the folder of kallos, `pip install '.[{extra}]'`.")
