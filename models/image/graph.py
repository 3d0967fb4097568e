"""Model A as a graph: what a bundle holds, so that photos are scored without torch and in less time."""

import os
import shutil
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from featurestore.errors import PrerequisiteError
from featurestore.records import FaceBatch
from models.image.crop import centre_of
from models.networks.onnx_graphs import Graph
from models.serialization import read_description


class AppearanceGraph:
    """A Model A that `replace_by_graphs` wrote."""

    kind = "appearance-graph"

    def __init__(self, folder: Path) -> None:
        """Raises BundleError when the folder holds no readable graph."""
        # OMP_NUM_THREADS is 1 where several processes run side by side
        threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
        self._folder, self.graph = folder, Graph(folder, threads)
        self._view = float(read_description(folder, self.kind)["config"]["view"])

    def predict(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n,) scores, as those of the model that it was exported from. Raises PrerequisiteError without faces."""
        if batch.faces is None:
            raise PrerequisiteError(
                "Model A needs face crops and this batch has none: read the faces of its photos first."
            )
        scores = [self.graph.run(faces=face[None])[0] for face in self.in_view(batch.faces)]
        return np.concatenate(scores).astype(np.float64)

    def in_view(self, faces: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(n, S, S, 3) face crops to the middle of each, which is what the graph is given."""
        return centre_of(faces, self._view)

    def save(self, folder: Path) -> None:
        """Copy the graph into a folder."""
        shutil.copytree(self._folder, folder, dirs_exist_ok=True)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `replace_by_graphs` wrote. Raises BundleError when the folder holds none."""
        return cls(folder)
