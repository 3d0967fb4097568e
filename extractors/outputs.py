"""What extractors give: outputs with a version that changes whenever their values would."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

EMBEDDING = "embedding:"
"""Before the id of an encoder: what its embeddings are called among the outputs."""

FEATURES = "geometric_features"
"""The view of all outputs whose fields are features, one number each."""


def column(name: str, version: int) -> str:
    """How recipes write a field: `name`, or `name@2` when its formula has been changed."""
    return name if version == 1 else f"{name}@{version}"


@dataclass(frozen=True)
class Field:
    """One field of an output: its name, NumPy type and length, such as `float32[8]`, and what it means.

    version  of its own formula, where it has one
    """

    name: str
    dtype: str
    meaning: str
    version: int = 1

    @property
    def size(self) -> int:
        """Bytes of one value."""
        kind, _, length = self.dtype.rstrip("]").partition("[")
        return np.dtype(kind).itemsize * int(length or 1)


@dataclass(frozen=True)
class Output:
    """One version of one extractor's output.

    extractor     name, such as `geometry` or `embedding:mobilenet_v3_small-1f2e3d4c`
    view          name under which people see it, such as `landmarks`
    comment       what one row of it is
    fields        what there is of each photo
    code_version  raised by hand whenever the code gives other values
    parameters    every setting that changes the values, weights' sha256 among them
    inputs        versions of the outputs that it is computed from
    """

    extractor: str
    view: str
    comment: str
    fields: tuple[Field, ...]
    code_version: int
    parameters: Mapping[str, object] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()

    @property
    def recipe(self) -> str:
        """Everything that decides the values, as canonical JSON."""
        recipe = {
            "extractor": self.extractor,
            "code_version": self.code_version,
            "columns": [column(f.name, f.version) for f in self.fields],
            "parameters": dict(self.parameters),
            "inputs": list(self.inputs),
        }
        return json.dumps(recipe, sort_keys=True)

    @property
    def row_size(self) -> int:
        """Bytes of one photo's values."""
        return sum(f.size for f in self.fields)

    @cached_property
    def version(self) -> str:
        """First 12 hex digits of the recipe's sha256."""
        return hashlib.sha256(self.recipe.encode()).hexdigest()[:12]

    @property
    def table_name(self) -> str:
        """Where this version is stored; `__` keeps it out of what people are shown."""
        return table_name(self.extractor, self.version)


def table_name(extractor: str, version: str) -> str:
    """The table of a version: a plain SQL name, whatever an encoder is called; the version distinguishes them."""
    return f"{re.sub('[^a-z0-9_]+', '_', extractor.lower())[:80]}__{version}"
